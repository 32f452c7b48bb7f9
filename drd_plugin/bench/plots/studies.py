"""Pictures of the studies that are not a table of accuracies."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm

from ..tables.words import part_names
from .axes import draw_means, finish, line_styles, new_axis

__all__ = ["plot_cross", "plot_detection", "plot_stability", "plot_strata"]


def plot_cross(rows: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The matrix of the cross evaluation: accuracy on each part (columns) of networks trained on each (rows).

    Arguments:
        rows: Rows as in `CrossRun`, of one method and one ranking.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis(6, 4.5)
    parts = int(rows["parts"].iloc[0])
    mean = rows.groupby(["trained_on", "tested_on"])["accuracy"].mean().unstack("tested_on").to_numpy()
    off = np.where(np.eye(parts, parts + 1, dtype=bool), np.nan, mean)
    ax.imshow(mean, cmap="viridis", vmin=np.nanmin(off), vmax=np.nanmax(off), aspect="auto")
    middle = (np.nanmin(off) + np.nanmax(off)) / 2
    for (row, column), value in np.ndenumerate(mean):
        ax.text(column, row, f"{value:.1f}", ha="center", va="center", color="black" if value > middle else "white")
    names = part_names(parts)
    ax.set_xticks(range(parts + 1), [*names, "test set"])
    ax.set_yticks(range(parts), names)
    ax.axvline(parts - 0.5, color="white", lw=3)
    ax.set(
        xlabel="tested on: part of the ranking, from the easiest on",
        ylabel="trained on",
        title=f"accuracy (%), n = {rows['seed'].nunique()}",
    )
    return ax


def plot_strata(places: pd.DataFrame, method: str, ax: Axes | None = None) -> Axes:
    """Where the strata of a score lie in feature space, by t-SNE (Figure 2 of the DRD paper).

    Arguments:
        places: The columns x and y, and the stratum of each example by each method.
        method: The method's name.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis(5, 4.5)
    strata = int(places[method].max()) + 1
    dots = ax.scatter(
        places["x"], places["y"], c=places[method], s=8, cmap="viridis", norm=BoundaryNorm(np.arange(strata + 1), 256),
        edgecolors="grey", linewidths=0.3,
    )  # fmt: skip
    bar = ax.figure.colorbar(dots, ax=ax, ticks=np.arange(strata) + 0.5)
    bar.ax.set_yticklabels(part_names(strata))
    ax.set(title=f"{method}: strata from easy to hard", xticks=[], yticks=[])
    return ax


def plot_detection(rows: pd.DataFrame, kind: str, ax: Axes | None = None) -> Axes:
    """How well each score finds what was planted, against the share that was.

    Arguments:
        rows: Rows as in `Detection`.
        kind: `wrong_labels` or `corrupted`.
        ax: Where to draw; a new figure by default.
    """
    ax, rows = ax or new_axis(), rows[rows["kind"] == kind]
    for method, style in line_styles([*dict.fromkeys(rows["method"])]).items():
        cells = rows[rows["method"] == method].groupby("share")["auroc"].agg(["mean", "std"])
        draw_means(ax, 100 * cells.index.to_numpy(), cells, method, **style)
    ax.axhline(0.5, color="grey", ls="--", lw=1, label="chance")
    ax.set(
        xlabel=f"planted {kind.replace('_', ' ')} (%)",
        ylabel=f"area under the ROC curve, n = {rows['seed'].nunique()}",
        xticks=[100 * share for share in sorted(set(rows["share"]))],
    )
    return finish(ax)


def plot_stability(rows: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """The rank correlation of each score with itself, a bar for each source of chance, with one standard deviation.

    Arguments:
        rows: Rows as in `Stable`.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    methods = [*dict.fromkeys(rows["method"])]
    kinds = [kind for kind in ("seeds", "proxies", "draws") if kind in set(rows["chance"])]
    for place, kind in enumerate(kinds):
        cells = rows[rows["chance"] == kind].groupby("method")["correlation"].agg(["mean", "std"]).reindex(methods)
        x = np.arange(len(methods)) + (place - (len(kinds) - 1) / 2) * 0.8 / len(kinds)
        bars = {"yerr": cells["std"].fillna(0), "ecolor": "grey", "capsize": 2}
        ax.bar(x, cells["mean"], 0.8 / len(kinds), label=f"other {kind}", **bars)
    ax.set_xticks(range(len(methods)), methods, rotation=30, ha="right")
    ax.set(ylabel="rank correlation within classes")
    ax.grid(alpha=0.3, axis="y")
    ax.legend()
    return ax
