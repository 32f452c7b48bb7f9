"""CCS: cover the whole range of the score with strata, after cutting off the hardest examples.

- `official`: drop the hardest by AUM; strata of equal width over the whole set; the budget goes to the strata from the
  smallest to the largest, each of which gets min(its size, remaining budget // remaining strata).
- `drd`: the comparison in DRD's paper, which sorts each class by the score, divides it into strata, and samples equally
  from each: strata of equal size within each class, no cut-off.

References:
    Coverage-centric Coreset Selection for High Pruning Rates (Zheng et al., 2023), https://arxiv.org/abs/2210.15809
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`CoresetSelection.stratified_sampling`)
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274

Differences: the official code raises the greatest value by a factor of 1.0001, so that the last stratum holds it; where
that value is negative, its last stratum loses examples, and ours does not. Its budget is int(fraction * n), and where
the allocation ends short of the budget it keeps fewer. Its AUM is that of probabilities
(`AUM[margin=probabilities]+CCS[cutoff_score=AUM[margin=probabilities]]`); the paper names the AUM of Pleiss et al. The
paper tunes the cut-off for each data set and budget; the
default here takes its CIFAR-10 settings. DRD's paper does not say how many strata it has; 50 here, as in CCS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from ..core.registry import check_least
from .base import Selection, Strategy, Workbench, by_hardness, class_budgets, grouped
from .cutoff import check_cutoff, cut_off

__all__ = ["Strata"]


@dataclass(frozen=True)
class Strata(Strategy):
    """Cuts the score's range into strata, and shares the budget among them.

    Arguments:
        variant: `official` or `drd`, see above.
        strata: The number of strata; for `drd`, of each class.
        cutoff: The share of the data set that is dropped as too hard, in [0, 1 - fraction]; by default the paper's
            value for the nearest fraction of CIFAR-10 (0.3 at 10 % kept, 0.1 at 20 and 30 %, 0 from 50 % on). `drd` has
            none.
        cutoff_score: The score by which the hardest are found; the official code takes AUM whatever score is
            stratified. Empty: the stratified score itself.
    """

    variant: Literal["official", "drd"] = "official"
    strata: int = 50
    cutoff: float | None = None
    cutoff_score: str = "AUM"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "strata")
        check_cutoff(self.cutoff)
        if self.classwise and self.cutoff:
            raise ValueError(f"the variant drd of CCS has no cut-off, got cutoff={self.cutoff}.")

    @property
    @override
    def classwise(self) -> bool:
        return self.variant == "drd"

    @property
    @override
    def needs_scores(self) -> tuple[str, ...]:
        return (self.cutoff_score,) if self.cutoff_score and self.cutoff != 0 and not self.classwise else ()

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """`chosen` holds the cut-off.

        Raises:
            ValueError: If the cut-off leaves too few examples, another score is needed and there is no workbench, or a
                class would get no example.
        """
        if self.classwise:
            return self._within_classes(scores, k, rng)
        easy, cutoff = cut_off(scores, int(k), self.cutoff, self.cutoff_score, rng, workbench)
        stratum = strata_of(scores.values[easy], self.strata)
        budgets = allocate(np.bincount(stratum, minlength=self.strata), int(k))
        return Selection(_draw(easy, stratum, budgets, rng), {"cutoff": cutoff})

    def _within_classes(self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator) -> Selection:
        budgets, order = class_budgets(scores.labels, k), by_hardness(scores, rng)
        ranked = np.concatenate(grouped(order, scores.labels[order], len(budgets)))
        sizes = np.stack([_even(size, self.strata) for size in np.bincount(scores.labels)])
        shares = [_allocate_fairly(row, budget, rng) for row, budget in zip(sizes, budgets.tolist(), strict=True)]
        stratum = np.repeat(np.arange(sizes.size), sizes.ravel())
        return Selection(_draw(ranked, stratum, np.concatenate(shares), rng))


def _even(size: int, count: int) -> np.ndarray:
    """The sizes of `count` parts of `size` examples that differ by one at most, int64[count]."""
    return np.full(count, size // count) + (np.arange(count) < size % count)


def _allocate_fairly(sizes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """`allocate` with strata of equal size in random order, so that the remainder does not always go to the last."""
    order = rng.permutation(len(sizes))
    budgets = np.empty(len(sizes), np.int64)
    budgets[order] = allocate(sizes[order], k)
    return budgets


def _draw(positions: np.ndarray, groups: np.ndarray, budgets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws positions uniformly within each group, int64[sum of the budgets].

    Arguments:
        positions: int64[m].
        groups: The group of each position, int64[m].
        budgets: The number to draw from each group, at most its size, int64[G].
        rng: Draws.
    """
    shuffled = rng.permutation(len(positions))
    together = np.concatenate(grouped(shuffled, groups[shuffled], len(budgets)))
    sizes = np.bincount(groups, minlength=len(budgets))
    place = np.arange(len(together)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return positions[together[place < np.repeat(budgets, sizes)]]


def strata_of(values: np.ndarray, count: int) -> np.ndarray:
    """The stratum of each value, for strata of equal width from the least value to the greatest, with the official
    code's margin.

    Arguments:
        values: float32[n].
        count: The number of strata.

    Returns:
        int64[n] in 0..count - 1; all 0 where all values are the same.
    """
    low, high = values.min(), values.max()
    if high == low:
        return np.zeros(len(values), np.int64)
    end = high * np.float32(1.0001 if high > 0 else 0.9999)
    edges = low + np.arange(1, count, dtype=np.float32) * ((end - low) / np.float32(count))
    return np.searchsorted(edges, values, side="right")


def allocate(sizes: np.ndarray, k: int) -> np.ndarray:
    """The budget of each stratum, int64 with sum k if the sizes allow: from the smallest to the largest, each gets
    min(its size, remaining budget // remaining strata).
    """
    budgets, remaining = np.zeros(len(sizes), np.int64), int(k)
    for count, stratum in zip(range(len(sizes), 0, -1), np.argsort(sizes, kind="stable"), strict=True):
        budgets[stratum] = min(int(sizes[stratum]), remaining // count)
        remaining -= int(budgets[stratum])
    return budgets
