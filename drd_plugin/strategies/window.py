"""A fixed window of the ranking; in the middle, it is Moderate's strategy.

References:
    Moderate Coreset: A Universal Method of Data Selection for Real-world Data-efficient Deep Learning (Xia et al.,
    2023), https://openreview.net/forum?id=7D5EECbOaf9
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench, by_hardness

__all__ = ["Window"]


@dataclass(frozen=True)
class Window(Strategy):
    """Keeps k consecutive examples of the global ranking from easiest to hardest.

    Arguments:
        start: Where the window starts, as a share of the data set from the easiest end, in [0, 1 - fraction]; by
            default the window is centred, so that as many easier as harder examples are left out.
    """

    start: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start is not None and not 0 <= self.start < 1:
            raise ValueError(f"a window starts at a share in [0, 1), got {self.start}.")

    def select(self, scores: Scores, k: int, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        """See `Strategy`.

        Raises:
            ValueError: If the window would reach beyond the hardest example.
        """
        n = len(scores)
        first = (n - k) // 2 if self.start is None else round(self.start * n)
        if first + k > n:
            raise ValueError(
                f"a window of {k} from {self.start} on reaches beyond the {n} examples: start at {(n - k) / n:.3f} or "
                "before."
            )
        return Selection(
            by_hardness(scores, rng)[first : first + k], {"start": round(first / n, 4), "origin": "easiest"}
        )
