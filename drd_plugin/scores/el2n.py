"""EL2N: the error norm of a network early in training.

References:
    Deep Learning on a Data Diet: Finding Important Examples Early in Training (Paul et al., 2021),
    https://arxiv.org/abs/2107.07075 https://github.com/mansheej/data_diet

Differences: none known in the default; the paper averages at least ten proxies, which is a setting of the scoring run
and not of the score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .base import FoldScore, Proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["EL2N"]


@dataclass(frozen=True)
class EL2N(FoldScore):
    """|| softmax(logits) - onehot(label) ||_2 on the un-augmented images in `eval` mode after an early epoch. In [0,
    sqrt(2)].

    Arguments:
        epoch: The epoch after which the outputs are taken; by default a tenth of the proxy's epochs, as the paper's 20
            of 200.
    """

    higher_is_harder = True

    epoch: int | None = None

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """See `FoldScore`."""
        wanted = self.epoch if self.epoch is not None else max(1, round(epochs / 10))
        if not 1 <= wanted <= epochs:
            raise ValueError(
                f"EL2N reads the outputs after epoch {wanted}, but the proxy trains for {epochs}: choose an epoch in "
                f"1..{epochs}."
            )
        return "eval" if epoch == wanted else None

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """See `FoldScore`."""
        import torch

        return {"norm": torch.zeros(n, device=device)}

    def update(self, state: State, outputs: Outputs) -> None:
        """See `FoldScore`."""
        import torch.nn.functional as F

        wanted = F.one_hot(outputs.labels, outputs.probabilities.shape[1])
        state["norm"][outputs.index] = (outputs.probabilities - wanted).norm(dim=1)

    def compute(self, state: State, proxy: Proxy) -> Tensor:
        """See `FoldScore`."""
        return state["norm"]
