r"""DRoP (earlier called MetriQ): classes that are learned badly keep more of their examples.

With N_c the size of class c and r_c its recall, class c keeps the density d_c = E (1 - r_c) / Z of its examples, where
E is the number of examples to share; what classes that are full (d_c = 1) cannot take goes to the others, in the same
proportions.

- `drop`: Z = sum_c N_c (1 - r_c), so that a class's number is in proportion to its size times its error (Algorithm 1);
- `metriq`: the number is in proportion to the error alone, as in the official code; the same where classes are equally
  large.

References:
    DRoP: Distributionally Robust Data Pruning (Vysogorets et al., 2025), https://arxiv.org/abs/2404.05579
    https://github.com/avysogorets/fair-data-pruning (`quoters/drop.py`)

Differences: the paper measures recalls on half of the test set. Here a network is trained on a part of the training set
and the rest of it is held out, so that no selection sees a test example; each recall is (hits + 1) / (examples + 2), so
that no class is emptied by a perfect recall of a few. The official code truncates the numbers and fills up at random,
and passes over the class after one that is full; here they are rounded by largest remainders, and every class keeps at
least one example.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from .base import Selection, Workbench, fill_shares, largest_remainders
from .per_class import PerClass

__all__ = ["ClassQuotas", "quotas"]


@dataclass(frozen=True)
class ClassQuotas(PerClass):
    """Applies a strategy to each class, with larger quotas for classes that are learned badly.

    Arguments:
        inner: The strategy within classes; the hardest first by default, which is random for the score Uniform.
        variant: `drop` or `metriq`, see above.
        holdout: The share of the examples on which the recalls are measured, in (0, 1).
    """

    trains = True

    variant: Literal["drop", "metriq"] = "drop"
    holdout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.holdout < 1:
            raise ValueError(f"holdout is a share in (0, 1), got {self.holdout}.")

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """Of budgets for each class, only the sum counts; `chosen` holds the quotas and the recalls.

        Raises:
            ValueError: If there is no workbench, or fewer examples than classes are to be kept.
        """
        if workbench is None:
            raise ValueError("ClassQuotas measures recalls by training a network: give it a workbench (the data set).")
        recalls = self._recalls(scores.labels, rng, workbench)
        numbers = quotas(recalls, np.bincount(scores.labels), int(np.sum(k)), self.variant == "drop")
        selection = super().select(scores, numbers, rng, workbench)
        chosen = {"quotas": numbers.tolist(), "recalls": np.round(recalls, 4).tolist()}
        return Selection(selection.indices, {**selection.chosen, **chosen})

    def _recalls(self, labels: np.ndarray, rng: np.random.Generator, workbench: Workbench) -> np.ndarray:
        """The recall of each class on the held-out examples, float64[C]."""
        held_out = rng.random(len(labels)) < self.holdout
        correct = workbench.predictions(np.flatnonzero(~held_out)) == labels
        hits = np.bincount(labels[held_out & correct], minlength=labels.max() + 1)
        return (hits + 1) / (np.bincount(labels[held_out], minlength=len(hits)) + 2)


def quotas(recalls: np.ndarray, sizes: np.ndarray, k: int, by_size: bool = True) -> np.ndarray:
    """The number of examples to keep of each class, int64[C] with sum k, each at least 1 and at most the class's size.

    Arguments:
        recalls: float64[C] in [0, 1].
        sizes: The sizes of the classes, int64[C].
        k: The number of examples to keep.
        by_size: Whether a class's share is in proportion to its size times its error, or to its error alone.

    Raises:
        ValueError: If k is smaller than the number of classes, or larger than all of them together.
    """
    if not len(sizes) <= k <= sizes.sum():
        raise ValueError(
            f"class quotas share at least one example a class and at most all: expected k in "
            f"{len(sizes)}..{sizes.sum()}, got {k}."
        )
    error = (1 - recalls) * (sizes if by_size else 1)
    numbers = largest_remainders(fill_shares(error, sizes, k), k)
    for c in np.flatnonzero((numbers == 0) & (sizes > 0)):
        numbers[numbers.argmax()] -= 1
        numbers[c] = 1
    return numbers
