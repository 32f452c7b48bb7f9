r"""The split-half reliability of a score within classes: how well its ranking would agree with one from new estimates.

The R estimates of each example are halved at random, and the examples ranked by the mean of either half. The Spearman
correlation r of the two rankings within each class, averaged over halvings and (by size) over classes, is the
reliability of R/2 estimates; the Spearman-Brown formula extends it to k times as many:

    rho_k = k r / (1 + (k - 1) r)

References:
    Correlation calculated from faulty data (Spearman, 1910), https://doi.org/10.1111/j.2044-8295.1910.tb00206.x
    Some experimental results in the correlation of mental abilities (Brown, 1910),
    https://doi.org/10.1111/j.2044-8295.1910.tb00207.x
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["estimates_for", "reliability", "verdict", "within_classes"]

HALVINGS = 10
"""The number of random halvings to average over."""


def reliability(estimates: np.ndarray, labels: np.ndarray) -> float:
    """The reliability of the mean of all estimates, at most 1; NaN for a single estimate, or if no class has three
    examples whose means differ.

    Arguments:
        estimates: Independent estimates, float32[n, R].
        labels: The class of each example, int64[n].
    """
    count = estimates.shape[1]
    if count < 2:
        return math.nan
    half, rng = count // 2, np.random.default_rng(0)
    correlations = []
    for _ in range(HALVINGS if count > 2 else 1):
        order = rng.permutation(count)
        first, second = estimates[:, order[:half]].mean(1), estimates[:, order[half : 2 * half]].mean(1)
        correlations.append(within_classes(first, second, labels))
    return _lengthened(float(np.mean(correlations)), count / half)


def estimates_for(target: float, reached: float, count: int) -> int | None:
    """The number of estimates that a reliability takes; None if no number suffices.

    Arguments:
        target: The reliability to reach, in (0, 1).
        reached: The reliability of `count` estimates.
        count: The number of estimates so far.
    """
    single = _lengthened(reached, 1 / count) if reached > 0 else 0.0
    if not 0 < single <= 1:
        return None
    return max(1, math.ceil(target * (1 - single) / (single * (1 - target)) - 1e-9))


def verdict(reached: float, count: int, unit: str = "estimates") -> str:
    """A reliability in words: whether it is too low to trust, and how many estimates would lift it to 0.8.

    Arguments:
        reached: The reliability.
        count: The number of estimates.
        unit: The word for estimates, in the plural.
    """
    if math.isnan(reached):
        return f"unknown (it takes two {unit} or more)" if count == 1 else "unknown"
    needed = estimates_for(0.8, reached, count)
    low = " - more noise than ranking" if reached < 0.5 else ""
    more = "" if reached >= 0.8 or needed is None else f"; about {needed} {unit} would reach 0.8"
    return f"{reached:.2f} within classes, of {count} {unit}{low}{more}"


def _lengthened(r: float, k: float) -> float:
    """The Spearman-Brown formula; correlations that are not positive stay unchanged."""
    return k * r / (1 + (k - 1) * r) if r > 0 else r


def within_classes(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> float:
    """The mean Spearman correlation within classes, weighted by their sizes; NaN if no class has three examples whose
    values differ.

    Arguments:
        first: One ranking, float[n].
        second: The other, float[n].
        labels: The class of each example, int64[n].
    """
    from scipy.stats import rankdata

    correlations, sizes = [], []
    for c in np.unique(labels):
        ranks = [rankdata(values[labels == c]) for values in (first, second)]
        if len(ranks[0]) > 2 and all(np.ptp(rank) > 0 for rank in ranks):
            correlations.append(np.corrcoef(*ranks)[0, 1])
            sizes.append(len(ranks[0]))
    return float(np.average(correlations, weights=sizes)) if sizes else math.nan
