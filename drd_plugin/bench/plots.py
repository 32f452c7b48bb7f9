"""Pictures of runs. Each function draws on an axis and returns it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .table import check_one_net, summary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ..diffusion.timestep import TimestepChoice

__all__ = ["plot_accuracy", "plot_timesteps", "save"]


def plot_accuracy(runs: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Accuracy against the fraction kept, a line for each method, with bars of one standard deviation; the full data as
    a dashed line.

    Arguments:
        runs: Rows as in `Run`, of one net.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: If the runs are of several nets.
    """
    check_one_net(runs)
    ax = ax or _axes()
    long = summary(runs)
    fractions = [f for f in long["fraction"].unique() if f < 1]
    methods = [m for m in dict.fromkeys(long["method"]) if m != "Full"]
    for place, method in enumerate(methods):
        cells = long[long["method"] == method].sort_values("fraction")
        x = 100 * cells["fraction"] * (1.17 if len(fractions) > 1 else 1.05) ** (place / len(methods) - 0.5)
        style = (
            {"color": "black", "ls": ":", "lw": 2}
            if method == "Random"
            else {"lw": 2.5 if method.startswith("DRD") else 1.2, "ls": ("-", "--", "-.")[place // 10 % 3]}
        )
        ax.errorbar(x, cells["mean"], cells["std"].fillna(0), label=method, marker="o", ms=4, capsize=2, **style)
    full = long[long["method"] == "Full"]
    if len(full):
        ax.axhline(full["mean"].iloc[0], color="grey", ls="--", lw=1, label="Full data")
    ticks = sorted(100 * f for f in fractions)
    seeds = " or ".join(map(str, sorted(set(long["n"]))))
    ax.set(xscale="log", xlabel="examples kept (%)", ylabel=f"test accuracy (%), mean ± std, n = {seeds}")
    ticks = ticks or [100]
    ax.set_xlim(ticks[0] / 1.3, ticks[-1] * 1.3)
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    if len(methods) > 10:
        ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    else:
        ax.legend(ncols=2, fontsize="small")
    return ax


def plot_timesteps(choice: TimestepChoice, classes: tuple[str, ...], ax: Axes | None = None) -> Axes:
    """The criterion at each candidate step, a line for each class, with a dot at the chosen one.

    Arguments:
        choice: What `InformationBottleneck.choose` returned.
        classes: The class names; the first 20 are drawn.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or _axes()
    for c, name in enumerate(classes[:20]):
        known = np.isfinite(choice.slope[c])
        [line] = ax.plot(choice.window[known], choice.slope[c, known], lw=1.2, label=name)
        best = int(np.nanargmax(choice.slope[c]))
        ax.plot(choice.window[best], choice.slope[c, best], "o", color=line.get_color())
    ax.set(xlabel="step of the sampling grid", ylabel="slope: how fast the class is lost")
    ax.grid(alpha=0.3)
    ax.legend(ncols=2, fontsize="small", title="class")
    return ax


def save(ax: Axes, path: Path) -> None:
    """Writes the axis's figure as PNG and closes it."""
    from matplotlib import pyplot as plt

    figure = ax.get_figure()
    assert figure is not None
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]


def _axes() -> Axes:
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(7, 4.5))[1]
