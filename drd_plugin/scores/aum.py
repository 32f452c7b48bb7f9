"""AUM: the area under the margin.

References:
    Identifying Mislabeled Data using the Area Under the Margin Ranking (Pleiss et al., 2020),
    https://arxiv.org/abs/2001.10528 https://github.com/asappresearch/aum

Differences: the mean is over the whole training, whereas the paper stops before the learning rate first drops. CCS and
its descendants take the margin of probabilities instead of logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import FoldScore, Proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["AUM"]


@dataclass(frozen=True)
class AUM(FoldScore):
    """The mean over all presentations of the label's logit less the largest other logit, from the training steps.
    Unbounded; low is hard.
    """

    higher_is_harder = False

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """See `FoldScore`."""
        import torch

        return {"total": torch.zeros(n, device=device), "count": torch.zeros(n, device=device)}

    def update(self, state: State, outputs: Outputs) -> None:
        """See `FoldScore`."""
        state["total"][outputs.index] += outputs.margin
        state["count"][outputs.index] += 1

    def compute(self, state: State, proxy: Proxy) -> Tensor:
        """See `FoldScore`."""
        return state["total"] / state["count"]
