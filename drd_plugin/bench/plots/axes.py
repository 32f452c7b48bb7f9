"""The parts that pictures share: axes, a style for each method, lines with bars, legends, and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from numpy.typing import ArrayLike

from ...artifacts import ArtifactError, check_writable, write_aside
from ...methods.published import METHODS

__all__ = ["check_picture", "draw_means", "finish", "line_styles", "new_axis", "save"]


def new_axis(width: float = 7, height: float = 4.5) -> Axes:
    """The axis of a new figure, in inches."""
    return plt.subplots(figsize=(width, height))[1]


def line_styles(methods: list[str]) -> dict[str, dict[str, Any]]:
    """The style of each method's line: Random dotted in the colour of text, DRD in red; published methods have the same
    colour in every picture, and no two methods look the same.
    """
    text, palette = mpl.rcParams["text.color"], [mpl.colormaps["tab20"](i) for i in (0, 2, 4, 8, 10, 12, 14, 16, 18)]
    published = [name for name in METHODS if name not in ("Random", "DRD")]
    others = [name for name in methods if name not in METHODS]
    styles: dict[str, dict[str, Any]] = {"Random": {"color": text, "ls": ":", "lw": 2}}
    styles["DRD"] = {"color": "tab:red", "ls": "-", "lw": 2.5}
    for place, name in enumerate([*published, *others]):
        dashes = ("-", "--", "-.", (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)))[place // len(palette) % 5]
        styles[name] = {"color": palette[place % len(palette)], "ls": dashes, "lw": 1.2}
    return {name: styles[name] for name in methods}


def draw_means(ax: Axes, x: ArrayLike, cells: pd.DataFrame, label: str, **style: Any) -> None:
    """Draws a line through means, with bars of one standard deviation.

    Arguments:
        ax: Where to draw.
        x: Where each mean stands, float[n].
        cells: n rows with the columns mean and std; std is NaN for a single value.
        label: The line's name in the legend.
        style: The line's style.
    """
    ax.errorbar(x, cells["mean"], cells["std"].fillna(0), label=label, marker="o", ms=4, capsize=2, **style)


def finish(ax: Axes, **legend: Any) -> Axes:
    """The axis with a grid, and with a legend beside the picture, where it covers nothing."""
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), **legend)
    return ax


def check_picture(path: Path) -> None:
    """Raises ArtifactError unless a picture can be written to the path."""
    kinds = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix and Path(path).suffix[1:].lower() not in kinds:
        raise ArtifactError(f"{path}: no picture is written with this ending: give one of {', '.join(sorted(kinds))}.")
    check_writable(Path(path), folder=False)


def save(ax: Axes, path: Path) -> None:
    """Writes the axis's figure, in the format that the path's ending names (PNG where it has none), and closes it.

    Raises:
        OSError: If it cannot be written.
    """
    figure = ax.get_figure()
    assert figure is not None
    path = Path(path) if Path(path).suffix else Path(f"{path}.png")
    with write_aside(path) as aside:
        figure.savefig(aside, format=path.suffix[1:], dpi=150, bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]
