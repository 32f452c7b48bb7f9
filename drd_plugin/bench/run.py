"""`run_grid()`: scores, subsets and trainings of a grid, each done once, each kept as it finishes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..artifacts import Run, Scores, Subset
from ..data import Dataset, load
from ..methods import Selector, parse_score
from ..provenance import describe, digest, environment
from ..rng import Seeds
from ..score_cache import ScoreCache
from ..scores import FoldScore, Score
from ..selection import TrainingWorkbench
from ..training.loader import resolve_device
from ..training.loop import train
from ..training.recipe import Recipe
from .grid import Grid
from .store import RunStore

__all__ = ["run_grid"]


def run_grid(grid: Grid, out: Path, device: str = "auto", progress: bool = True) -> RunStore:
    """Runs what is missing of a grid.

    Arguments:
        grid: What to run.
        out: The folder for `runs/`, `scores/` and `subsets/`; a killed grid goes on where it stopped. A method that
            cannot select here is left out, with the reason in the store's `left_out`.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If the folder holds another grid's runs.
        ValueError: If the device is unknown.
    """
    resolve_device(device)
    place = {key: grid.dataset[key] for key in ("root", "size") if key in grid.dataset}
    dataset = load(grid.dataset["name"], **place)
    store = RunStore(out, grid.identity | {"fingerprint": dataset.train.fingerprint})
    bench = _Bench(grid, dataset, Path(out), device, progress)
    done = set(store.frame()["key"])
    missing = [cell for cell in bench.cells() if cell.key not in done]
    left_out = {cell.method_name: bench.obstacle(cell.method) for cell in _one_each(missing)}
    store.leave_out(left_out)
    cells = [cell for cell in missing if not left_out[cell.method_name]]
    if done and cells and progress:
        tqdm.write(f"adding {len(cells)} runs to the {len(done)} in {out}")
    with tqdm(cells, "runs", len(done) + len(cells), disable=not progress, unit="run", initial=len(done)) as bar:
        for cell in cells:
            bar.set_postfix_str(f"{cell.method_name} {100 * cell.fraction:g} % seed {cell.seed}")
            store.append(bench.run(cell))
            bar.update()
    store.compact()
    return store


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


@dataclass(frozen=True, eq=False)
class _Bench:
    grid: Grid
    dataset: Dataset
    out: Path
    device: str
    progress: bool

    @cached_property
    def scores(self) -> ScoreCache:
        """The grid's scores; all fold scores come from one recorded run for each proxy."""
        return ScoreCache(
            self.dataset.train,
            self.grid.proxy,
            together=[of for method in self.grid.parsed for of in method.scores],
            features=any(method.sees_features for method in self.grid.parsed),
            folder=self.out / "scores",
            device=self.device,
            progress=self.progress,
        )

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
        return "" if method is None else method.obstacle(self.dataset.train, self.grid.proxy, self.device)

    def run(self, cell: _Cell) -> Run:
        """Selects, trains and tests."""
        on = str(resolve_device(self.device))
        made = environment(on)
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
            device=self.device,
        )
        provenance = {
            "recipe": describe(cell.recipe),
            "proxy": describe(self.grid.proxy),
            "seeds": describe(cell.seeds),
            "test": self.dataset.test.fingerprint,
            "method": None if cell.method is None else describe(cell.method.definition),
            "reliability": [] if cell.method is None else self.reliability(cell.method, cell.seeds),
            "environment": made,
        }
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
            device=on,
            chosen=json.dumps({} if subset is None else dict(subset.chosen)),
            provenance=json.dumps(provenance),
        )

    def reliability(self, method: Selector, seeds: Seeds) -> list[Any]:
        """The reliability of the score that orders the examples, the number of its estimates and what they are; empty
        where there are not several.
        """
        if not method.scores:
            return []
        of = self.scores.get(method.scores[0], getattr(seeds, method.scores[0].seeded_by))
        count = of.estimates.shape[1]
        return [of.reliability, count, of.drawn] if count > 1 else []

    def subset(self, method: Selector, fraction: float, seeds: Seeds) -> tuple[Subset, float, float]:
        """The method's subset, and the seconds of its scores and of its selection; kept, and found again."""
        made = [self.scores.inputs(of) for of in method.scores]
        name = digest([method.definition, made, fraction, seeds, self.grid.identity])
        path = self.out / "subsets" / f"{name}.json"
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
            self.device,
            self.progress,
        )
        ordering = known[method.scores[0]] if method.scores else None
        subset = method.select(ordering, fraction, seeds.selection, bench)
        seconds = time.perf_counter() - start
        subset = replace(subset, provenance={**subset.provenance, "seconds": seconds})
        subset.save(path)
        return subset, spent, seconds
