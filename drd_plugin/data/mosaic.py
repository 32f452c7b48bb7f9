"""Images of a split in rows, on one canvas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .split import Split

__all__ = ["cell_of", "mosaic"]


def cell_of(split: Split) -> int:
    """The height and width of a mosaic's cells in pixels: the larger side of an image and a gap."""
    return max(split.shape[1:]) + max(1, max(split.shape[1:]) // 12)


def mosaic(split: Split, rows: Iterable[Sequence[int] | np.ndarray]) -> np.ndarray:
    """A picture of some images in rows on white, uint8[H, W, 3].

    Arguments:
        split: The split with the images, which are grey or have three channels.
        rows: The positions of the images in each row; rows may differ in length.
    """
    import torch

    positions = [np.ascontiguousarray(row, np.int64) for row in rows]
    cell, (channels, height, width) = cell_of(split), split.shape
    canvas = np.full((len(positions) * cell, max(map(len, positions)) * cell, 3), 255, np.uint8)
    for row, index in enumerate(positions):
        images = split.images[torch.from_numpy(index)].permute(0, 2, 3, 1).numpy()
        for column, image in enumerate(images if channels == 3 else images[..., :1]):
            y, x = row * cell, column * cell
            canvas[y : y + height, x : x + width] = image
    return canvas
