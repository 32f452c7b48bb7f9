"""The cut-off of CCS and D2 pruning: the hardest examples are dropped before anything is selected.

References:
    Coverage-centric Coreset Selection for High Pruning Rates (Zheng et al., 2023), https://arxiv.org/abs/2210.15809
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`CoresetSelection.mislabel_mask`)
"""

from __future__ import annotations

import numpy as np

from ..artifacts import Scores
from .base import Workbench, by_hardness

__all__ = ["check_cutoff", "cut_off", "paper_cutoff"]

CIFAR10_CUTOFFS = {0.7: 0.0, 0.5: 0.0, 0.3: 0.1, 0.2: 0.1, 0.1: 0.3}
"""The cut-off of CCS's paper for each kept fraction of CIFAR-10."""


def paper_cutoff(fraction: float) -> float:
    """The paper's CIFAR-10 cut-off at the nearest kept fraction, never more than may be dropped."""
    nearest = min(CIFAR10_CUTOFFS, key=lambda f: (round(abs(f - fraction), 9), -f))
    return min(CIFAR10_CUTOFFS[nearest], max(0.0, 1 - fraction))


def check_cutoff(cutoff: float | None) -> None:
    """Raises ValueError unless the cut-off is a share, or None."""
    if cutoff is not None and not 0 <= cutoff < 1:
        raise ValueError(f"a cut-off is a share in [0, 1), got {cutoff}.")


def cut_off(
    scores: Scores, k: int, cutoff: float | None, by: str, rng: np.random.Generator, workbench: Workbench | None
) -> tuple[np.ndarray, float]:
    """What is left without the hardest int(cutoff * n) examples.

    Arguments:
        scores: The scores that the strategy works with.
        k: How many examples will be selected.
        cutoff: The share that is dropped; None for that of CCS's paper.
        by: The name of the score that says which are the hardest; empty for `scores` itself, which also stand in for a
            score of their name where there is no workbench.
        rng: Breaks ties.
        workbench: Knows the other score.

    Returns:
        Their positions from easiest to hardest, int64[n - dropped], and the cut-off.

    Raises:
        ValueError: If fewer than k would be left, or the other score is needed and there is no workbench.
    """
    n = len(scores)
    share = paper_cutoff(k / n) if cutoff is None else cutoff
    dropped = int(share * n + 1e-9)
    if dropped > n - k:
        raise ValueError(
            f"a cut-off of {share} drops {dropped} of {n} examples, but to keep {k} at most {n - k} may be dropped: "
            f"lower the cut-off to {(n - k) / n:.3f}."
        )
    judge = _judge(scores, by, workbench) if dropped else scores
    return by_hardness(judge, rng)[: n - dropped], share


def _judge(scores: Scores, by: str, workbench: Workbench | None) -> Scores:
    if by == "" or (workbench is None and by == scores.name):
        return scores
    if workbench is None:
        raise ValueError(
            f"the hardest are dropped by {by}, but only {scores.name} is at hand: give the {by} scores too "
            f"(--other-scores on the command line), or cutoff_score='' to drop by {scores.name}, or cutoff=0."
        )
    return workbench.scores(by)
