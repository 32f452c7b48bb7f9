"""EL2N: the error norm of a network early in training.

References:
    Deep Learning on a Data Diet: Finding Important Examples Early in Training (Paul et al., 2021),
    https://arxiv.org/abs/2107.07075 https://github.com/mansheej/data_diet
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`generate_importance_score.py`)

Variants: the paper reads one early epoch in evaluation mode, from at least ten proxies (`proxies=10`); BWS reads epoch
20 of a single one. CCS and D2 pruning add up the outputs of the training steps, augmented and with dropout and batch
normalisation in training mode, over the first ten epochs: `EL2N[first_epochs=10, outputs=train, aggregate=sum]`.

Differences: none known in the default but for the number of proxies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from ..core.registry import check_least
from .base import FoldScore, Proxy, epochs_watched

if TYPE_CHECKING:
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["EL2N"]


@dataclass(frozen=True)
class EL2N(FoldScore):
    """|| softmax(logits) - onehot(label) ||_2 on the un-augmented images in `eval` mode after an early epoch. In [0,
    sqrt(2)] for one epoch or a mean.

    Arguments:
        epoch: The epoch whose outputs count; by default at a tenth of the proxy's epochs, as the paper's 20 of 200.
        first_epochs: The number of first epochs, instead of a single one.
        outputs: The outputs of an evaluation after the epoch (`eval`) or of the training steps (`train`).
        aggregate: Whether several epochs are averaged (`mean`) or added up (`sum`).
    """

    higher_is_harder = True

    epoch: int | None = None
    first_epochs: int | None = None
    outputs: Literal["eval", "train"] = "eval"
    aggregate: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "epoch", "first_epochs")
        if self.epoch is not None and self.first_epochs is not None:
            raise ValueError(
                f"EL2N reads one epoch or the first ones, got epoch={self.epoch} and first_epochs={self.first_epochs}."
            )

    @override
    def last(self, epochs: int) -> int:
        if self.first_epochs is not None:
            return epochs_watched(self, self.first_epochs, epochs)
        epoch = self.epoch if self.epoch is not None else max(1, round(epochs / 10))
        if epoch > epochs:
            raise ValueError(
                f"EL2N reads the outputs after epoch {epoch}, but the proxy trains for {epochs}: choose an epoch in "
                f"1..{epochs}."
            )
        return epoch

    @override
    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        last = self.last(epochs)
        return self.outputs if epoch == last or (self.first_epochs is not None and epoch < last) else None

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        import torch.nn.functional as F

        targets = F.one_hot(outputs.labels, outputs.probabilities.shape[1])
        state["total"][outputs.index] += (outputs.probabilities - targets).norm(dim=1)

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        mean_over = self.first_epochs if self.first_epochs is not None and self.aggregate == "mean" else 1
        return state["total"] / mean_over
