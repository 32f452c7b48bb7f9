r"""DUAL: difficulty and uncertainty from the first epochs of training.

With p_t the probability of the label in epoch t, the score is the mean over windows of J epochs, within the first T, of
std(p) (1 - mean(p)), with J - 1 in the denominator of the variance; the highest are kept.

References:
    Lightweight Dataset Pruning without Full Training via Example Difficulty and Prediction Uncertainty (Cho et al.,
    2025), https://arxiv.org/abs/2502.06905 https://github.com/behaapyy/dual-pruning
    (`exp_cifar/importance_evaluation.py`, `dual`)

Differences: the official code multiplies by ten, which ranks alike. T is 30 of 200 epochs on CIFAR; here the same
share of the proxy's epochs by default. The method DUAL is this score with the strategy `BetaSampling`, as in the paper
for high pruning ratios; `DUAL+Hardest` keeps the highest scores. With another `window` or `first_epochs`, name the
mean over the same epochs (`DUAL[first_epochs=20, mean_score=Confidence[first_epochs=20]]`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ..strategies import BetaSampling, Strategy
from .base import early_epochs, epochs_watched
from .sliding import WindowScore

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DUAL"]


@dataclass(frozen=True)
class DUAL(WindowScore):
    """The standard deviation of the label's probability in a window of early epochs, times one less its mean, averaged
    over windows. In [0, 0.71).

    Arguments:
        window: J, the epochs in a window.
        first_epochs: T, the number of first epochs that are watched; 15 % of the proxy's by default, at least a window.
    """

    @override
    def last(self, epochs: int) -> int:
        return epochs_watched(self, self.first_epochs, epochs, early_epochs(epochs, self.window), self.window)

    @override
    def why_not_with(self, strategy: Strategy) -> str:
        default = isinstance(strategy, BetaSampling) and strategy.mean_score == BetaSampling.mean_score
        if not default or self == DUAL():
            return ""
        return (
            "the sampling takes the label's mean probability over the epochs and proxies that DUAL watches by default; "
            "name it for these settings, as in DUAL[first_epochs=20, mean_score=Confidence[first_epochs=20]]."
        )

    @override
    def statistic(self, probabilities: Tensor) -> Tensor:
        return probabilities.std(dim=1) * (1 - probabilities.mean(dim=1))
