"""DeepCore's `CoresetMethod` for each method of this library, with the scores and strategies that the harness runs.

A method is called as DeepCore calls its own, `METHOD(dst_train, args, fraction, random_seed, **kwargs).select()`, and
gives `indices` (int64) and `scores` (in the order of the data set). All networks are DeepCore's `model`, trained by the
script's own `args` on `device` and the first of `gpu`:

- the proxy of a fold score as DeepCore trains its proxies: `selection_optimizer`, `selection_lr` (constant),
  `selection_momentum`, `selection_nesterov`, `selection_weight_decay` (of all parameters), `selection_batch` and
  `selection_epochs`;
- the networks that judge a strategy's windows as the script trains on its subset: `optimizer`, `lr` (a cosine down to
  `min_lr`), `momentum`, `nesterov`, `weight_decay`, `train_batch` and `epochs`.

Differences from DeepCore's own methods: the proxy runs in this library's loop, which normalises by the statistics of
the data, cuts an epoch into batches of equal size, and uses one GPU; `workers` read images that are not in memory.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..artifacts import Subset
from ..core.job import Job
from ..core.provenance import digest
from ..core.seeds import Seeds
from ..data import DataError, Split
from ..diffusion.resize import resized_for
from ..methods import Method, parse
from ..scores import MapScore
from ..scores.diffusion import DiffusionScore
from ..scoring.cache import ScoreCache
from ..scoring.recording import fitting_folds
from ..selection.subset import select_from
from ..strategies import PerClass
from ..strategies.base import class_budgets
from ..training.recipe import Recipe
from .base import CoresetMethod
from .host import available
from .images import original_of, split_of
from .options import settings_of

__all__ = ["PluginMethod", "device_of", "method_class", "pair", "proxy_of", "recipe_of"]

log = logging.getLogger(__name__)


class PluginMethod:
    """Base class of this library's methods inside DeepCore.

    Where `args.save_path` names a folder, scores are stored in its subfolder `scores` and read again, so that another
    fraction, or another method that watches the same proxy, costs no second one, and a killed run goes on; the subset
    is written to the folder with its provenance.

    Arguments:
        dst_train: The training set, with `classes` and `targets`.
        args: DeepCore's arguments, or `Args`.
        fraction: The share that is kept, in (0, 1].
        random_seed: The seed of proxy, noise and selection; 0 where there is none.
        epochs: The proxy's epochs; `args.selection_epochs` by default.
        balance: Whether each class keeps round(fraction * its size), as in DeepCore, or the set as a whole.
        kwargs: DeepCore's options for its own methods; not used.

    Raises:
        DataError: If the data set lacks classes or labels, or its transform cannot be undone.
        ValueError: If the fraction leaves a class without an example.
    """

    selection: ClassVar[str]

    def __init__(
        self,
        dst_train: Any,
        args: Any,
        fraction: float = 0.5,
        random_seed: int | None = None,
        epochs: int | None = None,
        balance: bool = True,
        **kwargs: Any,
    ) -> None:
        self.split = split_of(dst_train, getattr(args, "workers", 0))
        self.original = original_of(dst_train, self.split)
        super().__init__(dst_train, args, fraction, random_seed)  # type: ignore[call-arg]
        self.args, self.fraction, self.balance = args, fraction, balance
        self.seeds, self.device = Seeds.all(random_seed or 0), device_of(args)
        self.method = pair(self.selection).configured(self.selection, settings_of(self.selection))
        self.proxy = proxy_of(args, epochs, self.split)
        self.recipe = recipe_of(args, self.split)
        self.budget = self._budget()
        save_path = getattr(args, "save_path", "")
        self.folder = Path(save_path) if save_path else None
        self.subset: Subset | None = None

    def select(self, **kwargs: Any) -> dict[str, np.ndarray]:
        """The selection, `indices` and `scores`; the `Subset` with its provenance is in `self.subset`."""
        _log_once(f"{self.selection} = {' + '.join(map(repr, self.method.spec))}, on {self.device}")
        scores, method = self._cache(), self.method
        if self.balance and not method.strategy.classwise:
            method = replace(method, strategy=PerClass(method.strategy))
        self.subset = select_from(scores, method, self.fraction, self.seeds, self.recipe, self.budget)
        self.subset = replace(self.subset, fingerprint=self.original.fingerprint)
        self._report(self.subset)
        return {"indices": self.subset.indices, "scores": scores.get(method.score, self.seeds).values}

    def _cache(self) -> ScoreCache:
        """The cache of the method's scores; in `args.save_path`, where there is one, with all that can watch the same
        proxy.
        """
        watching = fitting_folds(self.proxy).values() if self.folder else ()
        return ScoreCache(
            self.split,
            self.proxy,
            together=[*self.method.scores, *watching],
            features=self.method.needs_features,
            resize=self._resized,
            job=Job(self.device, folder=self.folder and self.folder / "scores"),
        )

    def _resized(self, score: MapScore) -> Split:
        """DeepCore's images as the score's diffusion model takes them."""
        if not isinstance(score, DiffusionScore):
            return self.original
        return resized_for(score.denoiser, self.original, in_memory=True)

    def _budget(self) -> int | np.ndarray:
        """The number of examples as DeepCore rounds it, for each class if the selection is balanced."""
        if self.balance:
            of_class = np.array([round(self.fraction * int(count)) for count in self.split.class_counts])
            try:
                return class_budgets(self.split.labels, of_class)
            except ValueError as error:
                raise ValueError(f"{error} (Inside DeepCore: --balance false.)") from None
        budget = round(self.fraction * len(self.split))
        if budget == 0:
            raise ValueError(
                f"the fraction {self.fraction} of {len(self.split)} examples keeps none: take a larger one."
            )
        return budget

    def _report(self, subset: Subset) -> None:
        """Logs how windows were judged, and writes the subset if there is a folder for it."""
        judged = subset.chosen.get("accuracies")
        if judged:
            start, origin = 100 * subset.chosen["start"], subset.chosen["origin"]
            _log_once(
                f"{self.selection} keeps the window from {start:.0f} % ({origin} first); {len(judged)} windows were "
                f"judged at {min(judged):.1f} to {max(judged):.1f} % accuracy"
            )
        if self.folder:
            key = digest([self.method.spec, self.recipe, self.proxy, self.balance, self.split.fingerprint])
            path = self.folder / f"{self.selection}_{self.fraction:g}_seed{self.seeds.selection}_{key}.subset.json"
            subset.save(path)
            _log_once(f"the subset and its provenance are in {path}")


def method_class(selection: str, base: type = CoresetMethod) -> type:
    """The class for one method.

    Arguments:
        selection: A name as `drd_plugin.methods.parse` reads it.
        base: DeepCore's `CoresetMethod`, or the stand-in.

    Raises:
        UnknownName: If there is no such method.
        ValueError: If it is a method of another library.
    """
    pair(selection)
    doc = f"{selection} of drd_plugin; see `drd_plugin.deepcore.methods.PluginMethod`."
    return type(selection, (PluginMethod, base), {"selection": selection, "__doc__": doc, "__module__": __name__})


def pair(selection: str) -> Method:
    """The score and the strategy of a selection.

    Raises:
        UnknownName: If there is no such method.
        ValueError: If it is a method of another library.
    """
    method = parse(selection)
    if not isinstance(method, Method):
        raise ValueError(f"{selection} is no method of this library; DeepCore's own are selected by their names alone.")
    return method


@cache
def _log_once(text: str) -> None:
    """Logs a line the first time only, since a script of DeepCore selects again in each of its experiments."""
    log.info(text)


def device_of(args: Any) -> str:
    """The device that DeepCore's arguments name: the first of `gpu`, or `device`."""
    if args.device == "cuda" and getattr(args, "gpu", None):
        return f"cuda:{args.gpu[0]}"
    return str(args.device)


def proxy_of(args: Any, epochs: int | None, split: Split) -> Recipe:
    """The recipe of a proxy by DeepCore's arguments.

    Raises:
        ValueError: If the optimiser is not one of SGD, Adam and AdamW.
    """
    epochs = args.selection_epochs if epochs is None else epochs
    return _recipe(args, "selection_", split, epochs=epochs, batch_size=args.selection_batch, schedule="constant")


def recipe_of(args: Any, split: Split) -> Recipe:
    """The recipe of a network on a subset by DeepCore's arguments.

    Raises:
        ValueError: If the optimiser is not one of SGD, Adam and AdamW.
    """
    min_lr = min(args.min_lr, args.lr)
    return _recipe(args, "", split, epochs=args.epochs, batch_size=args.train_batch, schedule="cosine", min_lr=min_lr)


def _recipe(args: Any, prefix: str, split: Split, **settings: Any) -> Recipe:
    """A recipe with the optimiser's settings from the arguments with this prefix."""
    optimizer = getattr(args, f"{prefix}optimizer")
    optimizers: dict[str, Any] = {"SGD": "sgd", "Adam": "adam", "AdamW": "adamw"}
    if optimizer not in optimizers:
        raise ValueError(f"the optimiser is {optimizer!r}: expected one of {', '.join(optimizers)}.")
    for name in ("lr", "momentum", "nesterov", "weight_decay"):
        settings[name] = getattr(args, prefix + name)
    return Recipe(
        net=net_name(args.model, split),
        optimizer=optimizers[optimizer],
        warmup=0.0,
        decay_all=True,
        precision="float32",
        evaluations=1,
        **settings,
    )


def net_name(model: str, split: Split) -> str:
    """The network that DeepCore calls `model`, by name: DeepCore's if it is importable, else this library's equivalent.

    Raises:
        DataError: If DeepCore is not importable and there is no equivalent.
    """
    if available():
        return f"deepcore:{model}"
    small = max(split.shape[1:]) <= 64
    ours = {"LeNet": "lenet", "ResNet18": "resnet18_small" if small else "resnet18", "ResNet50": "resnet50"}
    if model not in ours:
        raise DataError(f"without DeepCore on the path, model must be one of {', '.join(ours)}; got {model!r}.")
    return ours[model]
