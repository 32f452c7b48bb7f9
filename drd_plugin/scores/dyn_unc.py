r"""Dyn-Unc: dynamic uncertainty, the spread of the label's probability in a sliding window of epochs.

With p_t the probability of the label in epoch t, U_k = std(p_k, ..., p_{k+J-1}), the variance with J - 1 in the
denominator, and the score is the mean of U_k over all windows; the most uncertain are kept.

References:
    Large-scale Dataset Pruning with Dynamic Uncertainty (He et al., 2024), https://arxiv.org/abs/2306.05175
    https://github.com/BAAI-DCAI/Dataset-Pruning (`ImageNet/get_coreset.py`)

Differences: the official code multiplies by ten, which ranks alike, takes a probability of exactly 0 for an example
that was not seen, and leaves out the window that ends with the last epoch. That window is left out here too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from .base import epochs_watched
from .sliding import WindowScore

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DynUnc"]


@dataclass(frozen=True)
class DynUnc(WindowScore):
    """The standard deviation of the label's probability in a window of epochs, averaged over windows. In [0, 0.71).

    Arguments:
        window: J, the epochs in a window.
        first_epochs: T, the number of first epochs that are watched; all but the last by default.
    """

    @override
    def last(self, epochs: int) -> int:
        if self.first_epochs is None and epochs <= self.window:
            raise ValueError(
                f"DynUnc takes windows of {self.window} epochs and leaves out the last epoch, but the proxy trains for "
                f"{epochs}: train it for at least {self.window + 1}, or take a smaller window."
            )
        return epochs_watched(self, self.first_epochs, epochs, epochs - 1, self.window)

    @override
    def statistic(self, probabilities: Tensor) -> Tensor:
        return probabilities.std(dim=1)
