"""The `Session` of a grid: its data set, its scores and its subsets, each computed once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

from ..artifacts import ArtifactError, Scores, Subset
from ..core.device import resolve_device
from ..core.job import Job
from ..core.provenance import describe, digest, environment
from ..core.seeds import Seeds
from ..data import DataError, Dataset
from ..dynamic import Dynamic
from ..factors import find_source
from ..methods import Selector, parse_score
from ..scores import FoldScore, Score
from ..scores.diffusion import DiffusionScore
from ..scoring.cache import ScoreCache, seconds_of
from ..selection import SplitWorkbench, select_from
from ..training.check import check_recipe
from ..training.loop import train
from ..training.recipe import Recipe
from .grid import Grid
from .workers import Workers

__all__ = ["Session", "find_session", "ordering_of", "start_session"]


@dataclass(frozen=True, eq=False)
class Session:
    """A grid with its data set, scores and subsets, each computed once.

    Arguments:
        grid: The grid.
        workers: Where and in how many processes its work is done.
    """

    grid: Grid
    workers: Workers
    _warm_nets: set[str] = field(default_factory=set, init=False, repr=False)
    _feature_spaces: dict[str, tuple[Mapping[str, Any], str]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def dataset(self) -> Dataset:
        """The data set."""
        return self.grid.load()

    @cached_property
    def scores(self) -> ScoreCache:
        """The grid's scores; all fold scores come from one recorded run for each proxy."""
        methods: list[Selector | Dynamic] = [*self.grid.static, *self.grid.dynamic.values()]
        return ScoreCache(
            self.dataset.train,
            self.grid.proxy,
            together=[score for method in methods for score in self.scores_of(method)],
            features=any(method.needs_features for method in methods),
            job=Job(self.workers.device, self.workers.progress, self.workers.scores_folder),
        )

    def identity(self, **study: Any) -> dict[str, Any]:
        """The facts that all rows in one folder share.

        Arguments:
            study: The study's own part: its name, and the settings that rows must share to be compared.
        """
        return {**study, **self.grid.identity, "fingerprint": self.dataset.train.fingerprint}

    def scores_of(self, method: Selector | Dynamic) -> list[Score]:
        """The scores that a method reads."""
        if isinstance(method, Dynamic):
            return [parse_score(name, self.grid.scores) for name in method.needs_scores]
        return method.scores

    def compute_scores(self, needed: Sequence[tuple[Selector | Dynamic | None, Seeds]]) -> None:
        """Computes the scores that methods need, by all workers: a map score in shards, the proxies side by side."""
        methods = [(method, seeds) for method, seeds in needed if method is not None]
        scores = ((score, seeds) for method, seeds in methods for score in self.scores_of(method))
        pairs = [(score, seeds.seed_of(score.seeded_by)) for score, seeds in scores]
        count = self.workers.processes
        for score, seed in dict.fromkeys(pairs):
            if isinstance(score, DiffusionScore) and not self.scores.has(score, seed):
                shards = [_Shard(score, seed, i, count) for i in range(count)]
                self._finish(partial(_score_shard, self.grid, self.workers), shards, "shard")
        proxies = [seed for score, seed in pairs if isinstance(score, FoldScore)]
        proxies += [seeds.proxy for method, seeds in methods if method.needs_features]
        missing = [seed for seed in dict.fromkeys(proxies) if not self.scores.has_recorded(seed)]
        self._finish(partial(_record, self.grid, self.workers), missing, "proxy")

    def _finish(self, do: Any, items: Sequence[Any], unit: str) -> None:
        for _ in self.workers.each(do, items, unit, long=True):
            pass

    def warm_up(self, recipe: Recipe) -> None:
        """Trains a network for two steps, once in each process, so that the costs of a first training (imports, the
        choice of kernels) are in no row's seconds.
        """
        if recipe.net not in self._warm_nets:
            self._warm_nets.add(recipe.net)
            train(self.dataset.train, replace(recipe, epochs=None, steps=2), device=self.workers.device)

    def file_digests(self, method: Selector | Dynamic | None) -> list[Mapping[str, Any]]:
        """The digests of the files from which a method's scores and features are computed."""
        if method is None:
            return []
        digests = [self.scores.file_digests(score) for score in self.scores_of(method)]
        return [*digests, self._feature_space(method.feature_space)[0]] if isinstance(method, Dynamic) else digests

    def _feature_space(self, name: str) -> tuple[Mapping[str, Any], str]:
        """The settings and digests that determine a feature space beside its name, and why it is not available."""
        if name not in self._feature_spaces:
            try:
                identity = {} if name in ("", "proxy") else find_source(name).identity(self.dataset.train, 0)
                self._feature_spaces[name] = identity, ""
            except (ArtifactError, DataError) as reason:
                self._feature_spaces[name] = {}, str(reason)
        return self._feature_spaces[name]

    def why_not(self, method: Selector | Dynamic | None) -> str:
        """Why a method cannot run; empty if it can."""
        split = self.dataset.train
        if isinstance(method, Dynamic):
            reasons = [score.why_not(split) for score in self.scores_of(method)]
            return next(filter(None, [*reasons, self._feature_space(method.feature_space)[1]]), "")
        return "" if method is None else method.why_not(split, self.grid.proxy, self.workers.device)

    def provenance(self, method: Selector | None, seeds: Seeds, recipe: Recipe) -> dict[str, Any]:
        """The provenance of a row, ready for JSON."""
        return {
            "recipe": describe(recipe),
            "proxy": describe(self.grid.proxy),
            "seeds": describe(seeds),
            "test": self.dataset.test.fingerprint,
            "method": None if method is None else describe(method.spec),
            "reliability": [] if method is None else self.reliability(method, seeds),
            "environment": environment(str(resolve_device(self.workers.device))),
        }

    def key(self, method: Selector, seed: int, *more: Any) -> str:
        """The key of a row about a method's ordering score: the digest of all that determines the row.

        Raises:
            ValueError: If the method has no score.
        """
        split, ordering = self.dataset, ordering_of(method)
        parts = [ordering, self.scores.file_digests(ordering), self.grid.seeds_of(seed)]
        return digest([self.grid.identity, split.train.fingerprint, split.test.fingerprint, *parts, *more])

    def ordering(self, method: Selector, seeds: Seeds) -> Scores:
        """The values of a method's ordering score.

        Raises:
            ValueError: If the method has no score.
        """
        return self.scores.get(ordering_of(method), seeds)

    def reliability(self, method: Selector, seeds: Seeds) -> list[Any]:
        """The reliability of the ordering score, the number of its estimates and their unit; empty where there are not
        several.
        """
        if method.ordering is None:
            return []
        scores = self.ordering(method, seeds)
        count = scores.estimates.shape[1]
        return [scores.reliability, count, scores.unit] if count > 1 else []

    def subset(self, method: Selector, fraction: float, seeds: Seeds) -> tuple[Subset, float, float]:
        """The method's subset, and the seconds of its scores and of its selection; stored in a file, and read again."""
        seconds = seconds_of({score: self.scores.get(score, seeds) for score in method.scores})
        path = self.workers.out / "subsets" / f"{self.subset_key(method, fraction, seeds)}.json"
        if path.exists():
            subset = Subset.load(path)
            return subset, seconds, subset.provenance["seconds"]
        start = time.perf_counter()
        subset = select_from(self.scores, method, fraction, seeds, self.grid.recipe)
        spent = time.perf_counter() - start
        subset = replace(subset, provenance={**subset.provenance, "seconds": spent})
        subset.save(path)
        return subset, seconds, spent

    def subset_key(self, method: Selector, fraction: float, seeds: Seeds) -> str:
        """The name of a subset's file: the digest of all that determines it."""
        return digest([method.spec, self.file_digests(method), fraction, seeds, self.grid.identity])

    def workbench(self, seeds: Seeds) -> SplitWorkbench:
        """The workbench that prepares dynamic methods."""
        return SplitWorkbench(self.scores, seeds, defaults=self.grid.scores)


def ordering_of(method: Selector) -> Score:
    """The score by which a method orders the examples.

    Raises:
        ValueError: If the method has no score.
    """
    if method.ordering is None:
        raise ValueError(f"{method.name} selects without a score, and this study looks at scores.")
    return method.ordering


_SESSIONS: dict[str, Session] = {}


def start_session(grid: Grid, workers: Workers) -> Session:
    """A new session, which `find_session` returns from then on in this process.

    Raises:
        ValueError: If a network or an augmentation does not take what the data set holds.
    """
    session = Session(grid, workers)
    for net in grid.trained_nets:
        check_recipe(replace(grid.recipe, net=net), session.dataset.train)
    _SESSIONS.clear()
    _SESSIONS[digest([grid, workers])] = session
    return session


def find_session(grid: Grid, workers: Workers) -> Session:
    """The session of this process for a grid; in a worker process a new one, without progress bars."""
    key = digest([grid, workers])
    if key not in _SESSIONS:
        _SESSIONS.clear()
        _SESSIONS[key] = Session(grid, replace(workers, progress=False))
    return _SESSIONS[key]


@dataclass(frozen=True)
class _Shard:
    """One shard of a score's work, with the name that the progress bar shows."""

    score: DiffusionScore
    seed: int
    index: int
    count: int

    def __str__(self) -> str:
        return f"{type(self.score).__name__} {self.index + 1} of {self.count}"


def _score_shard(grid: Grid, workers: Workers, shard: _Shard) -> None:
    progress = workers.progress and shard.index == 0
    session = find_session(grid, workers)
    session.scores.share(shard.score, shard.seed, (shard.index, shard.count), progress)


def _record(grid: Grid, workers: Workers, seed: int) -> None:
    session = find_session(grid, workers)
    session.warm_up(grid.proxy)
    session.scores.record(seed)
