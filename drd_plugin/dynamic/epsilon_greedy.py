r"""ε-greedy dynamic pruning: the examples with the largest mean loss, and some at random.

Of the k examples of a choice, (1 - ε) k have the largest moving average of the loss, and ε k are drawn uniformly from
the rest.

References:
    Accelerating Deep Learning with Dynamic Data Pruning (Raju et al., 2021), https://arxiv.org/abs/2111.12621

Differences: the paper takes the losses of all examples by a pass over the data set before each choice; here only those
of examples that were trained on are known, in training mode and with augmentation, and examples that were never seen
come first. ε, alpha and the epochs between choices are not those of a table of the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from .bandit import Bandit
from .base import Moment, State
from .draw import top

__all__ = ["EpsilonGreedy"]


@dataclass(frozen=True)
class EpsilonGreedy(Bandit):
    """Chooses the examples with the largest mean losses, but for a share ε of the choice, which is random.

    Arguments:
        epsilon: The share of a choice that is random, in [0, 1].
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.epsilon <= 1:
            raise ValueError(f"epsilon is a share in [0, 1], got {self.epsilon}.")

    @override
    def draw(self, state: State, moment: Moment) -> np.ndarray:
        greedy = top(state["mean"], moment.k - math.floor(self.epsilon * moment.k + 0.5), moment.rng)
        rest = np.delete(np.arange(len(state["mean"])), greedy)
        return np.concatenate([greedy, moment.rng.choice(rest, moment.k - len(greedy), replace=False, shuffle=False)])
