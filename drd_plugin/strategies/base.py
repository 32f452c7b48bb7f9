"""What a strategy is: a frozen dataclass that turns scores and a budget into a subset.

The budget is round(fraction * n) examples, halves rounded up. Ties between equal scores are broken by the generator
that is passed in, never by the order of the data set.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ..artifacts import Scores
from ..core.registry import check_fields, check_fraction
from .workbench import Workbench

__all__ = [
    "Selection",
    "Strategy",
    "budget_of",
    "by_hardness",
    "capped",
    "class_budgets",
    "grouped",
    "largest_remainders",
]


@dataclass(frozen=True, eq=False)
class Selection:
    """What a strategy selected.

    Arguments:
        indices: Distinct positions, int64[k].
        chosen: What was settled on the way (a window's start, say), ready for JSON.
    """

    indices: np.ndarray
    chosen: Mapping[str, Any] = field(default_factory=dict)


class Strategy(ABC):
    """Common to all strategies.

    Arguments:
        trains: Whether `select` trains networks and cannot do without a workbench.
    """

    trains: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def classwise(self) -> bool:
        """Whether it selects within each class; it then takes a budget for each class too."""
        return False

    @property
    def needs_features(self) -> bool:
        """Whether `select` asks the workbench for the proxy's features."""
        return False

    @property
    def needs_scores(self) -> tuple[str, ...]:
        """The names of the further scores that `select` may ask the workbench for."""
        return ()

    @abstractmethod
    def select(self, scores: Scores, k: Any, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        """Selects k examples.

        Arguments:
            scores: The scores; never changed.
            k: The number of examples to keep, in 1..n; for class-wise strategies, also the number in each class,
                int64[C].
            rng: Breaks ties and draws; the same state gives the same selection.
            workbench: Trains networks for the strategies that need it.
        """


def budget_of(fraction: float, n: int) -> int:
    """The number of examples that a fraction keeps: fraction * n, rounded to the nearest, halves up.

    Raises:
        ValueError: If the fraction is not in (0, 1], or keeps no example.
    """
    check_fraction(fraction)
    k = math.floor(fraction * n + 0.5)
    if k == 0:
        raise ValueError(f"the fraction {fraction} of {n} examples keeps none: take at least {0.5 / n:.2g}.")
    return k


def class_budgets(labels: np.ndarray, k: int | np.ndarray) -> np.ndarray:
    """k examples shared among the classes in proportion to their sizes, by largest remainders; int64[C] with sum k.
    Budgets that are given, int64[C], are checked and kept.

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


def largest_remainders(exact: np.ndarray, k: int) -> np.ndarray:
    """Shares float64[C] with sum k, rounded to int64[C] with the same sum, by largest remainders."""
    whole = np.floor(exact + 1e-9).astype(np.int64)
    first = np.argsort(whole - exact, kind="stable")[: k - whole.sum()]
    whole[first] += 1
    return whole


def capped(wanted: np.ndarray, sizes: np.ndarray, k: int) -> np.ndarray:
    """k examples shared among classes in proportion to what is wanted, float64[C]; classes that are full pass on what
    they cannot take.

    Arguments:
        wanted: float64[C], at least 0.
        sizes: The sizes of the classes, int64[C].
        k: In 0..sum(sizes).
    """
    given, room = np.zeros(len(sizes)), sizes > 0
    while (excess := k - given.sum()) > 1e-9:
        share = wanted * room if (wanted * room).any() else sizes * room
        given = np.minimum(given + excess * share / share.sum(), sizes)
        room = given < sizes
    return given


def by_hardness(scores: Scores, rng: np.random.Generator) -> np.ndarray:
    """The positions from easiest to hardest, int64[n]; ties in random order."""
    order = rng.permutation(len(scores))
    return order[np.argsort(scores.hardness[order], kind="stable")]


def grouped(order: np.ndarray, groups: np.ndarray, count: int) -> list[np.ndarray]:
    """Positions by group, each group in the given order.

    Arguments:
        order: Positions, int64[m].
        groups: The group of each of them, int64[m] in 0..count - 1.
        count: The number of groups.
    """
    together = np.argsort(groups.astype(np.min_scalar_type(count)), kind="stable")
    return np.split(order[together], np.bincount(groups, minlength=count).cumsum()[:-1])
