"""The order in which a training presents its examples: each epoch is shuffled and cut into batches of equal size, so
that no batch is too small for batch normalisation.
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
    """One batch.

    Arguments:
        epoch: Its epoch, from 1.
        place: Its place among the epoch's batches, from 0.
        count: How many these are.
        index: The positions of its examples, int64[B].
    """

    epoch: int
    place: int
    count: int
    index: Tensor

    @property
    def first(self) -> bool:
        """Whether it is the epoch's first."""
        return self.place == 0

    @property
    def last(self) -> bool:
        """Whether it is the epoch's last."""
        return self.place == self.count - 1

    @property
    def epochs(self) -> float:
        """The epochs after it, with the share of its own."""
        return self.epoch - 1 + (self.place + 1) / self.count


def readable_ahead(
    subset: Subset, sampler: EpochSampler | None, progress: Progress, seed: int
) -> Iterator[Iterable[Batch]]:
    """Batches that can be read ahead: all of a fixed subset's, and those of one epoch where the next depends on it."""
    if sampler is None:
        end = math.ceil(progress.goal.amount) if progress.goal.axis == "steps" else None
        yield itertools.islice(_endless(subset.indices, progress.recipe, seed), progress.step, end)
        return
    while progress.share < 1:
        epoch = round(progress.epochs)
        sampler.set_epoch(epoch, progress.share)
        yield _cut(epoch + 1, sampler.index, progress.recipe)


def _endless(indices: np.ndarray, recipe: Recipe, seed: int) -> Iterator[Batch]:
    """Batches without end; each epoch is a fresh permutation."""
    order, positions = generator(seed, "order"), torch.from_numpy(np.asarray(indices, np.int64))
    for epoch in itertools.count(1):
        yield from _cut(epoch, positions[torch.from_numpy(order.permutation(len(indices)))], recipe)


def _cut(epoch: int, positions: Tensor, recipe: Recipe) -> Iterator[Batch]:
    """An epoch in batches of equal size."""
    batches = positions.tensor_split(recipe.steps_per_epoch(len(positions)))
    for place, index in enumerate(batches):
        yield Batch(epoch, place, len(batches), index)
