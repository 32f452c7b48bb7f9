"""Tables of static and dynamic selection: accuracy at equal budgets, its cost, and the time to full-data accuracy.

Seconds are those of everything: scores with their proxies, features, autoencoder, selection and training, tests left
out. What several rows share counts in full in each.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from ...artifacts.run import STAGES
from .summary import difference, paired_difference
from .words import epoch_name, fraction_name, gap, over_seeds, spread

__all__ = ["budget_markdown", "budget_summary", "lower_end", "seconds_to", "speed_up", "total_seconds"]

GROUP = ["net", "budget", "fraction", "method"]

ROUNDED = 1e-3
"""A bound on the rounding of an accuracy in a curve."""


def total_seconds(rows: pd.DataFrame) -> pd.Series:
    """The seconds of all stages of each row."""
    return sum((rows[f"seconds_{stage}"] for stage in STAGES), start=0.0)


def seconds_to(row: pd.Series, accuracy: float) -> float:
    """The seconds from nothing to a run's first test with an accuracy; infinite where no test has it.

    Arguments:
        row: As in `Run`.
        accuracy: In percent.
    """
    before = sum(row[f"seconds_{stage}"] for stage in STAGES[:-1])
    reached = (before + seconds for seconds, _, tested in json.loads(row["curve"]) if tested >= accuracy - ROUNDED)
    return next(reached, np.inf)


def budget_summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each net, budget, fraction and method.

    Arguments:
        rows: As in `Run`, of one axis.

    Returns:
        The columns of the group; n (seeds), mean, std (accuracy in percent, std with n - 1); difference, low, high
        (from the full training, in points, paired by seed, with a 95 % interval), the same from the full training with
        the same budget (`same`, `same_low`, `same_high`), and from RS2 with the same budget and fraction (`rs2`,
        `rs2_low`, `rs2_high`; with RS2's largest fraction for a method that determines its own); examples (seen), share
        (the mean share of an epoch), the mean seconds of each stage and `total`; `faster` (the full training's seconds
        over these); `reached` (how many of the seeds had the full training's last accuracy at a test) and `time` (the
        seconds to the full training's first such test over those to theirs, the median over the seeds; NaN where half
        of them or fewer reached it), and `near_reached` and `near_time` for the lower end of the 95 % interval of the
        full training's mean accuracy; entropy, largest and range of the usage.
    """
    rows = rows.assign(total=total_seconds(rows))
    full = rows[(rows["method"] == "Full") & (rows["budget"] == 1)].set_index(["net", "seed"])
    full["near"] = [lower_end(full.loc[[net], "acc_last"].to_numpy()) for net, _ in full.index]
    cells = [
        dict(zip(GROUP, key, strict=True)) | _cell(cell, rows, full) for key, cell in rows.groupby(GROUP, sort=False)
    ]
    return pd.DataFrame(cells)


def _cell(cell: pd.DataFrame, rows: pd.DataFrame, full: pd.DataFrame) -> dict[str, float]:
    first = cell.iloc[0]
    same = (rows["net"] == first["net"]) & (rows["budget"] == first["budget"])
    rs2, same_budget = rows[same & (rows["method"] == "RS2")], rows[same & (rows["method"] == "Full")]
    rs2 = rs2[rs2["fraction"] == (first["fraction"] or rs2["fraction"].max())]
    against = full.reset_index()
    against = against[against["net"] == first["net"]]
    times, near = speed_up(cell, full, "acc_last"), speed_up(cell, full, "near")
    return {
        "n": len(cell),
        "mean": cell["acc_last"].mean(),
        "std": cell["acc_last"].std(),
        **paired_difference(cell, against),
        **paired_difference(cell, same_budget, ("same", "same_low", "same_high")),
        **paired_difference(cell, rs2, ("rs2", "rs2_low", "rs2_high")),
        "examples": cell["examples_seen"].mean(),
        "share": _epoch_size(cell) / _epoch_size(against),
        **{stage: cell[f"seconds_{stage}"].mean() for stage in STAGES},
        "sampler": cell["seconds_sampler"].mean(),
        "total": cell["total"].mean(),
        "faster": against["total"].mean() / cell["total"].mean(),
        "reached": int((times > 0).sum()),
        "time": _median(times),
        "near_reached": int((near > 0).sum()),
        "near_time": _median(near),
        "entropy": cell["usage_entropy"].mean(),
        "largest": cell["usage_largest"].mean(),
        "range": cell["usage_range"].mean(),
    }


def _median(times: np.ndarray) -> float:
    """The median, where more than half of the runs reached the accuracy; else NaN."""
    return float(np.median(times)) if len(times) and (times > 0).mean() > 0.5 else np.nan


def _epoch_size(rows: pd.DataFrame) -> float:
    return (rows["examples_seen"] / rows["epochs"]).mean()


def lower_end(accuracies: np.ndarray) -> float:
    """The lower end of the 95 % interval of the mean; of a single value, the value itself."""
    mean, low, _ = difference(accuracies, np.zeros(len(accuracies)))
    return mean if np.isnan(low) else low


def speed_up(cell: pd.DataFrame, full: pd.DataFrame, goal: str) -> np.ndarray:
    """The seconds of the full training to an accuracy at a test over those of each run, float64[n]; 0 where a run never
    has it.

    Arguments:
        cell: Rows as in `Run`; those whose full training is not finished are passed over.
        full: The full trainings, by (net, seed).
        goal: The column of `full` with the accuracy; where that is above the full training's last one, the last counts.
    """
    times = []
    for _, row in cell.iterrows():
        if (row["net"], row["seed"]) in full.index:
            reference = full.loc[(row["net"], row["seed"])]
            accuracy = min(reference[goal], reference["acc_last"])
            times.append(seconds_to(reference, accuracy) / seconds_to(row, accuracy))
    return np.array(times)


def budget_markdown(rows: pd.DataFrame, long: pd.DataFrame | None = None) -> str:
    """All tables as markdown.

    Arguments:
        rows: As in `Run`, of one axis.
        long: Their `budget_summary`; computed by default.
    """
    long = budget_summary(rows) if long is None else long
    parts = []
    for net, cells in long.groupby("net", sort=False):
        for budget, part in cells.groupby("budget", sort=False):
            parts.append(_title(str(net), float(budget), str(rows["axis"].iloc[0]), part))
            parts.append(_table(part).to_markdown(index=False, disable_numparse=True))
    threads = sorted({json.loads(text)["environment"]["threads"] for text in rows["provenance"]})
    warning = f" The seconds do not compare: some runs had {threads[0]} threads, some {threads[-1]}."
    return "\n\n".join([*parts, NOTES + (warning if len(threads) > 1 else "")])


NOTES = (
    "From Full: from the full training with the whole budget, in points, paired by seed, with the 95 % interval of the "
    "t distribution; at this budget: from the full training that sees as much; from RS2: with the same budget and "
    "share of an epoch (with the largest, where a method decides its share). Seconds: of scores with their proxies, "
    "features, autoencoder, selection, and training without tests, each with as many threads as a training has. "
    "Faster: the full training's seconds over all of these. To full accuracy: how many times sooner than the full "
    "training a run had its last accuracy at a test, the median over the seeds, and how many of them had it; nearly: "
    "the same for the lower end of the interval of the full training's mean. Usage: entropy over log n, and how many "
    "more uses the most used example has than the least."
)


def _title(net: str, budget: float, axis: str, cells: pd.DataFrame) -> str:
    counted = {"samples": "examples seen", "steps": "steps", "wall": "seconds of everything"}[axis]
    over = over_seeds(cells["n"])
    return f"{net}, {fraction_name(budget)} of the full training's {counted}; test accuracy in %, {over}:"


def _table(cells: pd.DataFrame) -> pd.DataFrame:
    order = cells.sort_values(["fraction", "mean"], ascending=[False, False], kind="stable")
    rows = [
        {
            "an epoch": epoch_name(cell.fraction),
            "method": cell.method,
            "accuracy": spread(cell.mean, cell.std),
            "from Full": gap(cell.difference, cell.low, cell.high),
            "at this budget": gap(cell.same, cell.same_low, cell.same_high),
            "from RS2": gap(cell.rs2, cell.rs2_low, cell.rs2_high),
            "examples seen": f"{cell.examples:,.0f}",
            "seconds": _seconds(cell),
            "faster": "" if np.isnan(cell.faster) else f"{cell.faster:.2f} ×",
            "to full accuracy": _time(cell.time, cell.reached, cell.n),
            "nearly": _time(cell.near_time, cell.near_reached, cell.n),
            "usage": f"{cell.entropy:.3f}, {cell.range:.0f}",
        }
        for cell in order.itertuples()
    ]
    table = pd.DataFrame(rows)
    compared = table["at this budget"].any() and cells["budget"].iloc[0] != 1
    return table if compared else table.drop(columns="at this budget")


def _seconds(cell: Any) -> str:
    """The seconds of the stages that took any."""
    stages = [(stage, getattr(cell, stage)) for stage in STAGES]
    return " + ".join(f"{seconds:.1f} {stage}" for stage, seconds in stages if seconds >= 0.05)


def _time(times: float, reached: int, n: int) -> str:
    seeds = f"{reached} of {n}"
    return seeds if np.isnan(times) else f"{times:.2f} × ({seeds})"
