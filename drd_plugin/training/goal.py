"""A `Goal`: when a training ends, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..registry import check_fields

__all__ = ["Goal", "Reached"]


@dataclass(frozen=True)
class Reached:
    """How far a training is.

    Arguments:
        epochs: Epochs, with the share of the present one.
        steps: Optimiser steps.
        samples: Examples presented.
        wall: Seconds, tests left out.
    """

    epochs: float
    steps: int
    samples: int
    wall: float


@dataclass(frozen=True)
class Goal:
    """When a training ends: the first step after which the amount is reached.

    Arguments:
        axis: What is counted: `epochs`, `steps`, `samples` (examples presented), or `wall` (seconds, tests left out).
        amount: How many, above 0.
    """

    axis: Literal["epochs", "steps", "samples", "wall"]
    amount: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.amount > 0:
            raise ValueError(f"a training needs {self.axis} above 0, got {self.amount}.")

    def progress(self, reached: Reached) -> float:
        """The share of the training that lies behind, in [0, 1]."""
        return min(1.0, getattr(reached, self.axis) / self.amount)
