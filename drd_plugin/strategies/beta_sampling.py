r"""DUAL's Beta sampling: the fewer are kept, the easier they are.

Examples are drawn without replacement with probabilities in proportion to s_i Beta(m_i; a, b), where s is the score and
m the mean probability of the label. With r the share that is pruned and mu the mean of m over the ten examples with the
highest scores,

    b = 15 (1 - mu) (1 - r^c),   a = 16 - b,

so that the density moves from those hard examples to easier ones as more is pruned.

References:
    Lightweight Dataset Pruning without Full Training via Example Difficulty and Prediction Uncertainty (Cho et al.,
    2025), https://arxiv.org/abs/2502.06905 https://github.com/behaapyy/dual-pruning (`exp_cifar/data_subset.py`,
    `beta_sampling`)

Differences: none known; examples of probability zero are drawn only where the others do not suffice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench, by_hardness

__all__ = ["BetaSampling", "beta_parameters"]

ANCHORS = 10
"""The highest scores whose mean probability anchors the density."""

SUM = 16.0
"""a + b."""


@dataclass(frozen=True)
class BetaSampling(Strategy):
    """Draws examples by their score times a Beta density of the label's mean probability.

    Arguments:
        c: The exponent by which the density moves with the pruned share; 4 on CIFAR-100 in the official code.
        mean_score: The score that gives the mean probability of the label, in [0, 1], over the epochs that the score
            watches; `Confidence[early=true]` for DUAL's default.
    """

    c: float = 4.0
    mean_score: str = "Confidence[early=true]"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.c > 0:
            raise ValueError(f"BetaSampling.c is positive, got {self.c}.")

    @property
    @override
    def needs_scores(self) -> tuple[str, ...]:
        return (self.mean_score,)

    @override
    def select(self, scores: Scores, k: int, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        """`chosen` holds a and b.

        Raises:
            ValueError: If there is no workbench, or a mean probability is not in [0, 1].
        """
        if workbench is None:
            raise ValueError(
                f"BetaSampling needs the {self.mean_score} scores too: give them (--other-scores on the command line)."
            )
        mean = workbench.scores(self.mean_score).values.astype(np.float64)
        if mean.min() < 0 or mean.max() > 1:
            raise ValueError(
                f"{self.mean_score} must be a probability in [0, 1], got {mean.min():.3g} to {mean.max():.3g}."
            )
        a, b = beta_parameters(float(mean[by_hardness(scores, rng)[-ANCHORS:]].mean()), 1 - k / len(scores), self.c)
        weight = density(mean, a, b) * (scores.hardness - min(0.0, float(scores.hardness.min())))
        chosen, likely = {"a": round(a, 4), "b": round(b, 4)}, np.flatnonzero(weight > 0)
        if len(likely) < k:
            rest = rng.permutation(np.flatnonzero(weight <= 0))
            return Selection(np.concatenate([likely, rest[: k - len(likely)]]), chosen)
        waits = rng.exponential(size=len(likely)) / weight[likely]  # the first k arrivals are k draws one by one
        return Selection(likely[np.argpartition(waits, k - 1)[:k]], chosen)


def beta_parameters(anchor: float, pruned: float, c: float) -> tuple[float, float]:
    """(a, b) from the anchors' mean probability and the pruned share, both in [0, 1]."""
    b = (SUM - 1) * (1 - anchor) * (1 - pruned**c)
    return SUM - b, b


def density(mean: np.ndarray, a: float, b: float) -> np.ndarray:
    """The Beta density at each mean probability, float64[n], finite."""
    from scipy.stats import beta

    return np.nan_to_num(beta.pdf(mean, a, max(b, 1e-9)), nan=0.0, posinf=np.finfo(float).max / 1e6)
