"""How numbers are written in tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = [
    "RANKED",
    "epoch_name",
    "fraction_name",
    "gap",
    "listed",
    "mean_and_std",
    "over_seeds",
    "paired",
    "part_names",
    "spread",
]

RANKED = {"class": "each class", "global": "the whole ranking"}
"""What a share of a ranking is a share of, by the kind of ranking."""


def fraction_name(fraction: float) -> str:
    """A share as a table has it: `10 %`."""
    return f"{100 * fraction:g} %"


def epoch_name(fraction: float) -> str:
    """The share of an epoch; 0 where a dynamic method decides it itself."""
    return fraction_name(fraction) if fraction else "its own"


def part_names(parts: int) -> list[str]:
    """What the equal parts of a ranking are called: `0-20 %`, `20-40 %`, ..."""
    return [f"{100 * i / parts:.0f}-{100 * (i + 1) / parts:.0f} %" for i in range(parts)]


def mean_and_std(values: Iterable[float], digits: int = 1) -> str:
    """`mean ± std`, with n - 1; the value alone where there is one."""
    known = np.array([*values], float)
    return spread(known.mean(), known.std(ddof=1) if len(known) > 1 else np.nan, digits)


def spread(mean: float, std: float, digits: int = 1) -> str:
    """`mean ± std`; the mean alone where there is no deviation, NaN."""
    return f"{mean:.{digits}f}" if np.isnan(std) else f"{mean:.{digits}f} ± {std:.{digits}f}"


def over_seeds(counts: Iterable[int]) -> str:
    """What the numbers of a table are, by how many seeds its cells have: `mean ± standard deviation over 3 seeds`, or
    `one seed`.
    """
    known = sorted({int(count) for count in counts})
    return f"mean ± standard deviation over {listed(known)} seeds" if known[-1] > 1 else "one seed"


def paired(baseline: str, counts: Iterable[int]) -> str:
    """What differences from a baseline are, by how many seeds the cells have: a single seed has no interval."""
    interval = ", with the 95 % interval of the t distribution" if max(counts) > 1 else ""
    return f"Difference from {baseline} in points, paired by seed{interval}"


def gap(difference: float, low: float, high: float) -> str:
    """`+1.2 [+0.9, +1.5]`; without an interval where there is none, and empty where there is no difference."""
    if np.isnan(difference):
        return ""
    return f"{difference:+.1f}" if np.isnan(low) else f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]"


def listed(things: Iterable[object]) -> str:
    """Things that differ, joined by "or"; empty ones are left out."""
    return " or ".join(text for text in dict.fromkeys(map(str, things)) if text)
