"""Forgetting events: how often a learned example is unlearned during training.

References:
    An Empirical Study of Example Forgetting during Deep Neural Network Learning (Toneva et al., 2019),
    https://arxiv.org/abs/1812.05159 https://github.com/mtoneva/example_forgetting

Differences: the paper sums five trainings; here the number of proxies is a setting of the scoring run, and their scores
are averaged. The official code likewise looks at the minibatch outputs of the training steps, and gives an
example that was never learned the number of epochs. DeepCore, CCS and BWS give it 0 instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import FoldScore, Proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["Forgetting"]


@dataclass(frozen=True)
class Forgetting(FoldScore):
    """The number of steps from correct to wrong between consecutive presentations; the number of epochs for an example
    that was never classified correctly. In [0, epochs]."""

    higher_is_harder = True

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """See `FoldScore`."""
        import torch

        count = torch.zeros(n, dtype=torch.int32, device=device)
        return {"count": count, "correct": count.bool(), "learned": count.bool()}

    def update(self, state: State, outputs: Outputs) -> None:
        """See `FoldScore`."""
        index, correct = outputs.index, outputs.correct
        state["count"][index] += (state["correct"][index] & ~correct).int()
        state["correct"][index] = correct
        state["learned"][index] |= correct

    def compute(self, state: State, proxy: Proxy) -> Tensor:
        """See `FoldScore`."""
        return state["count"].float().masked_fill(~state["learned"], proxy.epochs)
