"""`run_grid()`: scores, subsets and trainings of a grid, each done once, each kept as it finishes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from ..artifacts import Run
from ..methods import Selector
from ..provenance import digest
from ..rng import Seeds
from ..training.loop import train
from ..training.recipe import Recipe
from .bench import Bench, begin, open_bench
from .grid import Grid
from .lab import Lab
from .store import RunStore

__all__ = ["run_grid", "run_in"]


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
        ValueError: If the device is unknown, or a network takes images and the data set holds texts.
    """
    return run_in(Lab(Path(out), scores, device, workers, progress), grid)


def run_in(lab: Lab, grid: Grid) -> RunStore:
    """Runs what is missing of a grid in a lab; see `run_grid`."""
    bench = begin(grid, lab)
    store = RunStore(lab.out, bench.identity())
    done = set(store.frame()["key"])
    missing = [cell for cell in _cells(bench) if cell.key not in done]
    left_out = {cell.method_name: bench.obstacle(cell.method) for cell in _one_each(missing)}
    store.leave_out(left_out)
    cells = [cell for cell in missing if not left_out[cell.method_name]]
    if done and lab.progress:
        tqdm.write(f"{len(done)} runs found in {lab.out}, {len(cells)} to do")
    alike = itertools.groupby(cells, lambda cell: (cell.method_name, cell.fraction, cell.seed))
    with store.filling():
        bench.score_all([(cell.method, cell.seeds) for cell in cells])
        for _, runs in lab.each(partial(_run, grid, lab), [_Cells(tuple(group)) for _, group in alike], "run"):
            for run in runs:
                store.append(run)
    return store


def _run(grid: Grid, lab: Lab, cells: _Cells) -> list[Run]:
    bench = open_bench(grid, lab)
    return [_trained(bench, cell) for cell in cells.alike]


def _one_each(cells: Iterable[_Cell]) -> Iterable[_Cell]:
    """One cell of each method."""
    return {cell.method_name: cell for cell in cells}.values()


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


def _cells(bench: Bench) -> Iterator[_Cell]:
    """All runs, seed by seed, so that a stopped grid has whole seeds."""
    for seed in bench.grid.seeds:
        for net in bench.grid.trained_nets:
            yield _cell(bench, None, 1.0, seed, net)
        for method in bench.grid.parsed:
            for fraction in bench.grid.fractions:
                for net in bench.grid.trained_nets:
                    yield _cell(bench, method, fraction, seed, net)


def _cell(bench: Bench, method: Selector | None, fraction: float, seed: int, net: str) -> _Cell:
    seeds, recipe = bench.grid.seeds_of(seed), replace(bench.grid.recipe, net=net)
    identity = [
        bench.grid.identity,
        bench.dataset.train.fingerprint,
        bench.dataset.test.fingerprint,
        None if method is None else [method.name, *method.definition],
        [] if method is None else [bench.scores.inputs(of) for of in method.scores],
        fraction,
        seeds,
        recipe,
    ]
    return _Cell(method, fraction, seed, seeds, recipe, digest(identity))


def _trained(bench: Bench, cell: _Cell) -> Run:
    """Selects, trains and tests."""
    bench.warm(cell.recipe)
    split, made = bench.dataset, bench.provenance(cell.method, cell.seeds, cell.recipe)
    subset, seconds_score, seconds_select = None, 0.0, 0.0
    if cell.method is not None:
        subset, seconds_score, seconds_select = bench.subset(cell.method, cell.fraction, cell.seeds)
    trained = train(
        split.train,
        cell.recipe,
        seed_init=cell.seeds.init,
        seed_order=cell.seeds.order,
        subset=subset,
        test=split.test,
        device=bench.lab.device,
    )
    return Run(
        key=cell.key,
        method=cell.method_name,
        fraction=cell.fraction,
        k=len(split.train) if subset is None else len(subset),
        dataset=split.train.name,
        fingerprint=split.train.fingerprint,
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
