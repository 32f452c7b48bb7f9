"""Confidence: the mean probability of the label, the abscissa of dataset cartography and of DUAL's Beta sampling.

References:
    Dataset Cartography: Mapping and Diagnosing Datasets with Training Dynamics (Swayamdipta et al., 2020),
    https://arxiv.org/abs/2009.10795 https://github.com/allenai/cartography
    Lightweight Dataset Pruning without Full Training via Example Difficulty and Prediction Uncertainty (Cho et al.,
    2025), https://arxiv.org/abs/2502.06905 https://github.com/behaapyy/dual-pruning

Differences: cartography evaluates after each epoch; here, as in DUAL, the outputs are those of the training steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ..core.registry import check_least
from .base import FoldScore, Proxy, early_epochs, epochs_watched

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["Confidence"]


@dataclass(frozen=True)
class Confidence(FoldScore):
    """The probability of the label in the training steps, averaged over epochs. In [0, 1]; low is hard.

    Arguments:
        first_epochs: The number of first epochs that are watched; all by default.
        early: Whether to watch the epochs that DUAL watches by default: the first 15 % of the proxy's, at least ten.
    """

    higher_is_harder = False

    first_epochs: int | None = None
    early: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "first_epochs")
        if self.early and self.first_epochs is not None:
            raise ValueError(
                f"Confidence watches early epochs or the first ones, got first_epochs={self.first_epochs}."
            )

    @override
    def last(self, epochs: int) -> int:
        return epochs_watched(self, self.first_epochs, epochs, early_epochs(epochs) if self.early else epochs)

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        state["total"].index_add_(0, outputs.index, outputs.target_probability)

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        return state["total"] / self.last(proxy.epochs)
