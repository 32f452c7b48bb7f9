"""Runs by net, method and fraction: mean and standard deviation over seeds, paired differences against a baseline, and
costs.

The accuracy is the one after the last step; the best test accuracy during training, which looks at the test set, stands
beside it. A difference is paired by seed, with the interval of the t distribution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import sem, t

from ...methods.published import METHODS
from .words import listed

__all__ = ["check_one_net", "difference", "in_order", "paired_difference", "summary"]

NUMBER = re.compile(r"(\d+(?:\.\d+)?)")


def summary(runs: pd.DataFrame, baseline: str = "Random") -> pd.DataFrame:
    """One row for each net, method and fraction.

    Arguments:
        runs: Rows as in `Run`.
        baseline: The method that the others are compared with.

    Returns:
        The columns net, method, fraction, k, n (seeds), mean, std, best_mean, best_std (in percent; std with n - 1),
        start (the mean window start that was chosen), origin (the end of the ranking it is counted from), cutoff (the
        share that was dropped as too hard), score, select, train (mean seconds), difference, low, high (against the
        baseline, in points; 95 % interval).
    """
    bases = dict(list(runs[runs["method"] == baseline].groupby(["net", "fraction"])))
    rows = []
    for (net, method, fraction), cell in sorted(
        runs.groupby(["net", "method", "fraction"]), key=lambda group: _place(*group[0])
    ):
        chosen = [json.loads(text) for text in cell["chosen"]]
        rows.append(
            {
                "net": net,
                "method": method,
                "fraction": fraction,
                "k": int(cell["k"].iloc[0]),
                "n": len(cell),
                "mean": cell["acc_last"].mean(),
                "std": cell["acc_last"].std(),
                "best_mean": cell["acc_best"].mean(),
                "best_std": cell["acc_best"].std(),
                "start": np.mean([settings.get("start", np.nan) for settings in chosen]),
                "origin": listed(settings.get("origin", "") for settings in chosen),
                "cutoff": np.mean([settings.get("cutoff", np.nan) for settings in chosen]),
                "score": cell["seconds_score"].mean(),
                "select": cell["seconds_select"].mean(),
                "train": cell["seconds_train"].mean(),
                **paired_difference(cell, bases.get((net, fraction), runs[:0])),
            }
        )
    return pd.DataFrame(rows)


def in_order(methods: Iterable[str]) -> list[str]:
    """The methods sorted: published ones in their order, others by name (with numbers by value), Full last."""
    return sorted(methods, key=lambda method: _place("", method, 0))


def _place(net: str, method: str, fraction: float) -> tuple:
    published = [*METHODS]
    natural = [(float(part), "") if place % 2 else (0.0, part) for place, part in enumerate(NUMBER.split(method))]
    return net, method == "Full", published.index(method) if method in published else len(published), natural, fraction


def paired_difference(
    cell: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str, str] = ("difference", "low", "high")
) -> dict[str, float]:
    """The `difference` of runs from others with the same seeds, by name; NaN where no seed has both, or where they are
    the same runs.

    Arguments:
        cell: Rows as in `Run`, one a seed.
        other: The others, one a seed.
        names: The names of the mean and of the ends of its interval.
    """
    columns = ["seed", "acc_last", "key"]
    pairs = cell[columns].merge(other[columns], on="seed", suffixes=("", "_other"))
    if pairs.empty or {*pairs["key"]} == {*pairs["key_other"]}:
        return dict.fromkeys(names, np.nan)
    return dict(zip(names, difference(pairs["acc_last"], pairs["acc_last_other"]), strict=True))


def difference(ours: ArrayLike, theirs: ArrayLike) -> tuple[float, float, float]:
    """The mean paired difference and its 95 % interval by the t distribution with n - 1 degrees of freedom; NaN limits
    with a single pair.

    A percentile bootstrap, which is usual in the field, covers 75 % instead of 95 where there are three pairs.

    Arguments:
        ours: float[n], one value a seed.
        theirs: float[n], the same seeds in the same order.
    """
    gaps = np.asarray(ours, float) - np.asarray(theirs, float)
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return mean, np.nan, np.nan
    half = float(t.ppf(0.975, len(gaps) - 1) * sem(gaps))
    return mean, mean - half, mean + half


def check_one_net(runs: pd.DataFrame) -> None:
    """Raises ValueError unless the runs are all of one net."""
    if runs["net"].nunique() > 1:
        raise ValueError(
            f"the runs are of the nets {', '.join(sorted(set(runs['net'])))}: take those of one, "
            "runs[runs['net'] == ...]."
        )
