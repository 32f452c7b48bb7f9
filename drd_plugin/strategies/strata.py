"""CCS: cover the whole range of the score with strata, after cutting off the hardest examples.

References:
    Coverage-centric Coreset Selection for High Pruning Rates (Zheng et al., 2023), https://arxiv.org/abs/2210.15809
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection

Differences: none known in the allocation (equal-width strata, smallest first, each min(its size, remaining // strata
left)). The official code widens the last stratum by a factor of 1.0001 to hold the maximum; here the last stratum is
closed. The paper tunes the cut-off for each data set and budget; the default here takes its CIFAR-10 settings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench

__all__ = ["Strata"]

CIFAR10_CUTOFFS = {0.7: 0.0, 0.5: 0.0, 0.3: 0.1, 0.2: 0.1, 0.1: 0.3}
"""The paper's cut-off for each kept fraction of CIFAR-10."""


@dataclass(frozen=True)
class Strata(Strategy):
    """Drops the hardest examples, cuts the score's range into strata of equal width, and shares the budget among them.

    Arguments:
        strata: The number of strata.
        cutoff: The share of the data set that is dropped as too hard, in [0, 1 - fraction]; by default the paper's
            value for the nearest fraction of CIFAR-10 (0.3 at 10 % kept, 0.1 at 20 and 30 %, 0 from 50 % on).
        cutoff_score: The score by which the hardest are found; the official code takes AUM whatever score is
            stratified. Empty: the stratified score itself.
    """

    strata: int = 50
    cutoff: float | None = None
    cutoff_score: str = "AUM"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strata < 1:
            raise ValueError(f"expected at least one stratum, got {self.strata}.")
        if self.cutoff is not None and not 0 <= self.cutoff < 1:
            raise ValueError(f"a cut-off is a share in [0, 1), got {self.cutoff}.")

    @property
    def asks(self) -> tuple[str, ...]:
        """See `Strategy`."""
        return (self.cutoff_score,) if self.cutoff_score and self.cutoff != 0 else ()

    def select(self, scores: Scores, k: int, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        """See `Strategy`.

        Raises:
            ValueError: If the cut-off drops more than may be dropped, or another score is needed and there is no
                workbench.
        """
        n = len(scores)
        cutoff = self.cutoff if self.cutoff is not None else paper_cutoff(k / n)
        dropped = round(cutoff * n)
        if dropped > n - k:
            raise ValueError(
                f"a cut-off of {cutoff} drops {dropped} of {n} examples, but to keep {k} at most {n - k} may be "
                "dropped: "
                f"lower the cut-off to {(n - k) / n:.3f}."
            )
        judge = self._judge(scores, workbench) if dropped else scores
        easy = np.lexsort((rng.random(n), judge.hardness))[: n - dropped]
        stratum = strata_of(scores.values[easy], self.strata)
        budgets = allocate(np.bincount(stratum, minlength=self.strata), k)
        members = (easy[stratum == s] for s in range(self.strata))
        parts = [rng.choice(m, budget, replace=False) for m, budget in zip(members, budgets, strict=True) if budget]
        return Selection(np.concatenate(parts), {"cutoff": cutoff})

    def _judge(self, scores: Scores, workbench: Workbench | None) -> Scores:
        if self.cutoff_score in ("", scores.name):
            return scores
        if workbench is None:
            raise ValueError(
                f"Strata drops the hardest by {self.cutoff_score}, but only {scores.name} is at hand: give the "
                f"{self.cutoff_score} scores too (--other-scores on the command line), or cutoff_score='' to drop by "
                f"{scores.name}, or cutoff=0."
            )
        return workbench.scores(self.cutoff_score)


def paper_cutoff(fraction: float) -> float:
    """The paper's CIFAR-10 cut-off at the nearest kept fraction, never more than may be dropped."""
    nearest = min(CIFAR10_CUTOFFS, key=lambda f: (abs(f - fraction), -f))
    return min(CIFAR10_CUTOFFS[nearest], max(0.0, 1 - fraction))


def strata_of(values: np.ndarray, count: int) -> np.ndarray:
    """The stratum of each value, int64[n] in 0..count - 1, for strata of equal width between the least and the greatest
    value.
    """
    low, high = float(values.min()), float(values.max())
    if high == low:
        return np.zeros(len(values), np.int64)
    return np.minimum(((values.astype(np.float64) - low) / (high - low) * count).astype(np.int64), count - 1)


def allocate(sizes: np.ndarray, k: int) -> np.ndarray:
    """Shares k among strata, smallest first: each gets min(its size, remaining // strata left); int64 with sum k where
    the sizes allow.
    """
    budgets, remaining = np.zeros(len(sizes), np.int64), k
    for place, s in enumerate(np.argsort(sizes, kind="stable")):
        budgets[s] = min(sizes[s], remaining // (len(sizes) - place))
        remaining -= budgets[s]
    return budgets
