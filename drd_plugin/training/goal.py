"""A `Goal`: when a training ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..registry import check_fields

__all__ = ["Goal"]


@dataclass(frozen=True)
class Goal:
    """When a training ends: the first step after which the amount is reached.

    Arguments:
        axis: What is counted: `epochs` (with the share of the present one), `steps` of the optimiser, `samples`
            (examples presented), or `wall` (seconds, tests left out).
        amount: How many, above 0.
    """

    axis: Literal["epochs", "steps", "samples", "wall"]
    amount: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.amount > 0:
            raise ValueError(f"a training needs {self.axis} above 0, got {self.amount}.")
