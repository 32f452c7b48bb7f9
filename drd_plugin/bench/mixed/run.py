"""`run_mixed()`: static and dynamic selection, each with the same budget."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ...dynamic import Dynamic, Examples, Fixed, RandomDynamic
from ...dynamic.workshop import CachedWorkshop
from ...provenance import describe
from ...rng import Seeds
from ...training.checkpoint import Checkpoint
from ...training.loop import train
from ..bench import Bench, begin, open_bench
from ..grid import Grid
from ..lab import Lab
from ..store import RunStore
from .cells import Budget, Cell, cells_of
from .row import MixedRun
from .watched import WatchedSampler, usage_entropy

__all__ = ["CELL", "run_mixed"]

CHECKPOINTS = "checkpoints"
"""The folder of the trainings in progress."""

CELL = ("net", "axis", "budget", "fraction", "method", "seed")


def run_mixed(lab: Lab, grid: Grid, budgets: list[Budget], slope: float = 0.0, full_last: float = 0.0) -> RunStore:
    """Runs what is missing.

    Arguments:
        lab: Where; a killed comparison goes on where it stopped, also in the middle of a training.
        grid: The methods, static and dynamic; `fractions` are the shares of an epoch.
        budgets: Each method gets each of them; of one axis.
        slope: How the share of an epoch rises in dynamic methods that do not decide it themselves; see `Plan`.
        full_last: The last share of the training in which these see all examples; see `Plan`.

    Raises:
        ArtifactError: If the folder holds the rows of another grid or axis.
    """
    bench = begin(grid, lab, mixed=True)
    store = RunStore(lab.out, bench.identity(study="mixed", axis=budgets[0].axis), MixedRun, CELL)
    done = set(store.frame()["key"])
    missing = [cell for cell in cells_of(bench, budgets, slope, full_last) if cell.key not in done]
    obstacles = {cell.name: bench.obstacle(cell.static or cell.dynamic) for cell in missing}
    store.leave_out(obstacles)
    missing = [cell for cell in missing if not obstacles[cell.name]]
    with store.filling():
        _prepare(bench, missing)
        for cells in _batches(missing):
            work = partial(_run, grid, lab, _full_seconds(store))
            for cell, (row, why_not) in lab.each(work, cells, "run", len(done)):
                store.leave_out({str(cell): why_not})
                if row is not None:
                    store.append(row)
    shutil.rmtree(lab.out / CHECKPOINTS, ignore_errors=True)
    return store


def _batches(cells: list[Cell]) -> list[list[Cell]]:
    """All at once; where a budget is what the full training took, that training first."""
    if all(cell.budget.axis != "wall" for cell in cells):
        return [cells]
    return [[cell for cell in cells if cell.full], [cell for cell in cells if not cell.full]]


def _prepare(bench: Bench, cells: Iterable[Cell]) -> None:
    """What several rows need, once: scores by all workers, the rest one after the other, as a worker would."""
    bench.score_all([(cell.static or cell.dynamic, cell.seeds) for cell in cells])
    for dynamic, seeds in dict.fromkeys((cell.dynamic, cell.seeds) for cell in cells):
        if dynamic is not None:
            with bench.lab.as_a_worker():
                bench.warm(bench.grid.proxy)
                dynamic.prepare(_workshop(bench, seeds))


def _workshop(bench: Bench, seeds: Seeds) -> CachedWorkshop:
    return CachedWorkshop(bench.scores, seeds, bench.grid.scores)


def _full_seconds(store: RunStore) -> dict[tuple[str, int], float]:
    """What the full training took, by net and seed."""
    rows = store.frame()
    full = rows[(rows["method"] == "Full") & (rows["budget"] == 1)]
    return {(row.net, row.seed): row.seconds_train for row in full.itertuples()}


@dataclass(frozen=True, eq=False)
class _Start:
    """What is there before a training.

    Arguments:
        dynamic: The method.
        examples: What it knows.
        seconds: What that took, by stage.
        made: More that is worth to be known of it.
    """

    dynamic: Dynamic
    examples: Examples
    seconds: Mapping[str, float] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)


def _run(
    grid: Grid, lab: Lab, full_seconds: Mapping[tuple[str, int], float], cell: Cell
) -> tuple[MixedRun | None, str]:
    """The row of a cell; none, and why not, where its budget does not reach."""
    bench = open_bench(grid, lab)
    split = bench.dataset.train
    bench.warm(cell.recipe)
    start = _start(bench, cell)
    spent = sum(start.seconds.values())
    try:
        goal = cell.budget.goal(cell.recipe, len(split), full_seconds.get((cell.recipe.net, cell.seed)), spent)
    except ValueError as reason:
        return None, str(reason)
    sampler = WatchedSampler(start.dynamic, start.examples, cell.plan, seed=cell.seeds.selection)
    reached = lab.out / CHECKPOINTS / f"{cell.key}.safetensors"
    trained = train(
        split,
        cell.recipe,
        seed_init=cell.seeds.init,
        seed_order=cell.seeds.order,
        sampler=sampler,
        goal=goal,
        test=bench.dataset.test,
        checkpoint=Checkpoint(reached, cell.key),
        device=lab.device,
    )
    reached.unlink(missing_ok=True)
    made = bench.provenance(cell.static, cell.seeds, cell.recipe) | {"plan": describe(cell.plan)}
    if cell.dynamic is not None:
        made |= {"method": describe([cell.dynamic]), "prepared": describe(start.made)}
    curve = [[round(point.seconds, 3), point.examples_seen, round(point.accuracy, 4)] for point in trained.curve]
    return MixedRun(
        key=cell.key,
        method=cell.name,
        fraction=cell.fraction,
        budget=cell.budget.share,
        axis=cell.budget.axis,
        dataset=split.name,
        fingerprint=split.fingerprint,
        net=cell.recipe.net,
        seed=cell.seed,
        acc_last=trained.acc_last,
        acc_best=trained.acc_best,
        steps=trained.steps,
        epochs=trained.epochs,
        examples_seen=trained.examples_seen,
        **{f"seconds_{stage}": start.seconds.get(stage, 0.0) for stage in ("score", "features", "autoencoder")},
        seconds_select=start.seconds.get("select", 0.0),
        seconds_sampler=sampler.seconds,
        seconds_train=trained.curve[-1].seconds,
        usage_entropy=usage_entropy(sampler.uses),
        usage_largest=float(sampler.uses.max() / sampler.uses.sum() * len(split)),
        usage_range=int(np.ptp(sampler.uses)),
        curve=json.dumps(curve),
        trajectory=json.dumps(sampler.trajectory),
        device=made["environment"]["device"],
        provenance=json.dumps(made),
    ), ""


def _start(bench: Bench, cell: Cell) -> _Start:
    split = bench.dataset.train
    known = Examples(split.labels, split.num_classes, split.fingerprint)
    if cell.static is not None:
        subset, score, select = bench.subset(cell.static, cell.fraction, cell.seeds)
        return _Start(Fixed(subset), known, {"score": score, "select": select})
    if cell.dynamic is None:
        return _Start(RandomDynamic(), known)
    prepared = cell.dynamic.prepare(_workshop(bench, cell.seeds))
    return _Start(cell.dynamic, replace(known, values=prepared.values), prepared.seconds, prepared.made)
