"""Batches of normalised images, or of texts, on the device: a split in memory is copied there as a whole, any other is
decoded by worker processes.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data import DataError, Split

__all__ = ["Loader"]

START = "fork" if sys.platform == "linux" else "spawn"
"""How processes that read images start; named, since joblib's workers have a way of their own as their default."""


class Loader:
    """A split's examples as input for a network: images float32[B, C, H, W], each channel with mean 0 and standard
    deviation 1, or the numbers of words int64[B, 1, 1, L].

    Arguments:
        split: The images or texts, and their labels.
        device: The device of the batches.
        statistics: Mean and standard deviation of each channel for pixels in [0, 1]; by default the split's own. Give
            the training split's for a test split.
    """

    def __init__(
        self, split: Split, device: torch.device, statistics: tuple[list[float], list[float]] | None = None
    ) -> None:
        mean, std = statistics or split.statistics
        self.split, self.device = split, device
        self.images = split.images.to(device) if isinstance(split.images, Tensor) else split.images
        self.labels = torch.from_numpy(split.labels).to(device)
        self.mean, self.std = (torch.tensor(v, device=device).view(1, -1, 1, 1) * 255 for v in (mean, std))

    def over(self, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """The positions int64[B] and the images of each batch, both on the device, in the order of the batches."""
        if self.split.in_memory:
            on_device = (index.to(self.device) for index in batches)
            pairs: Iterable[tuple[Tensor, Tensor]] = ((index, self.images[index]) for index in on_device)
        else:
            workers = getattr(self.split.images, "workers", min(8, _cores()))
            pairs = DataLoader(
                _Lazy(self.split),
                None,
                sampler=batches,
                num_workers=workers,
                pin_memory=self.device.type == "cuda",
                multiprocessing_context=START if workers else None,
            )
        try:
            for index, images in pairs:
                yield index.to(self.device), self._normalised(images.to(self.device, non_blocking=True))
        except DataError as error:  # the message of a worker process's error is a traceback
            message = str(error).strip().splitlines()[-1]
            raise DataError(message.removeprefix(f"{DataError.__module__}.DataError: ")) from None

    def _normalised(self, images: Tensor) -> Tensor:
        return images.long() if self.split.kind == "texts" else (images.float() - self.mean) / self.std

    def in_order(self) -> Iterable[Tensor]:
        """The positions of the split, first to last, in batches of at most 500 images and 2^24 values."""
        at_once = max(1, min(500, 2**24 // math.prod(self.split.shape)))
        return torch.arange(len(self.split)).tensor_split(-(-len(self.split) // at_once))


def _cores() -> int:
    """The cores that this process may use: all, or as many as a worker of the harness has threads."""
    return torch.get_num_threads() if multiprocessing.parent_process() else os.cpu_count() or 1


class _Lazy(Dataset):
    def __init__(self, split: Split) -> None:
        self.split = split

    def __getitem__(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return index, self.split.images[index]
