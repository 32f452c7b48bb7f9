"""What the pictures share: a new axis, a colour for each method, and how a figure is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...methods.published import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["line_of", "new_axis", "save"]


def new_axis(width: float = 7, height: float = 4.5) -> Axes:
    """The axis of a new figure, in inches."""
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height))[1]


def line_of(methods: list[str]) -> dict[str, dict[str, Any]]:
    """A line's style for each method: Random dotted in the colour of text, DRD in red; published methods have the same
    colour in every picture, and no two methods look the same.
    """
    import matplotlib as mpl

    text, palette = mpl.rcParams["text.color"], [mpl.colormaps["tab20"](i) for i in (0, 2, 4, 8, 10, 12, 14, 16, 18)]
    known = [name for name in METHODS if name not in ("Random", "DRD")]
    others = [name for name in methods if name not in METHODS]
    styles: dict[str, dict[str, Any]] = {"Random": {"color": text, "ls": ":", "lw": 2}}
    styles["DRD"] = {"color": "tab:red", "ls": "-", "lw": 2.5}
    for place, name in enumerate([*known, *others]):
        dashes = ("-", "--", "-.", (0, (1, 1)), (0, (4, 1, 1, 1, 1, 1)))[place // len(palette) % 5]
        styles[name] = {"color": palette[place % len(palette)], "ls": dashes, "lw": 1.2}
    return {name: styles[name] for name in methods}


def save(ax: Axes, path: Path) -> None:
    """Writes the axis's figure as PNG and closes it."""
    from matplotlib import pyplot as plt

    figure = ax.get_figure()
    assert figure is not None
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight")  # type: ignore[union-attr]
    plt.close(figure)  # type: ignore[arg-type]
