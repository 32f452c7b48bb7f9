r"""UCB dynamic pruning: the examples with the largest upper confidence bound of the loss.

With the moving average μ of an example's loss and that of the squared distance from it, σ², a choice has the k examples
with the largest μ + c σ².

References:
    Accelerating Deep Learning with Dynamic Data Pruning (Raju et al., 2021), https://arxiv.org/abs/2111.12621

Differences: as for `EpsilonGreedy`. `bound=deviation` takes c σ in place of c σ².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from ..core.registry import check_least
from .bandit import Bandit
from .base import Moment, State
from .draw import top

__all__ = ["UCB"]


@dataclass(frozen=True)
class UCB(Bandit):
    """Chooses the examples with the largest upper confidence bounds of the loss.

    Arguments:
        c: How much the spread counts, at least 0.
        bound: Whether the spread is the `variance` or the standard `deviation`.
    """

    c: float = 1.0
    bound: Literal["variance", "deviation"] = "variance"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 0, "c")

    @override
    def draw(self, state: State, moment: Moment) -> np.ndarray:
        spread = state["variance"] if self.bound == "variance" else np.sqrt(state["variance"])
        return top(state["mean"] + self.c * spread, moment.k, moment.rng)
