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
"""The set of examples that is ranked, by the kind of ranking."""


def fraction_name(fraction: float) -> str:
    """A share as it stands in a table: `10 %`."""
    return f"{100 * fraction:g} %"


def epoch_name(fraction: float) -> str:
    """The share of an epoch as it stands in a table; "its own" for 0, where a dynamic method determines it itself."""
    return fraction_name(fraction) if fraction else "its own"


def part_names(parts: int) -> list[str]:
    """The names of the equal parts of a ranking: `0-20 %`, `20-40 %`, ..."""
    return [f"{100 * i / parts:.0f}-{100 * (i + 1) / parts:.0f} %" for i in range(parts)]


def mean_and_std(values: Iterable[float], digits: int = 1) -> str:
    """`mean ± std`, with n - 1; the value alone where there is one."""
    numbers = np.array([*values], float)
    return spread(numbers.mean(), numbers.std(ddof=1) if len(numbers) > 1 else np.nan, digits)


def spread(mean: float, std: float, digits: int = 1) -> str:
    """`mean ± std`; the mean alone where the deviation is NaN."""
    return f"{mean:.{digits}f}" if np.isnan(std) else f"{mean:.{digits}f} ± {std:.{digits}f}"


def over_seeds(counts: Iterable[int]) -> str:
    """A description of a table's numbers by the seeds in its cells: `mean ± standard deviation over 3 seeds`, or
    `one seed`.
    """
    seeds = sorted({int(count) for count in counts})
    return f"mean ± standard deviation over {listed(seeds)} seeds" if seeds[-1] > 1 else "one seed"


def paired(baseline: str, counts: Iterable[int]) -> str:
    """A title for differences from a baseline; it names an interval where cells have several seeds."""
    interval = ", with the 95 % interval of the t distribution" if max(counts) > 1 else ""
    return f"Difference from {baseline} in points, paired by seed{interval}"


def gap(difference: float, low: float, high: float) -> str:
    """`+1.2 [+0.9, +1.5]`; without an interval where there is none, and empty where there is no difference."""
    if np.isnan(difference):
        return ""
    return f"{difference:+.1f}" if np.isnan(low) else f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]"


def listed(things: Iterable[object]) -> str:
    """The distinct texts of things, joined by "or"; empty ones are left out."""
    return " or ".join(text for text in dict.fromkeys(map(str, things)) if text)
