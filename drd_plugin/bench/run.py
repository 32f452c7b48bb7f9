"""`run_grid()`: the scores, subsets and trainings of a grid, each computed once and stored as it finishes."""

from __future__ import annotations

import itertools
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import Run, Subset
from ..core.provenance import describe
from ..dynamic import Examples, Fixed, RandomDynamic
from ..methods.budgets import check_budget
from ..training.checkpoint import Checkpoint
from ..training.loop import train
from ..training.progress import Trained
from ..training.recipe import Goal
from .cells import Cell, CellsOfOneSubset, Terms, cells_of
from .grid import Grid
from .session import Session, find_session, start_session
from .store import RunStore
from .watch import WatchedSampler
from .workers import Workers

__all__ = ["run_grid"]

CHECKPOINTS = "checkpoints"
"""The folder of the trainings in progress."""

log = logging.getLogger(__name__)

Seconds = Mapping[tuple[str, int], float]
"""The seconds of the full training, by net and seed."""


def run_grid(grid: Grid, workers: Workers, terms: Terms = Terms(), **study: Any) -> RunStore:
    """Runs what is missing of a grid, and returns the store of its rows. A killed grid goes on where it stopped, in the
    middle of a training with a budget too. A method that cannot run, or not with one of the fractions, is left out; the
    store's `left_out` says why.

    Arguments:
        grid: The methods, static and dynamic, fractions, seeds, data set and recipes.
        workers: The folders, the device and the processes.
        terms: The terms on which methods are compared.
        study: The study's own part of the folder's identity.

    Raises:
        ArtifactError: If the folder holds another grid's runs, cannot be written, or is filled by another process.
        ValueError: If a network takes images and the data set holds texts, or a fraction keeps no example.
    """
    session = start_session(grid, workers)
    cells = [*cells_of(session, terms)]
    store = RunStore(workers.out, session.identity(**study))
    finished = set(store.frame()["key"])
    missing = [cell for cell in cells if cell.key not in finished]
    reasons = _reasons(session, missing)
    cells, missing = (
        [cell for cell in part if not reasons.get(cell.name) and not reasons.get(cell.selection)]
        for part in (cells, missing)
    )
    groups_before = len(_by_subset(cells)) - len(_by_subset(missing))
    if finished:
        log.info("%d runs found in %s, %d to do", len(finished), workers.out, len(missing))
    with store.filling():
        store.leave_out(reasons)
        _prepare_shared(session, missing)
        for turn in _in_turn(missing):
            do = partial(_run_cells, grid, workers, _full_seconds(store))
            for group, rows in workers.each(do, _by_subset(turn), "run", groups_before):
                for cell, row in zip(group.cells, rows, strict=True):
                    if isinstance(row, Run):
                        store.append(row)
                    store.leave_out({str(cell): "" if isinstance(row, Run) else row})
                    _checkpoint_of(cell, workers).unlink(missing_ok=True)  # only now is its row safe
    shutil.rmtree(workers.out / CHECKPOINTS, ignore_errors=True)
    return store


def _reasons(session: Session, cells: Sequence[Cell]) -> dict[str, str]:
    """Why methods cannot run, and why methods with one of the fractions cannot; empty texts for those that can."""
    methods = {cell.name: cell.method for cell in cells}
    reasons = {name: session.why_not(method) for name, method in methods.items()}
    for selection, cell in {cell.selection: cell for cell in cells if cell.static is not None}.items():
        try:
            check_budget(getattr(cell.static, "strategy", None), session.dataset.train.labels, cell.fraction)
            reasons[selection] = ""
        except ValueError as reason:
            log.warning("%s is left out: %s", selection, reason)
            reasons[selection] = str(reason)
    return reasons


def _by_subset(cells: Sequence[Cell]) -> list[CellsOfOneSubset]:
    groups = itertools.groupby(cells, lambda cell: (cell.name, cell.plan, cell.budget, cell.seed))
    return [CellsOfOneSubset(tuple(group)) for _, group in groups]


def _in_turn(cells: list[Cell]) -> list[list[Cell]]:
    """The cells in groups to run one after the other: where budgets are in seconds, the full training comes first."""
    if all(cell.budget is None or cell.budget.axis != "wall" for cell in cells):
        return [cells]
    return [[cell for cell in cells if cell.is_reference], [cell for cell in cells if not cell.is_reference]]


def _prepare_shared(session: Session, cells: Sequence[Cell]) -> None:
    """Computes what several rows need: scores by all workers, the rest one after the other, as a worker would."""
    session.compute_scores([(cell.method, cell.seeds) for cell in cells])
    for dynamic, seeds in dict.fromkeys((cell.dynamic, cell.seeds) for cell in cells):
        if dynamic is not None:
            with session.workers.as_a_worker():
                session.warm_up(session.grid.proxy)
                dynamic.prepare(session.workbench(seeds))


def _full_seconds(store: RunStore) -> Seconds:
    rows = store.frame()
    full = rows[(rows["method"] == "Full") & (rows["budget"] == 1)]
    return {(row.net, row.seed): row.seconds_train for row in full.itertuples()}


def _run_cells(grid: Grid, workers: Workers, full_seconds: Seconds, group: CellsOfOneSubset) -> list[Run | str]:
    session = find_session(grid, workers)
    return [_run(session, cell, full_seconds) for cell in group.cells]


@dataclass(frozen=True, eq=False)
class _Preparation:
    """The preparation of a training.

    Arguments:
        subset: The subset of a static method; None for a dynamic one and the full training.
        values: The values that a dynamic method prepared.
        seconds: The seconds of the preparation, by stage.
        prepared: Facts of the factors that a dynamic method uses, ready for JSON.
    """

    subset: Subset | None = None
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    prepared: Mapping[str, Any] = field(default_factory=dict)


def _run(session: Session, cell: Cell, full_seconds: Seconds) -> Run | str:
    """The row of a cell, or why its budget is too small."""
    session.warm_up(cell.recipe)
    provenance = session.provenance(cell.static, cell.seeds, cell.recipe)
    preparation = _prepare_cell(session, cell)
    goal, n = None, len(session.dataset.train)
    if cell.budget is not None:
        full, spent = full_seconds.get((cell.recipe.net, cell.seed)), sum(preparation.seconds.values())
        try:
            goal = cell.budget.goal(cell.recipe, n, full, spent)
        except ValueError as reason:
            return str(reason)
    sampler = None if cell.budget is None and cell.dynamic is None else _sampler(session, cell, preparation)
    trained = _train(session, cell, preparation, sampler, goal)
    if sampler is not None:
        provenance["plan"] = describe(cell.plan)
    if cell.dynamic is not None:
        provenance |= {"method": describe([cell.dynamic]), "prepared": describe(preparation.prepared)}
    return _row(session, cell, preparation, sampler, trained, provenance)


def _prepare_cell(session: Session, cell: Cell) -> _Preparation:
    if cell.static is not None:
        subset, score, select = session.subset(cell.static, cell.fraction, cell.seeds)
        return _Preparation(subset, seconds={"score": score, "select": select})
    if cell.dynamic is None:
        return _Preparation()
    workbench = session.workbench(cell.seeds)
    values = cell.dynamic.prepare(workbench)
    return _Preparation(None, values, workbench.seconds, workbench.requests.get("factors", {}))


def _sampler(session: Session, cell: Cell, preparation: _Preparation) -> WatchedSampler:
    split, method = session.dataset.train, cell.dynamic
    if method is None:
        method = RandomDynamic() if preparation.subset is None else Fixed(preparation.subset)
    examples = Examples(split.labels, split.num_classes, split.fingerprint, preparation.values)
    return WatchedSampler(method, examples, cell.plan, seed=cell.seeds.selection)


def _train(
    session: Session, cell: Cell, preparation: _Preparation, sampler: WatchedSampler | None, goal: Goal | None
) -> Trained:
    """Trains the cell's network; a training with a budget writes checkpoints, from which it goes on when killed."""
    path = _checkpoint_of(cell, session.workers)
    return train(
        session.dataset.train,
        cell.recipe,
        seed_init=cell.seeds.init,
        seed_order=cell.seeds.order,
        subset=preparation.subset if sampler is None else None,
        sampler=sampler,
        goal=goal,
        test=session.dataset.test,
        checkpoint=None if goal is None else Checkpoint(path, cell.key),
        device=session.workers.device,
    )


def _checkpoint_of(cell: Cell, workers: Workers) -> Path:
    return Path(workers.out) / CHECKPOINTS / f"{cell.key}.safetensors"


def _row(
    session: Session,
    cell: Cell,
    preparation: _Preparation,
    sampler: WatchedSampler | None,
    trained: Trained,
    provenance: Mapping[str, Any],
) -> Run:
    split, budget = session.dataset.train, cell.budget
    k = len(split) if preparation.subset is None else len(preparation.subset)
    curve = [[round(point.seconds, 3), point.examples_seen, round(point.accuracy, 4)] for point in trained.curve]
    return Run(
        key=cell.key,
        method=cell.name,
        fraction=cell.fraction,
        k=k if cell.dynamic is None else round(trained.examples_seen / trained.epochs),
        budget=1.0 if budget is None else budget.share,
        axis="" if budget is None else budget.axis,
        dataset=split.name,
        fingerprint=split.fingerprint,
        net=cell.recipe.net,
        seed=cell.seed,
        acc_last=trained.acc_last,
        acc_best=trained.acc_best,
        step_best=trained.step_best,
        steps=trained.steps,
        epochs=trained.epochs,
        examples_seen=trained.examples_seen,
        seconds_score=preparation.seconds.get("score", 0.0),
        seconds_features=preparation.seconds.get("features", 0.0),
        seconds_autoencoder=preparation.seconds.get("autoencoder", 0.0),
        seconds_select=preparation.seconds.get("select", 0.0),
        seconds_train=trained.curve[-1].seconds,
        curve=json.dumps(curve),
        chosen=json.dumps({} if preparation.subset is None else dict(preparation.subset.chosen)),
        device=provenance["environment"]["device"],
        provenance=json.dumps(provenance),
        **({} if sampler is None else sampler.run_fields),
    )
