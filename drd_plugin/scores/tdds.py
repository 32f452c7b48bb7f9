r"""TDDS: temporal dual-depth scoring, how much the change of an example's predictions varies.

With p_t the probabilities in epoch t, the change is D_t = sum_c |p_t[c] log(p_t[c] / p_{t-1}[c])|. In a window of J
epochs (J - 1 changes) R_k = || D - mean(D) ||_2, and the score is sum_k beta (1 - beta)^(T - J - k) R_k over the
windows within the first T epochs; the highest are kept. With the paper's beta = 0.9 the last windows dominate.

References:
    Spanning Training Progress: Temporal Dual-Depth Scoring (TDDS) for Enhanced Dataset Pruning (Zhang et al., 2024),
    https://arxiv.org/abs/2311.13613 https://github.com/zhangxin-xd/Dataset-Pruning-TDDS (`importance_evaluation.py`)

Differences: none known in the score. The official code stores all probabilities of all epochs; here those of the last
epoch are stored until T, which is n x C numbers in memory and in checkpoints (5.1 GB for ImageNet), so that `record`
computes this score only if it is named. The official code takes another (T, J) for each budget; the default here is
that of its read-me, J = 10 and T = 30 of 200 epochs. DUAL's copy does not slide the window, and takes logarithms of
logits; its list of (T, J) for 30, 50, 70, 80 and 90 % pruned is (90, 10), (70, 10), (60, 20), (20, 10), (10, 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from ..core.registry import check_least
from .base import FoldScore, Proxy, early_epochs, epochs_watched

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["TDDS"]

TINY = 1e-8
"""Added to probabilities before logarithms, as in the official code."""


@dataclass(frozen=True)
class TDDS(FoldScore):
    """The spread of the epoch-to-epoch change of the predicted probabilities in a window, averaged over windows with
    growing weights. Non-negative.

    Arguments:
        window: J, the epochs in a window, at least 3.
        first_epochs: T, the number of first epochs that are watched; 15 % of the proxy's by default, at least a window.
        decay: beta, the weight of the newest window, in (0, 1].
    """

    higher_is_harder = True
    frugal = False

    window: int = 10
    first_epochs: int | None = None
    decay: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 3, "window")
        check_least(self, 1, "first_epochs")
        if not 0 < self.decay <= 1:
            raise ValueError(f"TDDS.decay is a weight in (0, 1], got {self.decay}.")

    @override
    def last(self, epochs: int) -> int:
        return epochs_watched(self, self.first_epochs, epochs, early_epochs(epochs, self.window), self.window)

    @override
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        import torch

        return {
            "before": torch.zeros(n, num_classes, device=device),
            "recent": torch.zeros(n, self.window - 1, device=device),
            "score": torch.zeros(n, device=device),
        }

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        index, probabilities = outputs.index, outputs.probabilities
        before, state["before"][index] = state["before"][index], probabilities
        if outputs.epoch == 1:
            return
        change = (probabilities * ((probabilities + TINY).log() - (before + TINY).log())).abs().sum(dim=1)
        state["recent"][index, (outputs.epoch - 2) % (self.window - 1)] = change
        if outputs.epoch >= self.window:
            recent = state["recent"][index]
            spread = (recent - recent.mean(dim=1, keepdim=True)).norm(dim=1)
            state["score"][index] = (1 - self.decay) * state["score"][index] + self.decay * spread

    @override
    def release(self, state: State, epoch: int, epochs: int) -> None:
        if epoch == self.last(epochs):
            state["before"] = state["before"][:0].clone()

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        return state["score"]
