"""In which order a training presents its examples: each epoch is shuffled and cut into batches of equal size, so that
no batch is too small for batch normalisation.
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
from ..rng import generator
from .course import Course
from .recipe import Recipe
from .sampled import EpochSampler

__all__ = ["Presentation", "stretches"]


@dataclass(frozen=True, eq=False)
class Presentation:
    """One batch: its epoch (from 1), its place among the epoch's batches, how many these are, and its positions."""

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
        """The epochs that lie behind after it."""
        return self.epoch - 1 + (self.place + 1) / self.count


def stretches(
    subset: Subset, sampler: EpochSampler | None, course: Course, seed: int
) -> Iterator[Iterable[Presentation]]:
    """Batches that can be read ahead: all of a fixed subset's, and those of one epoch where the next depends on it."""
    if sampler is None:
        ends = math.ceil(course.goal.amount) if course.goal.axis == "steps" else None
        yield itertools.islice(_presentations(subset.indices, course.recipe, seed), course.step, ends)
        return
    while course.progress < 1:
        epoch = round(course.epochs)
        sampler.set_epoch(epoch, course.progress)
        yield _cut(epoch + 1, sampler.index, course.recipe)


def _presentations(indices: np.ndarray, recipe: Recipe, seed: int) -> Iterator[Presentation]:
    """Batches without end; each epoch is a fresh permutation."""
    order, positions = generator(seed, "order"), torch.from_numpy(np.asarray(indices, np.int64))
    for epoch in itertools.count(1):
        yield from _cut(epoch, positions[torch.from_numpy(order.permutation(len(indices)))], recipe)


def _cut(epoch: int, positions: Tensor, recipe: Recipe) -> Iterator[Presentation]:
    """An epoch in batches of equal size."""
    batches = positions.tensor_split(recipe.steps_per_epoch(len(positions)))
    for place, index in enumerate(batches):
        yield Presentation(epoch, place, len(batches), index)
