"""Pictures of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tables.summary import check_one_net, summary
from ..tables.words import RANKED
from .axes import line_of, new_axis

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

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
    check_one_net(runs)
    ax, long = ax or new_axis(), _with_own_shares(summary(runs))
    fractions = [f for f in runs["fraction"].unique() if 0 < f < 1]
    methods = [m for m in dict.fromkeys(long["method"]) if m != "Full"]
    for place, (method, style) in enumerate(line_of(methods).items()):
        cells = long[long["method"] == method].sort_values("fraction")
        x = 100 * cells["fraction"] * (1.1 if len(fractions) > 1 else 1.05) ** (place / len(methods) - 0.5)
        ax.errorbar(x, cells["mean"], cells["std"].fillna(0), label=method, marker="o", ms=4, capsize=2, **style)
    _full(long, ax)
    ticks = sorted(100 * f for f in fractions) or [100]
    ax.set(xscale="log", xlabel="examples kept (%)", ylabel=f"test accuracy (%){_spread(long)}")
    shares = [*ticks, *(100 * long.loc[long["fraction"] < 1, "fraction"])]
    ax.set_xlim(min(shares) / 1.15, max(shares) * 1.15)
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    if len(random := long.loc[long["method"] == "Random", "mean"]) and long["mean"].min() < random.min() - FAR:
        ax.set_ylim(random.min() - FAR)
    ax.grid(alpha=0.3)
    _legend(ax)
    return ax


def plot_cost(runs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy against the seconds that a method takes from nothing to a trained network (scores, selection, training);
    a line for each method, its points for the fractions.

    Arguments:
        runs: Rows as in `Run`, of one net.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: If the runs are of several nets.
    """
    check_one_net(runs)
    ax, long = ax or new_axis(), _with_own_shares(summary(runs))
    long = long.assign(seconds=long["score"] + long["select"] + long["train"])
    for method, style in line_of([m for m in dict.fromkeys(long["method"]) if m != "Full"]).items():
        cells = long[long["method"] == method].sort_values("fraction")
        ax.errorbar(
            cells["seconds"], cells["mean"], cells["std"].fillna(0), label=method, marker="o", ms=4, capsize=2, **style
        )
        for cell in cells.itertuples():
            ax.annotate(
                f"{100 * cell.fraction:g}", (cell.seconds, cell.mean), (3, 3), textcoords="offset points", fontsize=6
            )
    _full(long, ax)
    ax.set(
        xscale="log",
        xlabel="seconds for scores, selection and one training; the numbers are the % kept",
        ylabel=f"test accuracy (%){_spread(long)}",
    )
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.tick_params(which="minor", labelsize="x-small")
    ax.grid(alpha=0.3)
    _legend(ax)
    return ax


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
        label = f"{score}, {100 * fraction:g} %" if several else f"{100 * fraction:g} %"
        ax.errorbar(100 * line["start"], line["mean"], line["std"].fillna(0), label=label, marker="o", ms=4, capsize=2)
    ax.set(
        xlabel=f"start of the window (% of {RANKED[runs['ranking'].iloc[0]]}, from the easiest end)",
        ylabel=f"test accuracy (%){_spread(cells.rename(columns={'count': 'n'}))}",
    )
    ax.grid(alpha=0.3)
    ax.legend(title="kept")
    return ax


def _with_own_shares(long: pd.DataFrame) -> pd.DataFrame:
    """With the shares that dynamic methods decided themselves; without these where there is no full training."""
    n = long.loc[long["method"] == "Full", "k"].max()
    shares = long["fraction"].where(long["fraction"] > 0, (long["k"] / n).round(3))
    return long.assign(fraction=shares)[shares.notna()]


def _full(long: pd.DataFrame, ax: Axes) -> None:
    full = long[long["method"] == "Full"]
    if len(full):
        ax.axhline(full["mean"].iloc[0], color="grey", ls="--", lw=1, label="Full data")


def _spread(long: pd.DataFrame) -> str:
    seeds = sorted(set(long["n"]))
    return f", mean ± std, n = {' or '.join(map(str, seeds))}" if seeds[-1] > 1 else ", one seed"


def _legend(ax: Axes) -> None:
    """Beside the picture, so that it covers nothing."""
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
