"""The cut-off of CCS and D2 pruning: the hardest examples are dropped before the selection.

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
"""The cut-offs of CCS's paper for CIFAR-10, by the kept fraction."""


def paper_cutoff(fraction: float) -> float:
    """The paper's CIFAR-10 cut-off at the nearest kept fraction, at most 1 - fraction."""
    nearest = min(CIFAR10_CUTOFFS, key=lambda f: (round(abs(f - fraction), 9), -f))
    return min(CIFAR10_CUTOFFS[nearest], max(0.0, 1 - fraction))


def check_cutoff(cutoff: float | None) -> None:
    """Raises ValueError unless the cut-off is None or a share in [0, 1)."""
    if cutoff is not None and not 0 <= cutoff < 1:
        raise ValueError(f"a cut-off is a share in [0, 1), got {cutoff}.")


def cut_off(
    scores: Scores, k: int, cutoff: float | None, by: str, rng: np.random.Generator, workbench: Workbench | None
) -> tuple[np.ndarray, float]:
    """The examples without the hardest int(cutoff * n).

    Arguments:
        scores: The scores that the strategy works with.
        k: The number of examples to select afterwards.
        cutoff: The share to drop; None for that of CCS's paper.
        by: The name of the score by which the hardest are found; empty for `scores` itself. Without a workbench,
            `scores` also stands for a score of its name.
        rng: Breaks ties.
        workbench: Provides that score.

    Returns:
        The positions of the remaining examples from easiest to hardest, int64[n - dropped], and the cut-off.

    Raises:
        ValueError: If fewer than k examples would remain, or the other score is needed and there is no workbench.
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
