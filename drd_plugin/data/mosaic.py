"""Images of a split in rows, on one canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from . import Split

__all__ = ["cell_of", "mosaic"]


def cell_of(split: Split) -> int:
    """An image's place in a mosaic, in pixels: its larger side and a gap."""
    return max(split.shape[1:]) + max(1, max(split.shape[1:]) // 12)


def mosaic(split: Split, rows: Iterable[Sequence[int] | np.ndarray]) -> np.ndarray:
    """The images at some positions, row by row, on white, uint8[H, W, 3].

    Arguments:
        split: Whose images they are; grey or of three channels.
        rows: The positions of each row; rows may differ in length.
    """
    import torch

    positions = [np.ascontiguousarray(row, np.int64) for row in rows]
    cell, (channels, height, width) = cell_of(split), split.shape
    canvas = np.full((len(positions) * cell, max(map(len, positions)) * cell, 3), 255, np.uint8)
    for row, of in enumerate(positions):
        images = split.images[torch.from_numpy(of)].permute(0, 2, 3, 1).numpy()
        for column, image in enumerate(images if channels == 3 else images[..., :1]):
            top, left = row * cell, column * cell
            canvas[top : top + height, left : left + width] = image
    return canvas
