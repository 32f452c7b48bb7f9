"""The `Bench`: a grid at work in a lab, with its data set, its scores and its subsets, each made once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from ..artifacts import ArtifactError, Scores, Subset
from ..data import DataError, Dataset
from ..dynamic import Dynamic
from ..dynamic.factors.sources import find_source
from ..methods import Selector, parse_score
from ..provenance import describe, digest, environment
from ..rng import Seeds
from ..score_cache import ScoreCache, seconds_of
from ..scores import FoldScore, Score
from ..scores.diffused import DiffusionScore
from ..selection import TrainingWorkbench
from ..training.loader import resolve_device
from ..training.loop import check_recipe, train
from ..training.recipe import Recipe
from .grid import Grid, GridError
from .lab import Lab

__all__ = ["Bench", "begin", "first_score", "open_bench"]


@dataclass(frozen=True, eq=False)
class Bench:
    """A grid in a lab: its data set, its scores, and what is done with them."""

    grid: Grid
    lab: Lab

    @cached_property
    def dataset(self) -> Dataset:
        """The data set."""
        return self.grid.load()

    @cached_property
    def scores(self) -> ScoreCache:
        """The grid's scores; all fold scores come from one recorded run for each proxy."""
        methods: list[Selector | Dynamic] = [*self.grid.parsed, *self.grid.dynamic.values()]
        return ScoreCache(
            self.dataset.train,
            self.grid.proxy,
            together=[of for method in methods for of in self.asked(method)],
            features=any(method.sees_features for method in methods),
            folder=self.lab.place_of_scores,
            device=self.lab.device,
            progress=self.lab.progress,
        )

    def identity(self, **study: Any) -> dict[str, Any]:
        """What all rows in one folder have in common.

        Arguments:
            study: What the study adds to the grid: its name and settings without which rows cannot be compared.
        """
        return {**study, **self.grid.identity, "fingerprint": self.dataset.train.fingerprint}

    def asked(self, method: Selector | Dynamic) -> list[Score]:
        """The scores that a method reads."""
        if isinstance(method, Dynamic):
            return [parse_score(name, self.grid.scores) for name in method.asks]
        return method.scores

    def score_all(self, wanted: Sequence[tuple[Selector | Dynamic | None, Seeds]]) -> None:
        """Computes the scores that methods need, by all workers: a map score in shards, the proxies side by side."""
        methods = [(method, seeds) for method, seeds in wanted if method is not None]
        needed = [(of, getattr(seeds, of.seeded_by)) for method, seeds in methods for of in self.asked(method)]
        for of, seed in dict.fromkeys(needed):
            if isinstance(of, DiffusionScore) and not self.scores.has(of, seed):
                shards = [_Shard(of, seed, i, self.lab.processes) for i in range(self.lab.processes)]
                for _ in self.lab.each(partial(_score, self.grid, self.lab), shards, "shard", long=True):
                    pass
        watched = [seed for of, seed in needed if isinstance(of, FoldScore)]
        watched += [seeds.proxy for method, seeds in methods if method.sees_features]
        unwatched = [seed for seed in dict.fromkeys(watched) if not self.scores.has_watched(seed)]
        for _ in self.lab.each(partial(_watch, self.grid, self.lab), unwatched, "proxy", long=True):
            pass

    def warm(self, recipe: Recipe) -> None:
        """Trains two steps for nothing, once for each network in a process, so that what only a first training costs
        (imports, the choice of kernels) is not in the seconds of whichever row comes first.
        """
        if recipe.net not in self._warm:
            self._warm.add(recipe.net)
            train(self.dataset.train, replace(recipe, epochs=None, steps=2), device=self.lab.device)

    @cached_property
    def _warm(self) -> set[str]:
        return set()

    def inputs(self, method: Selector | Dynamic | None) -> list[Mapping[str, Any]]:
        """What decides a method's scores and features beside their settings and the grid: digests of files."""
        if method is None:
            return []
        inputs = [self.scores.inputs(of) for of in self.asked(method)]
        return [*inputs, self._seen(method.sees)[0]] if isinstance(method, Dynamic) else inputs

    def _seen(self, features: str) -> tuple[Mapping[str, Any], str]:
        """What decides a feature space beside its name, and why it is not to be had."""
        if features not in self._spaces:
            try:
                given = features not in ("", "proxy")
                self._spaces[features] = (find_source(features).inputs(self.dataset.train, 0) if given else {}), ""
            except (ArtifactError, DataError) as reason:
                self._spaces[features] = {}, str(reason)
        return self._spaces[features]

    @cached_property
    def _spaces(self) -> dict[str, tuple[Mapping[str, Any], str]]:
        return {}

    def obstacle(self, method: Selector | Dynamic | None) -> str:
        """Why a method cannot run; empty if it can."""
        split = self.dataset.train
        if isinstance(method, Dynamic):
            reasons = [*(of.obstacle(split) for of in self.asked(method)), self._seen(method.sees)[1]]
            return next(filter(None, reasons), "")
        return "" if method is None else method.obstacle(split, self.grid.proxy, self.lab.device)

    def provenance(self, method: Selector | None, seeds: Seeds, recipe: Recipe) -> dict[str, Any]:
        """How a row came about, ready for JSON."""
        return {
            "recipe": describe(recipe),
            "proxy": describe(self.grid.proxy),
            "seeds": describe(seeds),
            "test": self.dataset.test.fingerprint,
            "method": None if method is None else describe(method.definition),
            "reliability": [] if method is None else self.reliability(method, seeds),
            "environment": environment(str(resolve_device(self.lab.device))),
        }

    def key(self, method: Selector, seed: int, *more: Any) -> str:
        """The key of a row about the score that orders the examples for a method: the digest of what decides it."""
        split, of = self.dataset, method.scores[:1]
        made = [*of, *map(self.scores.inputs, of), self.grid.seeds_of(seed)]
        return digest([self.grid.identity, split.train.fingerprint, split.test.fingerprint, *made, *more])

    def score(self, method: Selector, seeds: Seeds) -> Scores:
        """The scores that order the examples for a method.

        Raises:
            ValueError: If the method has no score.
        """
        of = first_score(method)
        return self.scores.get(of, getattr(seeds, of.seeded_by))

    def reliability(self, method: Selector, seeds: Seeds) -> list[Any]:
        """The reliability of the score that orders the examples, the number of its estimates and what they are; empty
        where there are not several.
        """
        if not method.scores:
            return []
        of = self.score(method, seeds)
        count = of.estimates.shape[1]
        return [of.reliability, count, of.drawn] if count > 1 else []

    def subset(self, method: Selector, fraction: float, seeds: Seeds) -> tuple[Subset, float, float]:
        """The method's subset, and the seconds of its scores and of its selection; kept, and found again."""
        made = [self.scores.inputs(of) for of in method.scores]
        name = digest([method.definition, made, fraction, seeds, self.grid.identity])
        path = self.lab.out / "subsets" / f"{name}.json"
        known = {of: self.scores.get(of, getattr(seeds, of.seeded_by)) for of in method.scores}
        spent = seconds_of(known)
        if path.exists():
            subset = Subset.load(path)
            return subset, spent, subset.provenance["seconds"]
        start = time.perf_counter()
        bench = TrainingWorkbench(
            self.dataset.train,
            self.grid.recipe,
            self.grid.proxy,
            seeds,
            lambda name: known[parse_score(name)],
            lambda: self.scores.features(seeds.proxy),
            self.lab.device,
            self.lab.progress,
        )
        ordering = known[method.scores[0]] if method.scores else None
        subset = method.select(ordering, fraction, seeds.selection, bench)
        seconds = time.perf_counter() - start
        subset = replace(subset, provenance={**subset.provenance, "seconds": seconds})
        subset.save(path)
        return subset, spent, seconds


_OPEN: dict[str, Bench] = {}


def begin(grid: Grid, lab: Lab, mixed: bool = False) -> Bench:
    """A bench, which `open_bench` finds in this process.

    Arguments:
        grid: The grid.
        lab: Where it works.
        mixed: Whether the grid may hold dynamic methods.

    Raises:
        GridError: If it holds some and may not.
        ValueError: If a network or an augmentation does not take what the data set holds.
    """
    if grid.dynamic and not mixed:
        raise GridError(
            f"{grid.name}: {', '.join(grid.dynamic)} choose other examples every epoch and have no place in this "
            "study: compare them in a study `mixed`, as the experiment `dynamic` does."
        )
    bench = Bench(grid, lab)
    for net in grid.trained_nets:
        check_recipe(replace(grid.recipe, net=net), bench.dataset.train)
    _OPEN.clear()
    _OPEN[digest([grid, lab])] = bench
    return bench


def open_bench(grid: Grid, lab: Lab) -> Bench:
    """The bench of this process for a grid; in a worker, begun quietly."""
    key = digest([grid, lab])
    if key not in _OPEN:
        _OPEN.clear()
        _OPEN[key] = Bench(grid, replace(lab, progress=False))
    return _OPEN[key]


def first_score(method: Selector) -> Score:
    """The score that orders the examples for a method.

    Raises:
        ValueError: If it has none.
    """
    if not method.scores:
        raise ValueError(f"{method.name} selects without a score, and this study looks at scores.")
    return method.scores[0]


@dataclass(frozen=True)
class _Shard:
    """A part of a score's work."""

    of: DiffusionScore
    seed: int
    index: int
    count: int

    def __str__(self) -> str:
        return f"{type(self.of).__name__} {self.index + 1} of {self.count}"


def _score(grid: Grid, lab: Lab, shard: _Shard) -> None:
    speaks = lab.progress and shard.index == 0
    open_bench(grid, lab).scores.share(shard.of, shard.seed, (shard.index, shard.count), speaks)


def _watch(grid: Grid, lab: Lab, seed: int) -> None:
    bench = open_bench(grid, lab)
    bench.warm(grid.proxy)
    bench.scores.watch(seed)
