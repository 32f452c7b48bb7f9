"""Pictures of a training set's images and of the scores they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ...artifacts import Scores
from ...data import Split, check_images
from ...data.mosaic import cell_of, mosaic
from .axes import new_axis

__all__ = ["plot_images", "plot_scores"]


def plot_images(
    split: Split,
    rows: Mapping[str, Sequence[int] | np.ndarray],
    caption: Callable[[int], str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Images in rows, each with a caption.

    Arguments:
        split: The split with the images.
        rows: The positions of each row's images, by the row's name.
        caption: The text above the image at a position; its class by default.
        ax: Where to draw; a new figure by default.

    Raises:
        DataError: If the split holds no images.
    """
    check_images(split, "a picture of images")
    cell, columns = cell_of(split), max(map(len, rows.values()))
    caption = caption or (lambda position: split.classes[split.labels[position]])
    ax = ax or new_axis(0.7 * columns + 0.5, 0.95 * len(rows) + 0.3)
    above = cell // 3
    canvas = mosaic(split, rows.values())
    lines = canvas.reshape(len(rows), cell, *canvas.shape[1:])
    white = np.full((len(rows), above, *canvas.shape[1:]), 255, np.uint8)
    ax.imshow(np.concatenate([white, lines], axis=1).reshape(-1, *canvas.shape[1:]), interpolation="nearest")
    for row, positions in enumerate(rows.values()):
        for column, position in enumerate(positions):
            place = column * cell + (split.shape[2] - 1) / 2, row * (cell + above) + above - 1
            ax.text(*place, caption(int(position)), ha="center", va="bottom", fontsize=7, color="black")
    ax.set_yticks([row * (cell + above) + above + cell / 2 for row in range(len(rows))], [*rows])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def plot_scores(scores: Scores, ax: Axes | None = None) -> Axes:
    """All scores in ascending order, with their standard errors where there are several estimates.

    Arguments:
        scores: The scores.
        ax: Where to draw; a new figure by default.
    """
    ax, order = ax or new_axis(7, 3), np.argsort(scores.values, kind="stable")
    values = scores.values[order]
    ax.plot(np.arange(len(values)), values, lw=1.5)
    if scores.stderr is not None:
        error = scores.stderr[order]
        ax.fill_between(np.arange(len(values)), values - error, values + error, alpha=0.3, label="± standard error")
        ax.legend()
    ax.set(xlabel="examples in the order of their score", ylabel=scores.name)
    ax.grid(alpha=0.3)
    return ax
