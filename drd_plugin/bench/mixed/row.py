"""`MixedRun`: one row of a comparison of static and dynamic selection."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STAGES", "MixedRun"]

STAGES = ("score", "features", "autoencoder", "select", "train")
"""What a row's seconds are made of, in order."""


@dataclass(frozen=True)
class MixedRun:
    """One network, trained with a budget on a subset that may change every epoch.

    Arguments:
        key: The digest of everything that decides the row.
        method: The method's name; "Full" for the whole training set.
        fraction: The share of an epoch that was asked for; 0 for a method that decides itself, 1 for "Full".
        budget: The budget, as a share of what the full training takes.
        axis: What the budget is counted in: `samples`, `steps` or `wall`.
        dataset: The data set's name.
        fingerprint: The training set's fingerprint.
        net: The network's name.
        seed: The grid's seed; the single seeds are in `provenance`.
        acc_last: Test accuracy after the last step, in percent.
        acc_best: The best test accuracy during training, in percent (optimistic: it looks at the test set).
        steps: Optimiser steps.
        epochs: Epochs, of the size that they have.
        examples_seen: Examples presented, repetitions counted.
        seconds_score: Wall seconds of the scores that the method reads, with the proxies that they watch.
        seconds_features: Wall seconds of the features that it reads, with the proxy that gives them.
        seconds_autoencoder: Wall seconds of the autoencoder, its codes and their statistics.
        seconds_select: Wall seconds of a static selection.
        seconds_sampler: Wall seconds that the sampler took, all of which are in `seconds_train` too.
        seconds_train: Wall seconds of the training, tests left out.
        usage_entropy: The entropy of the examples' usage over log n, in [0, 1]; 1 where all were used alike. An epoch
            that the budget cut short counts whole.
        usage_largest: The largest share of all uses that one example has, times n.
        usage_range: How many more uses the most used example has than the least used.
        curve: The tests: seconds of training (tests left out), examples seen and accuracy of each, as JSON text.
        trajectory: For each epoch its progress, number of examples, usage entropy and, for a `FactorCurriculum`, λ and
            the mean rarity of its examples, as JSON text.
        device: Where it ran.
        provenance: Method, plan, recipe, seeds, versions and commit, as JSON text.
    """

    key: str
    method: str
    fraction: float
    budget: float
    axis: str
    dataset: str
    fingerprint: str
    net: str
    seed: int
    acc_last: float
    acc_best: float
    steps: int
    epochs: float
    examples_seen: int
    seconds_score: float
    seconds_features: float
    seconds_autoencoder: float
    seconds_select: float
    seconds_sampler: float
    seconds_train: float
    usage_entropy: float
    usage_largest: float
    usage_range: int
    curve: str
    trajectory: str
    device: str
    provenance: str
