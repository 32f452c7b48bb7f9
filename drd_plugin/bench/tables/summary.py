"""Runs by net, method and fraction: mean and standard deviation over seeds, paired differences against a baseline, and
costs.

The accuracy is the one after the last step; the best test accuracy seen during training, which looks at the test set,
stands beside it. A difference is paired by seed, with the interval of the t distribution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ...methods.published import METHODS
from .words import listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_one_net", "difference", "in_order", "summary"]

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
    import pandas as pd

    bases = {
        key: dict(zip(cells["seed"], cells["acc_last"], strict=True))
        for key, cells in runs[runs["method"] == baseline].groupby(["net", "fraction"])
    }
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
                "start": np.mean([of.get("start", np.nan) for of in chosen]),
                "origin": listed(of.get("origin", "") for of in chosen),
                "cutoff": np.mean([of.get("cutoff", np.nan) for of in chosen]),
                "score": cell["seconds_score"].mean(),
                "select": cell["seconds_select"].mean(),
                "train": cell["seconds_train"].mean(),
                **_against(cell, {} if method == baseline else bases.get((net, fraction), {})),
            }
        )
    return pd.DataFrame(rows)


def in_order(methods: Iterable[str]) -> list[str]:
    """Published methods in their order, other pairs after them by name, in which numbers count as such; the full data
    last.
    """
    return sorted(methods, key=lambda method: _place("", method, 0))


def _place(net: str, method: str, fraction: float) -> tuple:
    known = [*METHODS]
    natural = [(float(part), "") if place % 2 else (0.0, part) for place, part in enumerate(NUMBER.split(method))]
    return net, method == "Full", known.index(method) if method in known else len(known), natural, fraction


def _against(cell: pd.DataFrame, base: Mapping[int, float]) -> dict[str, float]:
    """The difference of a cell from the accuracies of the baseline, by seed."""
    seeds = zip(cell["seed"], cell["acc_last"], strict=True)
    pairs = [(accuracy, base[seed]) for seed, accuracy in seeds if seed in base]
    values = difference(*np.array(pairs).T) if pairs else (np.nan, np.nan, np.nan)
    return dict(zip(("difference", "low", "high"), values, strict=True))


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """The mean paired difference and its 95 % interval by the t distribution with n - 1 degrees of freedom; NaN limits
    with a single pair.

    A percentile bootstrap, which is usual here, covers 75 % instead of 95 where there are three pairs.

    Arguments:
        ours: float[n], one value a seed.
        theirs: float[n], the same seeds in the same order.
    """
    from scipy.stats import sem, t

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
