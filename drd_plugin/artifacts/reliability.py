r"""How much of a score's ranking is its own: the split-half reliability within classes.

Half of an example's R estimates rank it once, the other half again; the Spearman correlation r of the two rankings
within each class, averaged over random halvings and (by size) over classes, says how two scores of R/2 estimates agree,
and the Spearman-Brown formula says it for k times as many:

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
"""Random halvings that are averaged."""


def reliability(estimates: np.ndarray, labels: np.ndarray) -> float:
    """The reliability of the mean of an example's estimates, at most 1; NaN for a single estimate, or where no class
    has three examples whose means differ.

    Arguments:
        estimates: Independent estimates, float32[n, R].
        labels: The class of each example, int64[n].
    """
    count = estimates.shape[1]
    if count < 2:
        return math.nan
    half, rng = count // 2, np.random.default_rng(0)
    agreed = []
    for _ in range(HALVINGS if count > 2 else 1):
        order = rng.permutation(count)
        first, second = estimates[:, order[:half]].mean(1), estimates[:, order[half : 2 * half]].mean(1)
        agreed.append(within_classes(first, second, labels))
    return _lengthened(float(np.mean(agreed)), count / half)


def estimates_for(target: float, reached: float, count: int) -> int | None:
    """How many estimates lift a score to a reliability; None where no number would.

    Arguments:
        target: The reliability that is wanted, in (0, 1).
        reached: The reliability of `count` estimates.
        count: The number of estimates it was reached with.
    """
    single = _lengthened(reached, 1 / count) if reached > 0 else 0.0
    if not 0 < single <= 1:
        return None
    return max(1, math.ceil(target * (1 - single) / (single * (1 - target)) - 1e-9))


def verdict(reached: float, count: int, drawn: str = "estimates") -> str:
    """A reliability in words: whether it is too low to trust, and how many estimates would lift it to 0.8.

    Arguments:
        reached: The reliability.
        count: The number of estimates.
        drawn: What an estimate is, in the plural.
    """
    if math.isnan(reached):
        return f"unknown (it takes two {drawn} or more)" if count == 1 else "unknown"
    needed = estimates_for(0.8, reached, count)
    low = " - more noise than ranking" if reached < 0.5 else ""
    more = "" if reached >= 0.8 or needed is None else f"; about {needed} {drawn} would reach 0.8"
    return f"{reached:.2f} within classes, of {count} {drawn}{low}{more}"


def _lengthened(r: float, k: float) -> float:
    """Spearman and Brown's formula; correlations that are not positive stay as they are."""
    return k * r / (1 + (k - 1) * r) if r > 0 else r


def within_classes(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> float:
    """The mean Spearman correlation within classes, weighted by their sizes; NaN where no class has three examples
    whose values differ.

    Arguments:
        first: One ranking, float[n].
        second: The other, float[n].
        labels: The class of each example, int64[n].
    """
    from scipy.stats import rankdata

    correlations, sizes = [], []
    for c in np.unique(labels):
        ranks = [rankdata(values[labels == c]) for values in (first, second)]
        if len(ranks[0]) > 2 and all(np.ptp(of) > 0 for of in ranks):
            correlations.append(np.corrcoef(*ranks)[0, 1])
            sizes.append(len(ranks[0]))
    return float(np.average(correlations, weights=sizes)) if sizes else math.nan
