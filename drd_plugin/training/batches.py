"""The batches of a training: each epoch is shuffled and cut into batches of equal size, so that none is too small for
batch normalisation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..artifacts import Subset
from ..core.seeds import generator
from .progress import Progress
from .recipe import Recipe
from .sampling import EpochSampler

__all__ = ["Batch", "readable_ahead"]


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of a training.

    Arguments:
        epoch: Its epoch, from 1.
        place: Its place among the epoch's batches, from 0.
        count: The number of the epoch's batches.
        index: The positions of its examples, int64[B].
    """

    epoch: int
    place: int
    count: int
    index: Tensor

    @property
    def first(self) -> bool:
        """Whether it is the first of its epoch."""
        return self.place == 0

    @property
    def last(self) -> bool:
        """Whether it is the last of its epoch."""
        return self.place == self.count - 1

    @property
    def epochs(self) -> float:
        """The number of epochs up to its end, with a fraction for its own epoch."""
        return self.epoch - 1 + (self.place + 1) / self.count


def readable_ahead(
    subset: Subset, sampler: EpochSampler | None, progress: Progress, seed: int
) -> Iterator[Iterable[Batch]]:
    """The batches of a training, in groups that can be loaded ahead: all batches of a fixed subset; those of one epoch
    with a sampler, which may learn from each epoch.
    """
    if sampler is None:
        end = math.ceil(progress.goal.amount) if progress.goal.axis == "steps" else None
        yield itertools.islice(_endless(subset.indices, progress.recipe, seed), progress.step, end)
        return
    while progress.share < 1:
        epoch = round(progress.epochs)
        sampler.set_epoch(epoch, progress.share)
        yield _cut(epoch + 1, sampler.index, progress.recipe)


def _endless(indices: np.ndarray, recipe: Recipe, seed: int) -> Iterator[Batch]:
    """The batches of endless epochs, each a fresh permutation."""
    order, positions = generator(seed, "order"), torch.from_numpy(np.asarray(indices, np.int64))
    for epoch in itertools.count(1):
        yield from _cut(epoch, positions[torch.from_numpy(order.permutation(len(indices)))], recipe)


def _cut(epoch: int, positions: Tensor, recipe: Recipe) -> Iterator[Batch]:
    """The batches of an epoch, of equal size."""
    batches = positions.tensor_split(recipe.steps_per_epoch(len(positions)))
    for place, index in enumerate(batches):
        yield Batch(epoch, place, len(batches), index)
