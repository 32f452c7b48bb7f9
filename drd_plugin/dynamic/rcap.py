r"""RCAP: class shares by the classes' losses, and within a class examples at random, large losses more often.

With the last known loss of each example, clipped to [0, log C], class c with N_c of the n examples and the summed loss
L_c gets a number of the k examples in proportion to sqrt(L_c N_c / n), at most all of it; within the class they are
drawn without replacement with probabilities in proportion to exp(loss / β). An example that was never seen has the loss
log C.

References:
    RCAP: Robust, Class-Aware, Probabilistic Dynamic Dataset Pruning (Hassan et al., 2025),
    https://proceedings.mlr.press/v286/hassan25a.html
    https://pypi.org/project/datacull (1.0.2, `methods/RCAP.py`, which is by the authors)

Differences: that code takes for L_c not losses but the softmax weights within the class, summed up over the examples
that it chose last (`aggregate=importance`); it rounds all class numbers up, and where a class is full it shares the
whole budget, not what is left, among the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from ..strategies.base import fill_shares, largest_remainders
from .base import Choice, Dynamic, Examples, Moment, State
from .draw import gumbel, top_within

__all__ = ["RCAP"]


@dataclass(frozen=True)
class RCAP(Dynamic):
    """Class-aware sampling by losses.

    Arguments:
        beta: The temperature β of the softmax within a class, above 0; small ones prefer large losses more.
        aggregate: What determines a class's share: its summed `loss`, or the official code's `importance`.
    """

    beta: float = 1.0
    aggregate: Literal["loss", "importance"] = "loss"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta is a temperature above 0, got {self.beta}.")

    @override
    def begin(self, examples: Examples) -> State:
        n, largest = len(examples), np.log(examples.num_classes)
        return {"loss": np.full(n, largest), "largest": np.array([largest]), "chosen": np.ones(n, bool)}

    @override
    def observe(self, state: State, index: np.ndarray, signal: np.ndarray) -> None:
        state["loss"][index] = np.clip(signal, 0, state["largest"])

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        labels, count = examples.labels, examples.num_classes
        sizes = np.bincount(labels, minlength=count)
        weights = state["loss"]
        if self.aggregate == "importance":
            weight = np.exp(state["loss"] / self.beta)
            weights = state["chosen"] * weight / np.bincount(labels, weight, count)[labels]
        shares = np.sqrt(np.bincount(labels, weights, count) * sizes / len(labels))
        numbers = largest_remainders(fill_shares(shares, sizes, moment.k), moment.k)
        index = top_within(gumbel(state["loss"] / self.beta, 1.0, moment.rng), labels, numbers, moment.rng)
        state["chosen"][:] = False
        state["chosen"][index] = True
        return Choice(index)
