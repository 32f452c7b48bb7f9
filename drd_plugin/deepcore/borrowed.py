"""DeepCore's methods as rows of this library's tables: `deepcore:GraNd`, `deepcore:Submodular[function=GraphCut]`.

They run on this library's data sets and seeds, with main.py's defaults. DeepCore's own loop trains their proxies; it
takes network, optimiser, learning rate (kept constant), momentum, weight decay, batch size and epochs from the proxy's
recipe, and knows no augmentation, schedule or warmup. kCenterGreedy's features are those of the proxy, not of a
pretrained ResNet-18. On today's PyTorch some need a repair (see `drd_plugin.deepcore.compat`), which is made while they
run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..artifacts import Scores, Subset
from ..core.job import Job
from ..core.provenance import git_commit
from ..core.registry import unknown
from ..core.seeds import Seeds
from ..data import Split
from ..methods import Selector
from ..scores import Score
from ..selection.workbench import Networks, RecordingWorkbench
from ..strategies import Workbench
from ..training.recipe import Recipe
from .bridge import arguments, host_dataset, isolated, on_gpu
from .compat import OF_METHODS, repaired
from .host import deepcore, methods_of, package_folder
from .trial import failure, random_split

__all__ = ["MAIN", "DeepCoreMethod", "method_family"]

MAIN: dict[str, Any] = {
    "selection_method": "Entropy", "balance": True, "greedy": "LazyGreedy", "function": "GraphCut",
}  # fmt: skip
"""What main.py passes to every method by default."""

PARAMETERS = {"dst_train", "args", "fraction", "random_seed", "kwargs", "self", "dst_test", "dst_val"}
"""The parameters of a method's constructor that are no settings."""


@dataclass(frozen=True)
class DeepCoreMethod(Selector):
    """A method of DeepCore.

    Arguments:
        name: The name in tables.
        method: The class's name in `deepcore.methods`.
        settings: Keyword arguments of its constructor instead of main.py's defaults.
    """

    name: str
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ordering(self) -> None:
        """None: DeepCore's methods order examples by themselves."""

    @property
    def scores(self) -> list[Score]:
        """Empty, since DeepCore's methods train proxies of their own."""
        return []

    @property
    def needs_features(self) -> bool:
        """False, for the same reason."""
        return False

    @property
    def spec(self) -> list[Any]:
        """The class, its settings and the commit of DeepCore, which determine the selection."""
        return [{"deepcore": self.method, "settings": dict(self.settings), "commit": commit()}]

    def why_not(self, split: Split, proxy: Recipe, device: str) -> str:
        """Why the method cannot select from forty random images of this size, after one epoch; empty if it can."""
        if split.kind != "images":
            return f"DeepCore takes images, and {split.name} holds {split.kind}"
        quick = proxy.for_epochs(1)
        networks = Networks(random_split(split.shape), quick, quick, Seeds.all(0), Job(device, progress=False))
        return failure(lambda: self._select(networks, 0.5, 0))

    def configured(self, name: str, settings: Mapping[str, Any]) -> DeepCoreMethod:
        """The same method under another name, with other settings.

        Raises:
            UnknownName: If the method's constructor has no such argument.
        """
        names = _parameters(_class_of(self.method))
        for key in settings:
            if key not in names:
                raise unknown(f"setting of DeepCore's {self.method}", key, names)
        return DeepCoreMethod(name, self.method, {**self.settings, **settings})

    def select(
        self,
        scores: Scores | None,
        fraction: float,
        seed: int,
        workbench: Workbench | None = None,
        budget: int | np.ndarray | None = None,
    ) -> Subset:
        """Selects a subset, see `drd_plugin.methods.Method.select`. DeepCore has a single seed, that of the proxy for
        methods that train, and it rounds the fraction by itself.

        Raises:
            ValueError: If there is no workbench that trains.
        """
        if not isinstance(workbench, RecordingWorkbench):
            raise ValueError(f"{self.name} trains networks: it needs the data set and a recipe.")
        return self._select(workbench.networks, fraction, seed)

    def _select(self, networks: Networks, fraction: float, seed: int) -> Subset:
        kind, split, args = _class_of(self.method), networks.split, arguments(networks)
        one_seed = (networks.seeds.proxy if _trains(kind) else seed) % 2**32  # NumPy takes no larger one
        settings = {
            **MAIN,
            "epochs": networks.proxy.epochs,
            "specific_model": args.model,
            "torchvision_pretrain": False,
            **self.settings,
        }
        settings = {key: value for key, value in settings.items() if key in _parameters(kind)}
        with isolated(), on_gpu(args), repaired(OF_METHODS):
            result = kind(host_dataset(split), args, fraction, one_seed, **settings).select()
        weights = result.get("weights")
        return Subset(
            indices=np.asarray(result["indices"], np.int64),
            n=len(split),
            method=self.name,
            fingerprint=split.fingerprint,
            weights=None if weights is None else np.asarray(weights, np.float32),
            provenance={
                "deepcore": self.method,
                "settings": settings,
                "args": asdict(args),
                "commit": commit(),
                "fraction": fraction,
                "seed": one_seed,
            },
        )


def method_family(name: str) -> DeepCoreMethod:
    """`deepcore:NAME`: a method of DeepCore.

    Raises:
        DeepCoreMissing: If DeepCore is not importable.
        UnknownName: If it has no such method.
    """
    _class_of(name)
    return DeepCoreMethod(f"deepcore:{name}", name)


def commit() -> str | None:
    """The commit of the checkout of DeepCore."""
    folder = package_folder()
    return None if folder is None else git_commit(folder.parent)


def _trains(kind: type) -> bool:
    return any(base.__name__ == "EarlyTrain" for base in kind.__mro__)


def _class_of(name: str) -> type:
    methods = methods_of(deepcore("methods"))
    if name not in methods:
        raise unknown("method of DeepCore", name, methods)
    return methods[name]


def _parameters(kind: type) -> list[str]:
    """The keyword arguments of a method of DeepCore, its base classes' included."""
    names = (name for base in kind.__mro__ if base is not object for name in inspect.signature(base).parameters)
    return [name for name in dict.fromkeys(names) if name not in PARAMETERS]
