"""Pictures of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ..tables.summary import check_one_net, summary
from ..tables.words import RANKED
from .axes import draw_means, finish, line_styles, new_axis

__all__ = ["plot_accuracy", "plot_cost", "plot_windows"]

FAR = 15
"""How many points below the lowest mean of Random a picture of accuracies goes."""


def plot_accuracy(runs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy against the fraction kept, a line for each method, with bars of one standard deviation; the full data as
    a dashed line. What lies far below Random is out of the picture.

    Arguments:
        runs: Rows as in `Run`, of one net.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: If the runs are of several nets.
    """
    long = _summary(runs)
    ax, lines = ax or new_axis(), [*_lines(long)]
    fractions = [f for f in runs["fraction"].unique() if 0 < f < 1]
    for place, (method, cells, style) in enumerate(lines):
        beside = (1.1 if len(fractions) > 1 else 1.05) ** (place / len(lines) - 0.5)
        draw_means(ax, 100 * cells["fraction"] * beside, cells, method, **style)
    _draw_full(ax, long)
    ticks = sorted(100 * f for f in fractions) or [100]
    ax.set(xscale="log", xlabel="examples kept (%)", ylabel=f"test accuracy (%){_spread(long['n'])}")
    shares = [*ticks, *(100 * long.loc[long["fraction"] < 1, "fraction"])]
    ax.set_xlim(min(shares) / 1.15, max(shares) * 1.15)
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    if len(random := long.loc[long["method"] == "Random", "mean"]) and long["mean"].min() < random.min() - FAR:
        ax.set_ylim(random.min() - FAR)
    return finish(ax)


def plot_cost(runs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy against the seconds that a method takes from nothing to a trained network (scores, selection, training);
    a line for each method, its points for the fractions.

    Arguments:
        runs: Rows as in `Run`, of one net.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: If the runs are of several nets.
    """
    long = _summary(runs)
    ax, long = ax or new_axis(), long.assign(seconds=long["score"] + long["select"] + long["train"])
    for method, cells, style in _lines(long):
        draw_means(ax, cells["seconds"], cells, method, **style)
        for cell in cells.itertuples():
            place = cell.seconds, cell.mean
            ax.annotate(f"{100 * cell.fraction:g}", place, (3, 3), textcoords="offset points", fontsize=6)
    _draw_full(ax, long)
    ax.set(
        xscale="log",
        xlabel="seconds for scores, selection and one training; the numbers are the % kept",
        ylabel=f"test accuracy (%){_spread(long['n'])}",
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.tick_params(which="minor", labelsize="x-small")
    return finish(ax)


def plot_windows(runs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy against the start of the window on the ranking, a line for each fraction, with bars of one standard
    deviation (Figure 6 of the DRD paper).

    Arguments:
        runs: Rows as `drd_plugin.bench.studies.windows.window_runs` gives them, of one net and one kind of ranking.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    cells = runs.groupby(["score", "fraction", "start"])["acc_last"].agg(["mean", "std", "count"]).reset_index()
    several = cells["score"].nunique() > 1
    for (score, fraction), line in cells.groupby(["score", "fraction"]):
        draw_means(ax, 100 * line["start"], line, f"{score}, " * several + f"{100 * fraction:g} %")
    ax.set(
        xlabel=f"start of the window (% of {RANKED[runs['ranking'].iloc[0]]}, from the easiest end)",
        ylabel=f"test accuracy (%){_spread(cells['count'])}",
    )
    ax.grid(alpha=0.3)
    ax.legend(title="kept")
    return ax


def _summary(runs: pd.DataFrame) -> pd.DataFrame:
    """The `summary` of runs of one net, with the shares that dynamic methods determined themselves as their fractions;
    without these where there is no full training.
    """
    check_one_net(runs)
    long = summary(runs)
    n = long.loc[long["method"] == "Full", "k"].max()
    shares = long["fraction"].where(long["fraction"] > 0, (long["k"] / n).round(3))
    return long.assign(fraction=shares)[shares.notna()]


def _lines(long: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """The name, the cells by fraction and the style of each method but the full training."""
    for method, style in line_styles([name for name in dict.fromkeys(long["method"]) if name != "Full"]).items():
        yield method, long[long["method"] == method].sort_values("fraction"), style


def _draw_full(ax: Axes, long: pd.DataFrame) -> None:
    full = long[long["method"] == "Full"]
    if len(full):
        ax.axhline(full["mean"].iloc[0], color="grey", ls="--", lw=1, label="Full data")


def _spread(counts: Iterable[int]) -> str:
    """The end of a label: whether there are bars, and how many seeds the means have."""
    seeds = sorted(set(counts))
    return f", mean ± std, n = {' or '.join(map(str, seeds))}" if seeds[-1] > 1 else ", one seed"
