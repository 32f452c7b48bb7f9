"""The base class of Dyn-Unc and DUAL: a statistic of the label's probability in a window that slides over the epochs.

Only the last J probabilities of each example are stored.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ..core.registry import check_least
from .base import FoldScore, Proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["WindowScore"]


@dataclass(frozen=True)
class WindowScore(FoldScore):
    """The mean over windows of a statistic of the label's probability in the training steps.

    Arguments:
        window: J, the epochs in a window.
        first_epochs: T, the number of first epochs that are watched; each score documents its default.
    """

    higher_is_harder = True

    window: int = 10
    first_epochs: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 2, "window")
        check_least(self, 1, "first_epochs")

    @abstractmethod
    def statistic(self, probabilities: Tensor) -> Tensor:
        """The statistic, float32[B], of the label's probabilities in a window, float32[B, J]."""

    @override
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        import torch

        return {"recent": torch.zeros(n, self.window, device=device), "total": torch.zeros(n, device=device)}

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        state["recent"][outputs.index, (outputs.epoch - 1) % self.window] = outputs.target_probability
        if outputs.epoch >= self.window:
            state["total"][outputs.index] += self.statistic(state["recent"][outputs.index])

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        return state["total"] / (self.last(proxy.epochs) - self.window + 1)
