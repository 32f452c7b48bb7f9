"""A fixed window of the ranking; a window in the middle is Moderate's strategy.

- `global`: one ranking of the whole set, as in Moderate's official code: classes whose distances are far from the
  median of all lose most.
- `class`: a ranking of each class, as in many re-implementations.

References:
    Moderate Coreset: A Universal Method of Data Selection for Real-world Data-efficient Deep Learning (Xia et al.,
    2023), https://openreview.net/forum?id=7D5EECbOaf9
    https://github.com/tmllab/2023_ICLR_Moderate-DS (`selection.py`, `get_prune_idx`, which gives what is left out)

Differences: the official code rounds both ends of the window, so that it may keep an example more or less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench, by_hardness
from .per_class import PerClass

__all__ = ["Window"]


@dataclass(frozen=True)
class Window(Strategy):
    """Keeps k consecutive examples of a ranking from easiest to hardest.

    Arguments:
        start: The start of the window, as a share of the ranking from the easiest end, in [0, 1 - fraction]; by default
            the window is centred, so that as many easier as harder examples are dropped.
        ranking: `global` or `class`, see above.
    """

    start: float | None = None
    ranking: Literal["global", "class"] = "global"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start is not None and not 0 <= self.start < 1:
            raise ValueError(f"a window starts at a share in [0, 1), got {self.start}.")

    @property
    @override
    def classwise(self) -> bool:
        return self.ranking == "class"

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """`chosen` holds the window's start.

        Raises:
            ValueError: If the window would reach beyond the hardest example, or a class would get no example.
        """
        if self.classwise:
            return PerClass(replace(self, ranking="global")).select(scores, k, rng)
        n, k = len(scores), int(k)
        first = round((n - k) / 2) if self.start is None else min(round(self.start * n), n - k)
        if self.start is not None and self.start > 1 - (k - 0.5) / n + 1e-9:  # that k is rounded costs no start
            raise ValueError(
                f"a window of {k} from {self.start} on reaches beyond the {n} examples: start at {(n - k) / n:.3f} or "
                "before."
            )
        chosen = {"start": round(first / n, 4), "origin": "easiest"}
        return Selection(by_hardness(scores, rng)[first : first + k], chosen)
