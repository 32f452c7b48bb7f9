"""`run_grid()`: scores, subsets and trainings of a grid, each done once, each kept as it finishes."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..artifacts import Run, Scores, Subset
from ..data import Dataset
from ..methods import Selector, parse_score
from ..provenance import describe, digest, environment
from ..rng import Seeds
from ..score_cache import ScoreCache
from ..scores import FoldScore, Score
from ..scores.diffused import DiffusionScore
from ..selection import TrainingWorkbench
from ..training.loader import resolve_device
from ..training.loop import train
from ..training.recipe import Recipe
from .grid import Grid, GridError
from .lab import Lab
from .store import RunStore

__all__ = ["Bench", "begin", "open_bench", "run_grid", "run_in"]


def run_grid(
    grid: Grid,
    out: Path,
    device: str = "auto",
    progress: bool = True,
    *,
    scores: Path | None = None,
    workers: int | None = None,
) -> RunStore:
    """Runs what is missing of a grid.

    Arguments:
        grid: What to run.
        out: The folder for `runs/`, `scores/` and `subsets/`; a killed grid goes on where it stopped. A method that
            cannot select here is left out, with the reason in the store's `left_out`.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.
        scores: Another folder for the scores, which grids of the same data can share.
        workers: How many trainings run side by side, each in a process of its own; see `Lab`.

    Raises:
        ArtifactError: If the folder holds another grid's runs.
        ValueError: If the device is unknown.
    """
    return run_in(Lab(Path(out), scores, device, workers, progress), grid)


def run_in(lab: Lab, grid: Grid) -> RunStore:
    """Runs what is missing of a grid in a lab; see `run_grid`."""
    start, bench = time.perf_counter(), begin(grid, lab)
    store = RunStore(lab.out, grid.identity | {"fingerprint": bench.dataset.train.fingerprint})
    done = set(store.frame()["key"])
    missing = [cell for cell in bench.cells() if cell.key not in done]
    left_out = {cell.method_name: bench.obstacle(cell.method) for cell in _one_each(missing)}
    store.leave_out(left_out)
    cells = [cell for cell in missing if not left_out[cell.method_name]]
    if done and lab.progress:
        tqdm.write(f"{len(done)} runs found in {lab.out}, {len(cells)} to do")
    bench.score_all([(cell.method, cell.seeds) for cell in cells])
    alike = itertools.groupby(cells, lambda cell: (cell.method_name, cell.fraction, cell.seed))
    try:
        for _, runs in lab.each(partial(_run, grid, lab), [_Cells(tuple(group)) for _, group in alike], "run"):
            for run in runs:
                store.append(run)
    finally:
        store.note(seconds=time.perf_counter() - start)
    store.compact()
    return store


_OPEN: dict[str, Bench] = {}


def begin(grid: Grid, lab: Lab, mixed: bool = False) -> Bench:
    """A bench, which `open_bench` finds in this process.

    Arguments:
        grid: The grid.
        lab: Where it works.
        mixed: Whether the grid may hold dynamic methods.

    Raises:
        GridError: If it holds some and may not.
    """
    if grid.dynamic and not mixed:
        raise GridError(
            f"{grid.name}: {', '.join(grid.dynamic)} choose other examples every epoch and have no place in this "
            "study: compare them in a study `equal_cost`, as the experiment `dynamic` does."
        )
    _OPEN.clear()
    _OPEN[digest([grid, lab])] = Bench(grid, lab)
    return _OPEN[digest([grid, lab])]


def open_bench(grid: Grid, lab: Lab) -> Bench:
    """The bench of this process for a grid; in a worker, begun quietly."""
    key = digest([grid, lab])
    if key not in _OPEN:
        _OPEN.clear()
        _OPEN[key] = Bench(grid, replace(lab, progress=False))
    return _OPEN[key]


def _run(grid: Grid, lab: Lab, cells: _Cells) -> list[Run]:
    bench = open_bench(grid, lab)
    return [bench.run(cell) for cell in cells.alike]


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
    open_bench(grid, lab).scores.watch(seed)


def _one_each(cells: Iterable[_Cell]) -> Iterable[_Cell]:
    """One cell of each method."""
    return {cell.method_name: cell for cell in cells}.values()


def _seconds(known: Mapping[Score, Scores]) -> float:
    """The seconds that scores took; those that watched the same proxy took them once."""
    folds = [float(of.provenance["seconds"]) for what, of in known.items() if isinstance(what, FoldScore)]
    maps = [float(of.provenance["seconds"]) for what, of in known.items() if not isinstance(what, FoldScore)]
    return sum(maps) + max(folds, default=0.0)


@dataclass(frozen=True)
class _Cell:
    """One run to do; `method` is None for the full training set."""

    method: Selector | None
    fraction: float
    seed: int
    seeds: Seeds
    recipe: Recipe
    key: str

    @property
    def method_name(self) -> str:
        return "Full" if self.method is None else self.method.name


@dataclass(frozen=True)
class _Cells:
    """Runs on the same subset."""

    alike: tuple[_Cell, ...]

    def __str__(self) -> str:
        cell = self.alike[0]
        return f"{cell.method_name} {100 * cell.fraction:g} % seed {cell.seed}"


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
        return ScoreCache(
            self.dataset.train,
            self.grid.proxy,
            together=[of for method in self.grid.parsed for of in method.scores],
            features=any(method.sees_features for method in self.grid.parsed),
            folder=self.lab.place_of_scores,
            device=self.lab.device,
            progress=self.lab.progress,
        )

    def score_all(self, wanted: Sequence[tuple[Selector | None, Seeds]]) -> None:
        """Computes the scores that methods need, by all workers: a map score in shards, the proxies side by side."""
        methods = [(method, seeds) for method, seeds in wanted if method is not None]
        needed = [(of, getattr(seeds, of.seeded_by)) for method, seeds in methods for of in method.scores]
        for of, seed in dict.fromkeys(needed):
            if isinstance(of, DiffusionScore) and not self.scores.has(of, seed):
                shards = [_Shard(of, seed, i, self.lab.processes) for i in range(self.lab.processes)]
                for _ in self.lab.each(partial(_score, self.grid, self.lab), shards, "shard", long=True):
                    pass
        watched = [seed for of, seed in needed if isinstance(of, FoldScore)]
        watched += [seeds.proxy for method, seeds in methods if method.sees_features]
        unwatched = [seed for seed in dict.fromkeys(watched) if not self.scores.has_watched(seed)]
        for _ in self.lab.each(partial(_watch, self.grid, self.lab), unwatched, "proxy"):
            pass

    def cells(self) -> Iterator[_Cell]:
        """All runs, seed by seed, so that a stopped grid has whole seeds."""
        for seed in self.grid.seeds:
            for net in self.grid.trained_nets:
                yield self._cell(None, 1.0, seed, net)
            for method in self.grid.parsed:
                for fraction in self.grid.fractions:
                    for net in self.grid.trained_nets:
                        yield self._cell(method, fraction, seed, net)

    def _cell(self, method: Selector | None, fraction: float, seed: int, net: str) -> _Cell:
        seeds, recipe = self.grid.seeds_of(seed), replace(self.grid.recipe, net=net)
        identity = [
            self.grid.identity,
            self.dataset.train.fingerprint,
            self.dataset.test.fingerprint,
            None if method is None else [method.name, *method.definition],
            [] if method is None else [self.scores.inputs(of) for of in method.scores],
            fraction,
            seeds,
            recipe,
        ]
        return _Cell(method, fraction, seed, seeds, recipe, digest(identity))

    def obstacle(self, method: Selector | None) -> str:
        """Why a method cannot run; empty if it can."""
        return "" if method is None else method.obstacle(self.dataset.train, self.grid.proxy, self.lab.device)

    def run(self, cell: _Cell) -> Run:
        """Selects, trains and tests."""
        made = self.provenance(cell.method, cell.seeds, cell.recipe)
        subset, seconds_score, seconds_select = None, 0.0, 0.0
        if cell.method is not None:
            subset, seconds_score, seconds_select = self.subset(cell.method, cell.fraction, cell.seeds)
        trained = train(
            self.dataset.train,
            cell.recipe,
            seed_init=cell.seeds.init,
            seed_order=cell.seeds.order,
            subset=subset,
            test=self.dataset.test,
            device=self.lab.device,
        )
        return Run(
            key=cell.key,
            method=cell.method_name,
            fraction=cell.fraction,
            k=len(self.dataset.train) if subset is None else len(subset),
            dataset=self.dataset.train.name,
            fingerprint=self.dataset.train.fingerprint,
            net=cell.recipe.net,
            seed=cell.seed,
            acc_last=trained.acc_last,
            acc_best=trained.acc_best,
            step_best=trained.step_best,
            steps=trained.steps,
            examples_seen=trained.examples_seen,
            seconds_score=seconds_score,
            seconds_select=seconds_select,
            seconds_train=trained.seconds,
            device=made["environment"]["device"],
            chosen=json.dumps({} if subset is None else dict(subset.chosen)),
            provenance=json.dumps(made),
        )

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
        if not method.scores:
            raise ValueError(f"{method.name} selects without a score, and this study looks at scores.")
        return self.scores.get(method.scores[0], getattr(seeds, method.scores[0].seeded_by))

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
        spent = _seconds(known)
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
