"""`Run`: one row of a benchmark's results."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """One row of a benchmark: one network trained on one subset.

    Arguments:
        key: The digest of everything that decides the row; a grid skips keys it already has.
        method: The method's name in tables; "Full" for the whole training set.
        fraction: The share of the training set that was kept, in (0, 1].
        k: The number of examples kept.
        dataset: The data set's name.
        fingerprint: The training set's fingerprint.
        net: The trained network's name.
        seed: The grid's seed; the single seeds are in `provenance`.
        acc_last: Test accuracy after the last step, in percent.
        acc_best: The best test accuracy seen during training, in percent (optimistic: it looks at the test set).
        step_best: The step of `acc_best`.
        steps: The optimiser steps taken.
        examples_seen: Examples presented, repetitions counted.
        seconds_score: Wall seconds that this method's scores took, shared between rows that share them.
        seconds_select: Wall seconds of the selection, trainings inside it included.
        seconds_train: Wall seconds of this training, tests included.
        device: Where it ran.
        chosen: What the strategy settled on, as JSON text.
        provenance: Score, strategy, recipe, seeds, versions and commit, as JSON text.
    """

    key: str
    method: str
    fraction: float
    k: int
    dataset: str
    fingerprint: str
    net: str
    seed: int
    acc_last: float
    acc_best: float
    step_best: int
    steps: int
    examples_seen: int
    seconds_score: float
    seconds_select: float
    seconds_train: float
    device: str
    chosen: str
    provenance: str
