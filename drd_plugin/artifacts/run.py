"""`Run`: one row of a benchmark's results."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STAGES", "Run"]

STAGES = ("score", "features", "autoencoder", "select", "train")
"""The stages whose seconds a row counts, in order."""


@dataclass(frozen=True)
class Run:
    """One row of a benchmark: one network, trained on one subset, or on a subset that changes every epoch.

    Fields with a default were not written by all studies of the first edition; their rows are read with it.

    Arguments:
        key: The digest of everything that determines the row; a grid skips keys it already has.
        method: The method's name in tables; "Full" for the whole training set.
        fraction: The share of the training set that was kept, in (0, 1], each epoch for a dynamic method; 0 for a
            dynamic method that determines it itself.
        dataset: The data set's name.
        fingerprint: The training set's fingerprint.
        net: The trained network's name.
        seed: The grid's seed; the single seeds are in `provenance`.
        acc_last: Test accuracy after the last step, in percent.
        acc_best: The best test accuracy seen during training, in percent (optimistic: it looks at the test set).
        steps: The optimiser steps taken.
        examples_seen: Examples presented, repetitions counted.
        seconds_score: Wall seconds of the scores that the method reads, with the proxies that they watch, shared
            between rows that share them.
        seconds_select: Wall seconds of a static selection, trainings inside it included.
        seconds_train: Wall seconds of this training, tests left out (included in comparisons of the first edition).
        device: The device of the training.
        provenance: Score, strategy, recipe, seeds, versions and commit, as JSON text.
        k: The number of examples kept; for a dynamic method those of an average epoch.
        step_best: The step of `acc_best`.
        chosen: What the strategy chose (a window's start, say), as JSON text.
        budget: The budget, as a share of what the full training takes.
        axis: The budget's unit: `samples`, `steps` or `wall`; "" if the recipe determines the length.
        epochs: The epochs, each counted as 1 whatever its size, with the share of the last; NaN if unknown.
        seconds_features: Wall seconds of the features that the method reads, with the proxy that gives them.
        seconds_autoencoder: Wall seconds of the autoencoder, its codes and their statistics.
        seconds_sampler: Wall seconds that the sampler took, all of which are in `seconds_train` too.
        usage_entropy: The entropy of the examples' usage over log n, in [0, 1]; 1 where all were used alike. An epoch
            that the budget cut short counts whole. NaN where no sampler counted.
        usage_largest: The largest share of all uses that one example has, times n; NaN likewise.
        usage_range: How many more uses the most used example has than the least used.
        curve: The tests: seconds of training (tests left out), examples seen and accuracy of each, as JSON text.
        trajectory: For each epoch its progress, number of examples, usage entropy and what its method notes beside, as
            JSON text.
    """

    key: str
    method: str
    fraction: float
    dataset: str
    fingerprint: str
    net: str
    seed: int
    acc_last: float
    acc_best: float
    steps: int
    examples_seen: int
    seconds_score: float
    seconds_select: float
    seconds_train: float
    device: str
    provenance: str
    k: int = 0
    step_best: int = 0
    chosen: str = "{}"
    budget: float = 1.0
    axis: str = ""
    epochs: float = float("nan")
    seconds_features: float = 0.0
    seconds_autoencoder: float = 0.0
    seconds_sampler: float = 0.0
    usage_entropy: float = float("nan")
    usage_largest: float = float("nan")
    usage_range: int = 0
    curve: str = "[]"
    trajectory: str = "[]"
