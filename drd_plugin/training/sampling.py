"""What a training asks of a sampler that chooses the examples of each epoch anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

__all__ = ["EpochSampler"]


class EpochSampler(Protocol):
    """See `drd_plugin.dynamic.DynamicSampler`."""

    @property
    def index(self) -> Tensor:
        """The epoch's examples in the order of presentation, int64[k]."""

    @property
    def weights(self) -> Tensor | None:
        """A loss weight for each example of the data set, float32[n]; None where all are 1."""

    def set_epoch(self, epoch: int, progress: float) -> None:
        """Chooses the examples of an epoch, from 0, which begins when the share `progress` of the training is over."""

    def update(self, index: Tensor, losses: Tensor, logits: Tensor) -> None:
        """What came of a batch: int64[B], float32[B] without weights, float[B, C]."""

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors by name."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave."""
