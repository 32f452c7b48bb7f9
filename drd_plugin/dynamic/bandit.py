"""Moving averages of the losses, from which the bandits of dynamic pruning choose: `EpsilonGreedy` and `UCB`.

References:
    Accelerating Deep Learning with Dynamic Data Pruning (Raju et al., 2021), https://arxiv.org/abs/2111.12621
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from ..core.registry import check_least
from .base import Choice, Dynamic, Examples, Moment, State

__all__ = ["Bandit"]


@dataclass(frozen=True)
class Bandit(Dynamic):
    """Base class of the bandits: moving averages, and choices that hold for some epochs. Unseen examples come first.

    Arguments:
        alpha: The weight of the newest loss in the moving averages, in (0, 1].
        every: For how many epochs a choice holds.
    """

    alpha: float = 0.5
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "every")
        if not 0 < self.alpha <= 1:
            raise ValueError(f"expected alpha in (0, 1], got {self.alpha}.")

    @override
    def begin(self, examples: Examples) -> State:
        n = len(examples)
        return {
            "mean": np.full(n, np.inf),
            "variance": np.zeros(n),
            "chosen": np.full(n, -1),
            "until": np.zeros(1, np.int64),
        }

    @override
    def observe(self, state: State, index: np.ndarray, signal: np.ndarray) -> None:
        """Updates both moving averages; the variance uses the difference from the mean before the update."""
        mean = np.where(np.isinf(state["mean"][index]), signal, state["mean"][index])
        difference = signal - mean
        state["variance"][index] += self.alpha * (difference**2 - state["variance"][index])
        state["mean"][index] = mean + self.alpha * difference

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        """Draws anew when `every` epochs are over, or when k has changed."""
        held = state["chosen"][state["chosen"] >= 0]
        if moment.epoch >= state["until"][0] or len(held) != moment.k:
            held = self.draw(state, moment)
            state["until"][0] = moment.epoch + self.every
            state["chosen"][:] = -1
            state["chosen"][: len(held)] = held
        return Choice(held)

    @abstractmethod
    def draw(self, state: State, moment: Moment) -> np.ndarray:
        """The positions of k examples, int64[k]."""
