"""The base class of strategies: frozen dataclasses that select a subset from scores and a budget.

The budget is round(fraction * n) examples, halves rounded up. Ties between equal scores are broken by the random
generator, never by the order of the data set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..artifacts import Scores
from ..core.registry import check_fields
from ..core.shares import budget_of, largest_remainders
from .workbench import Workbench

__all__ = [
    "Selection",
    "Strategy",
    "budget_of",
    "by_hardness",
    "class_budgets",
    "fill_shares",
    "grouped",
    "largest_remainders",
]


@dataclass(frozen=True, eq=False)
class Selection:
    """The examples that a strategy selected.

    Arguments:
        indices: Distinct positions, int64[k].
        chosen: What the strategy chose on the way (a window's start, say), ready for JSON.
    """

    indices: np.ndarray
    chosen: Mapping[str, Any] = field(default_factory=dict)


class Strategy(ABC):
    """A strategy: selects examples from scores.

    Arguments:
        trains: Whether `select` trains networks and needs a workbench for that.
    """

    trains: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def classwise(self) -> bool:
        """Whether it selects within each class; it then also takes a budget for each class."""
        return False

    @property
    def needs_features(self) -> bool:
        """Whether `select` requests the proxy's features from the workbench."""
        return False

    @property
    def needs_scores(self) -> tuple[str, ...]:
        """The names of the further scores that `select` may request from the workbench."""
        return ()

    @abstractmethod
    def select(self, scores: Scores, k: Any, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        """Selects k examples.

        Arguments:
            scores: The scores; never changed.
            k: The number of examples to keep, in 1..n; for class-wise strategies, also the number in each class,
                int64[C].
            rng: Breaks ties and draws; the same state gives the same selection.
            workbench: Provides further scores, features and networks to the strategies that need them.
        """


def class_budgets(labels: np.ndarray, k: int | np.ndarray) -> np.ndarray:
    """The budget of each class: k shared in proportion to the class sizes, by largest remainders; int64[C] with sum k.
    If k is int64[C], the budgets themselves, they are only checked.

    Raises:
        ValueError: If a class would get no example, or more than it has.
    """
    counts = np.bincount(labels)
    budgets = k if isinstance(k, np.ndarray) else largest_remainders(k * counts / counts.sum(), k)
    if len(budgets) != len(counts) or (budgets > counts).any():
        raise ValueError(f"expected a budget for each class, at most {counts.tolist()}; got {budgets.tolist()}.")
    empty = np.flatnonzero((budgets == 0) & (counts > 0))
    if len(empty):
        raise ValueError(
            f"keeping {budgets.sum()} of {len(labels)} examples leaves no example of class {empty[0]} ({len(empty)} "
            "such classes): keep a larger fraction, or select without regard to class."
        )
    return budgets


def fill_shares(demand: np.ndarray, sizes: np.ndarray, k: int) -> np.ndarray:
    """The share of each class in k examples, in proportion to its demand and at most its size, float64[C] with sum k;
    what a full class cannot take goes to the others.

    Arguments:
        demand: float64[C], at least 0.
        sizes: The sizes of the classes, int64[C].
        k: In 0..sum(sizes).
    """
    shares, room = np.zeros(len(sizes)), sizes > 0
    while (excess := k - shares.sum()) > 1e-9:
        weights = demand * room if (demand * room).any() else sizes * room
        shares = np.minimum(shares + excess * weights / weights.sum(), sizes)
        room = shares < sizes
    return shares


def by_hardness(scores: Scores, rng: np.random.Generator) -> np.ndarray:
    """The positions from easiest to hardest, int64[n]; ties in random order."""
    order = rng.permutation(len(scores))
    return order[np.argsort(scores.hardness[order], kind="stable")]


def grouped(order: np.ndarray, groups: np.ndarray, count: int) -> list[np.ndarray]:
    """Positions by group, a list of arrays; the order within a group stays.

    Arguments:
        order: Positions, int64[m].
        groups: The group of each of them, int64[m] in 0..count - 1.
        count: The number of groups.
    """
    together = np.argsort(groups.astype(np.min_scalar_type(count)), kind="stable")
    return np.split(order[together], np.bincount(groups, minlength=count).cumsum()[:-1])
