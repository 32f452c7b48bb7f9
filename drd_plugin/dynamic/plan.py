"""A `Plan`: how many examples the epochs of a dynamic training have."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.registry import check_fields, check_fraction

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The share of the data set that each epoch sees.

    Arguments:
        fraction: The mean share, in (0, 1], of the epochs that do not see all.
        slope: The relative rise of the share over these epochs, linearly from fraction (1 - slope) to
            fraction (1 + slope). Negative where it falls.
        full_last: The last share of the training in which an epoch is the whole data set, in [0, 1).

    Raises:
        ValueError: If a field is out of range, or the share would rise above 1 or fall to 0.
    """

    fraction: float
    slope: float = 0.0
    full_last: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_fraction(self.fraction)
        if not -1 < self.slope < 1 or self.fraction * (1 + abs(self.slope)) > 1 + 1e-9:
            low, high = self.fraction * (1 - self.slope), self.fraction * (1 + self.slope)
            raise ValueError(
                f"the share of an epoch must stay in (0, 1]; with fraction={self.fraction:g} and slope={self.slope:g} "
                f"it goes from {low:g} to {high:g}."
            )
        if not 0 <= self.full_last < 1:
            raise ValueError(f"full_last is a share of the training in [0, 1), got {self.full_last}.")

    def pruned_progress(self, progress: float) -> float:
        """Progress through the pruned phase (the epochs before `full_last`), in [0, 1].

        Arguments:
            progress: Progress through the whole training, in [0, 1].
        """
        return min(1.0, progress / (1 - self.full_last))

    def size(self, n: int, progress: float) -> int:
        """How many of n examples an epoch has that begins at this progress, in [0, 1).

        Raises:
            ValueError: If it would have none.
        """
        return n if progress >= 1 - self.full_last - 1e-9 else self._count(n, self.pruned_progress(progress))

    def check(self, n: int) -> None:
        """Raises ValueError if an epoch at the beginning or the end of a training on n examples would have none."""
        for end in (0.0, 1.0):
            self._count(n, end)

    def _count(self, n: int, pruned_progress: float) -> int:
        share = self.fraction * (1 + self.slope * (2 * pruned_progress - 1))
        size = min(n, math.floor(share * n + 0.5))
        if size == 0:
            raise ValueError(f"an epoch with a share of {share:g} of {n} examples has none: give a larger fraction.")
        return size
