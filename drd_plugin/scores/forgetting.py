"""Forgetting events: how often a learned example is unlearned during training.

Published counts differ in the outputs and epochs that are counted, and in the count of an example that was never
learned:

| variant    | outputs of        | epochs counted | never learned        | used by                          |
|:-----------|:------------------|:---------------|:---------------------|:---------------------------------|
| `toneva`   | training steps    | all            | the number of epochs | the paper and its code           |
| `ccs`      | training steps    | all            | 0                    | CCS, D2 pruning, DUAL, DRoP      |
| `deepcore` | training steps    | the first 10   | 0                    | DeepCore's table (its code: all) |
| `bws`      | an evaluation     | all            | 0                    | BWS                              |

DeepCore's proxies see no augmentation, and it keeps the most forgotten of each class (`+PerClass`).

References:
    An Empirical Study of Example Forgetting during Deep Neural Network Learning (Toneva et al., 2019),
    https://arxiv.org/abs/1812.05159 https://github.com/mtoneva/example_forgetting (`order_examples_by_forgetting.py`)
    https://github.com/PatrickZH/DeepCore (`deepcore/methods/forgetting.py`)
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`generate_importance_score.py`)
    https://github.com/NohyunKi/BWS (`experiment/make_all_measure.py`)

Differences: the paper adds up five trainings; here `proxies` are averaged, which ranks alike. data_diet gives a never
learned example infinity, which a mean over runs does not survive.
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

__all__ = ["Forgetting"]

DEEPCORE_EPOCHS = 10


@dataclass(frozen=True)
class Forgetting(FoldScore):
    """The number of changes from a correct to a wrong prediction between consecutive epochs. In [0, epochs].

    Arguments:
        variant: `toneva`, `ccs`, `deepcore` or `bws`, see above.
        first_epochs: The number of first epochs that are counted; by default the variant's.
    """

    higher_is_harder = True

    variant: Literal["toneva", "ccs", "deepcore", "bws"] = "toneva"
    first_epochs: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "first_epochs")

    @override
    def last(self, epochs: int) -> int:
        default = min(DEEPCORE_EPOCHS, epochs) if self.variant == "deepcore" else epochs
        return epochs_watched(self, self.first_epochs, epochs, default)

    @override
    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        if epoch > self.last(epochs):
            return None
        return "eval" if self.variant == "bws" else "train"

    @override
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        import torch

        count = torch.zeros(n, dtype=torch.int32, device=device)
        return {"count": count, "correct": count.bool(), "learned": count.bool()}

    @override
    def update(self, state: State, outputs: Outputs) -> None:
        index, correct = outputs.index, outputs.correct
        state["count"][index] += (state["correct"][index] & ~correct).int()
        state["correct"][index] = correct
        state["learned"][index] |= correct

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        never = self.last(proxy.epochs) if self.variant == "toneva" else 0
        return state["count"].float().masked_fill(~state["learned"], never)
