"""Computation in batches that shrink when the device's memory does not hold them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Batches", "forward_batch", "image_batch"]


def forward_batch(most: int, shape: tuple[int, ...], device: torch.device) -> int:
    """The number of latents of this shape for one forward pass of a denoiser: at most `most`, and at most 2^20 values
    (2^16 on a CPU, since the network's maps must fit into the cache).
    """
    return max(1, min(most, (2**16 if device.type == "cpu" else 2**20) // math.prod(shape)))


def image_batch(shape: tuple[int, ...]) -> int:
    """The number of images of this shape for one pass through a VAE or the network of a distance: at most 2^21 values,
    since the network's maps are about a hundred times as large.
    """
    return max(1, 2**21 // math.prod(shape))


class Batches:
    """Computes in batches; each time the device runs out of memory, their size is halved from then on.

    Arguments:
        most: The greatest number of items in a batch.
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)

    def over(self, items: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """The results for all items, in order, joined along the first axis.

        Arguments:
            items: The items, cut into batches along the first axis.
            compute: From a batch of items to its results, one row for each item.

        Raises:
            torch.OutOfMemoryError: If a single item does not fit.
        """
        results, finished = [], 0
        while finished < len(items):
            part = items[finished : finished + self.most]
            try:
                results.append(compute(part))
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                self.most = len(part) // 2
                warnings.warn(f"out of memory: going on with batches of {self.most}.", stacklevel=2)
                continue
            finished += len(part)
        return torch.cat(results)
