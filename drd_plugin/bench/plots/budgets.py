"""Pictures of static and dynamic selection under budgets."""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..tables.budgets import total_seconds
from .axes import draw_means, finish, line_styles, new_axis

__all__ = ["plot_budgets", "plot_time", "plot_trajectory", "plot_uses"]

FAR = 6
"""How many points below the full training's accuracy a picture goes."""

QUANTITIES = {"level": ("λ", ":"), "rarity": ("mean rarity", "-"), "entropy": ("entropy of the usage", "--")}
"""The quantities in a picture of a curriculum: their names, and the dashes of their lines."""


def plot_budgets(rows: pd.DataFrame, fraction: float, ax: Axes | None = None) -> Axes:
    """Accuracy after the training against the seconds of everything before and in it; a line for each method, a point
    for each budget, with bars of one standard deviation.

    Arguments:
        rows: Rows as in `Run`, of one net and axis.
        fraction: The share of an epoch; methods that determine it themselves and the full training are drawn too.
        ax: Where to draw; a new figure by default.
    """
    ax, rows = ax or new_axis(), rows.assign(total=total_seconds(rows))
    cells = rows[rows["fraction"].isin([0, 1, fraction])]
    for method, style in _styles(cells["method"]).items():
        by_budget = cells[cells["method"] == method].groupby("budget")
        draw_means(ax, by_budget["total"].mean(), by_budget["acc_last"].agg(["mean", "std"]), method, **style)
    lowest = cells.groupby(["method", "budget"])["acc_last"].mean().min()
    return _finish(ax, rows, fraction, "test accuracy (%), mean ± std", lowest)


def plot_time(rows: pd.DataFrame, fraction: float, ax: Axes | None = None) -> Axes:
    """Accuracy during the training with the largest budget against the seconds of everything so far, the mean over the
    seeds; each line begins where its training does.

    Arguments:
        rows: Rows as in `Run`, of one net and axis.
        fraction: The share of an epoch; methods that determine it themselves and the full training are drawn too.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    cells = rows[rows["fraction"].isin([0, 1, fraction]) & (rows["budget"] == rows["budget"].max())]
    for method, style in _styles(cells["method"]).items():
        cell = cells[cells["method"] == method]
        before = (total_seconds(cell) - cell["seconds_train"]).mean()
        curves = [np.array(json.loads(text)) for text in cell["curve"]]
        points = np.mean([curve[: min(map(len, curves))] for curve in curves], axis=0)
        ax.plot(before + points[:, 0], points[:, 2], label=method, **style)
    return _finish(ax, rows, fraction, "test accuracy (%), mean", 0)


def plot_trajectory(rows: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What a `FactorCurriculum` does over a training: λ, the mean rarity of an epoch's examples (a rank in [0, 1]), and
    the entropy of the usage so far over log n; of the first seed, with the largest budget.

    Arguments:
        rows: Rows as in `Run`, of one net and axis.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    cells = rows[(rows["budget"] == rows["budget"].max()) & (rows["seed"] == rows["seed"].min())]
    diaries = {
        f"{cell.method}, {100 * cell.fraction:g} %": diary
        for cell in cells.sort_values("fraction").itertuples()
        if "level" in (diary := json.loads(cell.trajectory))[0]
    }
    for place, diary in enumerate(diaries.values()):
        for key, (_, dashes) in QUANTITIES.items():
            ax.plot([e["progress"] for e in diary], [e[key] for e in diary], color=f"C{place}", ls=dashes, lw=1.2)
    ax.set(xlabel="share of the training", ylim=(0, 1.02))
    lines = [Line2D([], [], color=f"C{place}", label=name) for place, name in enumerate(diaries)]
    lines += [Line2D([], [], color="grey", ls=ls, label=name) for name, ls in QUANTITIES.values()]
    return finish(ax, handles=lines)


def plot_uses(uses: np.ndarray, ax: Axes | None = None) -> Axes:
    """A histogram of how often the examples were used.

    Arguments:
        uses: The uses of each example, as a `DynamicSampler` counts them, int64[n].
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    ax.hist(uses, bins=[count - 0.5 for count in range(int(uses.max()) + 2)])
    ax.set(xlabel="uses of an example", ylabel="examples")
    return ax


def _styles(methods: pd.Series) -> dict[str, dict[str, Any]]:
    """The line style of each method: the full training in the colour of text, the others as in every picture."""
    names = [*dict.fromkeys(methods)]
    full = {"Full": {"color": mpl.rcParams["text.color"], "ls": "-", "lw": 2}} if "Full" in names else {}
    return full | line_styles([name for name in names if name != "Full"])


def _finish(ax: Axes, rows: pd.DataFrame, fraction: float, ylabel: str, lowest: float) -> Axes:
    """The axis with its labels, a logarithmic scale of seconds (methods differ by factors), a grid and a legend; with a
    line at the full training's accuracy, not far below which the picture ends, if there is one.
    """
    full = rows.loc[(rows["method"] == "Full") & (rows["budget"] == 1), "acc_last"].mean()
    if np.isfinite(full):
        ax.axhline(full, color="grey", lw=0.8)
        ax.set_ylim(max(full - FAR, lowest - 0.5), rows["acc_best"].max() + 0.5)
    ylabel += f", n = {rows['seed'].nunique()}"
    ax.set(xscale="log", xlabel="seconds of everything, tests left out", ylabel=ylabel)
    ax.set_title(f"{100 * fraction:g} % an epoch")
    ax.xaxis.set_major_formatter("{x:g}")
    return finish(ax)
