"""AUM: the area under the margin.

- `logits`: the margin of the paper, the label's logit less the largest other logit;
- `probabilities`: the same with probabilities (the softmax of the logits), as in CCS, D2 pruning and DataCull.

References:
    Identifying Mislabeled Data using the Area Under the Margin Ranking (Pleiss et al., 2020),
    https://arxiv.org/abs/2001.10528 https://github.com/asappresearch/aum
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`generate_importance_score.py`)

Differences: the paper stops before the learning rate first drops; here `first_epochs` says when, and all epochs count
by default, since the rate of a cosine drops from the start. CCS adds the margins up over the epochs, which ranks alike;
its logits were rounded to half precision. On GPUs the recipe's precision `auto` computes logits in bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from typing_extensions import override

from ..core.registry import check_least
from .base import FoldScore, Proxy, epochs_watched

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["AUM"]


@dataclass(frozen=True)
class AUM(FoldScore):
    """The mean margin of an example over all its training steps: the label's logit less the largest other logit. Low is
    hard.

    Unbounded for logits, in [-1, 1] for probabilities.

    Arguments:
        margin: `logits` or `probabilities`, see above.
        first_epochs: The number of first epochs that are counted; all by default.
    """

    higher_is_harder = False

    margin: Literal["logits", "probabilities"] = "logits"
    first_epochs: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "first_epochs")

    @override
    def last(self, epochs: int) -> int:
        return epochs_watched(self, self.first_epochs, epochs)

    @override
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        import torch

        return {"total": torch.zeros(n, device=device), "count": torch.zeros(n, device=device)}

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        margin = outputs.margin if self.margin == "logits" else outputs.probability_margin
        state["total"].index_add_(0, outputs.index, margin)
        state["count"].index_add_(0, outputs.index, margin.new_ones(len(margin)))

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        return state["total"] / state["count"]
