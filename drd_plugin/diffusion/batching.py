"""Work in batches that shrink when the device's memory does not hold them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Batches", "forward_batch", "image_batch"]


def forward_batch(most: int, shape: tuple[int, ...], device: torch.device) -> int:
    """How many latents of this shape go through a denoiser at once: at most `most`, and at most 2^20 values; on a CPU
    2^16, beyond which the maps within leave the cache.
    """
    return max(1, min(most, (2**16 if device.type == "cpu" else 2**20) // math.prod(shape)))


def image_batch(shape: tuple[int, ...]) -> int:
    """How many images of this shape go through a VAE, or a distance's network, at once: at most 2^21 values, since the
    maps within are some hundred times as large.
    """
    return max(1, 2**21 // math.prod(shape))


class Batches:
    """Batches of at most so many items; once the device runs out of memory, of half as many from then on.

    Arguments:
        most: Items in a batch.
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)

    def over(self, items: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """The results for all items, in order, joined along the first axis.

        Arguments:
            items: What is cut along its first axis.
            compute: From a batch of items to its results, one row an item.

        Raises:
            torch.OutOfMemoryError: If a single item does not fit.
        """
        results, done = [], 0
        while done < len(items):
            part = items[done : done + self.most]
            try:
                results.append(compute(part))
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                self.most = len(part) // 2
                warnings.warn(f"out of memory: going on with batches of {self.most}.", stacklevel=2)
                continue
            done += len(part)
        return torch.cat(results)
