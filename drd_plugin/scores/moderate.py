"""Moderate's score: the distance to the class's median in feature space.

References:
    Moderate Coreset: A Universal Method of Data Selection for Real-world Data-efficient Deep Learning (Xia et al.,
    2023), https://openreview.net/forum?id=7D5EECbOaf9
    https://github.com/tmllab/2023_ICLR_Moderate-DS

- `median`: the coordinate-wise median, as in the official code;
- `mean`: the mean, as the paper's text defines a class's centre.

Differences: none known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from typing_extensions import override

from .base import FoldScore, Proxy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["Moderate"]


@dataclass(frozen=True)
class Moderate(FoldScore):
    """The Euclidean distance of the final proxy's penultimate features to the centre of the example's class.

    Non-negative. The method of the same name keeps the middle of this ranking, not its hard end.

    Arguments:
        center: `median` or `mean`, see above.
    """

    higher_is_harder = True

    center: Literal["median", "mean"] = "median"

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """None of the outputs; only the final network counts."""
        return None

    @override
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        return {}

    def update(self, state: State, outputs: Outputs) -> None:
        """Never called."""

    @override
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        import torch

        features, labels = proxy.features.numpy(), proxy.split.labels
        center = np.median if self.center == "median" else np.mean
        distance = np.empty(len(labels), np.float32)
        for c in range(proxy.split.num_classes):
            members = features[labels == c]
            distance[labels == c] = np.linalg.norm(members - center(members, axis=0), axis=1)
        return torch.from_numpy(distance)
