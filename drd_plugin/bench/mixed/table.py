"""Tables of static and dynamic selection: accuracy at equal budgets, what it cost, and the time to full-data accuracy.

Seconds are those of everything: scores with their proxies, features, autoencoder, selection and training, tests left
out. What several rows share counts in full in each.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..table import difference, fraction_name
from .row import STAGES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mixed_markdown", "mixed_summary", "seconds_to", "speed_up", "total_seconds"]

GROUP = ["net", "budget", "fraction", "method"]

ROUNDED = 1e-3
"""More than what rounding does to an accuracy of a curve."""


def total_seconds(rows: pd.DataFrame) -> pd.Series:
    """The seconds of all stages of each row."""
    return sum((rows[f"seconds_{stage}"] for stage in STAGES), start=0.0)


def seconds_to(row: pd.Series, accuracy: float) -> float:
    """The seconds from nothing to the first test at which a run had an accuracy; infinite where it never had.

    Arguments:
        row: As in `MixedRun`.
        accuracy: In percent.
    """
    before = sum(row[f"seconds_{stage}"] for stage in STAGES[:-1])
    reached = (before + seconds for seconds, _, tested in json.loads(row["curve"]) if tested >= accuracy - ROUNDED)
    return next(reached, np.inf)


def mixed_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each net, budget, fraction and method.

    Arguments:
        rows: As in `MixedRun`, of one axis.

    Returns:
        The columns of the group; n (seeds), mean, std (accuracy in percent, std with n - 1); difference, low, high
        (from the full training, in points, paired by seed, with a 95 % interval) and the same from RS2 with the same
        budget and fraction (`rs2`, `rs2_low`, `rs2_high`); examples (seen), share (the mean share of an epoch), the
        mean seconds of each stage and `total`; `faster` (the full training's seconds over these); `reached` (how many
        of the seeds had the full training's last accuracy at a test) and `time` (the full training's seconds over
        those to that test, the median over the seeds; NaN where half of them or fewer reached it); entropy, largest
        and range of the usage.
    """
    import pandas as pd

    rows = rows.assign(total=total_seconds(rows))
    full = rows[(rows["method"] == "Full") & (rows["budget"] == 1)].set_index(["net", "seed"])
    cells = [
        dict(zip(GROUP, key, strict=True)) | _cell(cell, rows, full) for key, cell in rows.groupby(GROUP, sort=False)
    ]
    return pd.DataFrame(cells)


def _cell(cell: pd.DataFrame, rows: pd.DataFrame, full: pd.DataFrame) -> dict[str, float]:
    first = cell.iloc[0]
    same = (rows["net"] == first["net"]) & (rows["budget"] == first["budget"])
    rs2 = rows[same & (rows["method"] == "RS2") & (rows["fraction"] == first["fraction"])]
    against = full.loc[[first["net"]]].reset_index()
    times = speed_up(cell, full)
    return {
        "n": len(cell),
        "mean": cell["acc_last"].mean(),
        "std": cell["acc_last"].std(),
        **dict(zip(("difference", "low", "high"), _paired(cell, against), strict=True)),
        **dict(zip(("rs2", "rs2_low", "rs2_high"), _paired(cell, rs2), strict=True)),
        "examples": cell["examples_seen"].mean(),
        "share": _epoch_size(cell) / _epoch_size(against),
        **{stage: cell[f"seconds_{stage}"].mean() for stage in STAGES},
        "sampler": cell["seconds_sampler"].mean(),
        "total": cell["total"].mean(),
        "faster": against["total"].mean() / cell["total"].mean(),
        "reached": int(np.isfinite(times).sum()),
        "time": float(np.median(times)) if np.isfinite(times).mean() > 0.5 else np.nan,
        "entropy": cell["usage_entropy"].mean(),
        "largest": cell["usage_largest"].mean(),
        "range": cell["usage_range"].mean(),
    }


def _epoch_size(rows: pd.DataFrame) -> float:
    return (rows["examples_seen"] / rows["epochs"]).mean()


def _paired(cell: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float, float]:
    pairs = cell.merge(other, on="seed", suffixes=("", "_other"))
    if pairs.empty or set(pairs["key"]) == set(pairs["key_other"]):
        return np.nan, np.nan, np.nan
    return difference(pairs["acc_last"].to_numpy(), pairs["acc_last_other"].to_numpy())


def speed_up(cell: pd.DataFrame, full: pd.DataFrame) -> np.ndarray:
    """How much sooner than the full training ended each run had its last accuracy, float64[n]; infinite seconds, where
    it never had, give -inf.

    Arguments:
        cell: Rows as in `MixedRun`.
        full: The full trainings by (net, seed), with their `total` seconds.
    """
    times = []
    for _, row in cell.iterrows():
        goal = full.loc[(row["net"], row["seed"])]
        seconds = seconds_to(row, goal["acc_last"])
        times.append(goal["total"] / seconds if np.isfinite(seconds) else -np.inf)
    return np.array(times)


def mixed_markdown(rows: pd.DataFrame) -> str:
    """All tables as markdown.

    Arguments:
        rows: As in `MixedRun`, of one axis.
    """
    long = mixed_summary(rows)
    parts = []
    for net, cells in long.groupby("net", sort=False):
        for budget, at in cells.groupby("budget", sort=False):
            parts.append(_title(str(net), float(budget), str(rows["axis"].iloc[0]), at))
            parts.append(_table(at).to_markdown(index=False, disable_numparse=True))
    return "\n\n".join([*parts, NOTES])


NOTES = (
    "Difference from Full: from the full training with the whole budget, in points, paired by seed, with the 95 % "
    "interval of the t distribution; difference from RS2: with the same budget and share of an epoch. Seconds: of "
    "scores with their proxies, features, autoencoder, selection, and training without tests. Faster: the full "
    "training's seconds over all of these. To full accuracy: its seconds over those to the first test with its last "
    "accuracy, the median over the seeds, and how many of them got there. Usage: entropy over log n, and how many more "
    "uses the most used example has than the least."
)


def _title(net: str, budget: float, axis: str, cells: pd.DataFrame) -> str:
    counted = {"samples": "examples seen", "steps": "steps", "wall": "seconds of everything"}[axis]
    seeds = sorted(set(cells["n"]))
    over = f"mean ± standard deviation over {' or '.join(map(str, seeds))} seeds" if seeds[-1] > 1 else "one seed"
    return f"{net}, {fraction_name(budget)} of the full training's {counted}; test accuracy in %, {over}:"


def _table(cells: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    order = cells.sort_values(["fraction", "mean"], ascending=[False, False], kind="stable")
    return pd.DataFrame(
        {
            "an epoch": [_epoch(cell.fraction) for cell in order.itertuples()],
            "method": order["method"],
            "accuracy": [_spread(cell.mean, cell.std) for cell in order.itertuples()],
            "difference from Full": [_gap(cell.difference, cell.low, cell.high) for cell in order.itertuples()],
            "from RS2": [_gap(cell.rs2, cell.rs2_low, cell.rs2_high) for cell in order.itertuples()],
            "examples seen": [f"{cell.examples:,.0f}" for cell in order.itertuples()],
            "seconds": [_seconds(cell) for cell in order.itertuples()],
            "faster": [f"{cell.faster:.2f} ×" for cell in order.itertuples()],
            "to full accuracy": [_time(cell) for cell in order.itertuples()],
            "usage": [f"{cell.entropy:.3f}, {cell.range:.0f}" for cell in order.itertuples()],
        }
    )


def _epoch(fraction: float) -> str:
    return fraction_name(fraction) if fraction else "its own"


def _spread(mean: float, std: float) -> str:
    return f"{mean:.1f}" if np.isnan(std) else f"{mean:.1f} ± {std:.1f}"


def _gap(value: float, low: float, high: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:+.1f}" if np.isnan(low) else f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def _seconds(cell: Any) -> str:
    """The stages that took any time."""
    stages = [(stage, getattr(cell, stage)) for stage in STAGES]
    return " + ".join(f"{seconds:.1f} {stage}" for stage, seconds in stages if seconds >= 0.05)


def _time(cell: Any) -> str:
    reached = f"{cell.reached} of {cell.n}"
    return reached if np.isnan(cell.time) else f"{cell.time:.2f} × ({reached})"
