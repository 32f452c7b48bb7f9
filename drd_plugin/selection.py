"""From a split to a subset in one call, and the workbench that trains networks for the strategies that must."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .artifacts import ArtifactError, Features, Scores, Subset, check_fingerprint
from .data import Split, check_split
from .methods import Selector, is_of, parse, parse_score
from .provenance import describe
from .rng import Seeds
from .score_cache import ScoreCache
from .scores import Score
from .training.loop import features, predict, train
from .training.recipe import PROXY, Recipe

__all__ = ["TrainingWorkbench", "select"]


def select(
    split: Split,
    method: str | Selector,
    fraction: float,
    *,
    scores: Sequence[Scores] = (),
    seed: int = 0,
    recipe: Recipe = Recipe(),
    proxy: Recipe = PROXY,
    device: str = "auto",
    progress: bool = True,
) -> Subset:
    """Scores a training split and selects a subset by a method; nothing is written.

    Arguments:
        split: The training split.
        method: A method, or its name as `drd_plugin.methods.parse` reads it.
        fraction: The share that is kept, in (0, 1].
        scores: Scores of this split that are at hand, with the settings that the method asks for; those that it needs
            beside them are computed.
        seed: The seed of everything: proxy, selection, initialisation, order and noise.
        recipe: How the candidates of strategies that train are trained.
        proxy: How the proxy is trained whose run a fold score watches, in epochs.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        UnknownName: If the method is unknown.
        ArtifactError: If scores were made for another data set or with other settings, or are not asked for.
        ValueError: If the fraction keeps nothing, or does not fit the method.
    """
    check_split(split)
    wanted, seeds = parse(method) if isinstance(method, str) else method, Seeds.all(seed)
    cache = ScoreCache(
        split, proxy, together=wanted.scores, features=wanted.sees_features, device=device, progress=progress
    )
    for what, given in _at_hand(scores, wanted, split).items():
        cache.put(what, getattr(seeds, what.seeded_by), given)
    known = {what: cache.get(what, getattr(seeds, what.seeded_by)) for what in wanted.scores}
    bench = TrainingWorkbench(
        split,
        recipe,
        proxy,
        seeds,
        lambda name: known[parse_score(name)],
        lambda: cache.features(seeds.proxy),
        device,
        progress,
    )
    ordering = known[wanted.scores[0]] if wanted.scores else None
    return wanted.select(ordering, fraction, seeds.selection, bench)


def _at_hand(scores: Sequence[Scores], wanted: Selector, split: Split) -> dict[Score, Scores]:
    """The given scores by what the method asks for; each must be asked for, with these very settings, or have been
    imported under its name.
    """
    known: dict[Score, Scores] = {}
    for given in scores:
        check_fingerprint(given.fingerprint, split.fingerprint, f"the {given.name} score")
        what = next((of for of in wanted.scores if is_of(given, of)), None)
        if what is None or what in known:
            raise ArtifactError(
                f"{wanted.name} asks for {' and '.join(map(repr, wanted.scores))}, each once; the given {given.name} "
                f"score was made with {given.provenance.get('score')}."
            )
        known[what] = given
    return known


@dataclass(frozen=True, eq=False)
class TrainingWorkbench:
    """See `drd_plugin.strategies.Workbench`.

    Arguments:
        split: The training split.
        recipe: How candidates are trained.
        proxy: How proxies are trained, in epochs, for strategies that ask for their features, and for methods of other
            libraries that train their own.
        seeds: The selection seed decides the candidates' initialisation and order, equal for all, so that only the
            subset differs; the proxy seed those of the networks whose features are used.
        other_scores: Gives another score of the same split by name; none by default.
        known_features: Gives the features of the proxy that was trained on the whole split; by default one is trained.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.
    """

    split: Split
    recipe: Recipe
    proxy: Recipe
    seeds: Seeds
    other_scores: Callable[[str], Scores] | None = None
    known_features: Callable[[], Features] | None = None
    device: str = "auto"
    progress: bool = True

    @property
    def settings(self) -> Mapping[str, Any]:
        """See `Workbench`."""
        return {"recipe": describe(self.recipe), "seeds": describe(self.seeds)}

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """See `Workbench`."""
        trained = train(
            self.split,
            self.recipe,
            seed_init=self.seeds.selection,
            seed_order=self.seeds.selection,
            subset=indices,
            device=self.device,
            progress=f"candidate of {len(indices)}" if self.progress else "",
        )
        return predict(trained.net, self.split, self.device).argmax(1).numpy()

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """See `Workbench`."""
        recipe = self.recipe.for_epochs(epochs)
        trained = train(
            self.split,
            recipe,
            seed_init=self.seeds.proxy,
            seed_order=self.seeds.proxy,
            subset=indices,
            device=self.device,
            progress="features" if self.progress else "",
        )
        return features(trained.net, self.split, self.device).numpy()

    def proxy_features(self) -> Features:
        """See `Workbench`.

        Raises:
            ArtifactError: If the features at hand are not those of the split.
        """
        if self.known_features is None:
            cache = ScoreCache(self.split, self.proxy, device=self.device, progress=self.progress)
            found = cache.features(self.seeds.proxy)
        else:
            found = self.known_features()
        found.check(len(self.split), self.split.fingerprint)
        return found

    def scores(self, name: str) -> Scores:
        """See `Workbench`."""
        if self.other_scores is None:
            raise ValueError(f"the strategy asks for {name} scores, and the workbench has none.")
        return self.other_scores(name)
