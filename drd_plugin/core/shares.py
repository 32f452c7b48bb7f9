"""Shares: how many examples a fraction keeps, and whole numbers in proportion."""

from __future__ import annotations

import math

import numpy as np

from .registry import check_fraction

__all__ = ["budget_of", "largest_remainders"]


def budget_of(fraction: float, n: int) -> int:
    """The number of examples that a fraction keeps: fraction * n, rounded to the nearest, halves up.

    Raises:
        ValueError: If the fraction is not in (0, 1], or keeps no example.
    """
    check_fraction(fraction)
    k = math.floor(fraction * n + 0.5)
    if k == 0:
        raise ValueError(f"the fraction {fraction} of {n} examples keeps none: take at least {0.5 / n:.2g}.")
    return k


def largest_remainders(exact: np.ndarray, k: int) -> np.ndarray:
    """Numbers float64[C] with sum k, rounded to int64[C] with the same sum, by largest remainders."""
    rounded = np.floor(exact + 1e-9).astype(np.int64)
    first = np.argsort(rounded - exact, kind="stable")[: k - rounded.sum()]
    rounded[first] += 1
    return rounded
