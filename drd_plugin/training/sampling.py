"""The protocol of samplers that choose the examples of each epoch anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

__all__ = ["EpochSampler"]


class EpochSampler(Protocol):
    """Chooses the examples of each epoch of a training; `drd_plugin.dynamic.DynamicSampler` is one."""

    @property
    def index(self) -> Tensor:
        """The epoch's examples in the order of presentation, int64[k]."""

    @property
    def weights(self) -> Tensor | None:
        """The loss weight of each example of the data set, float32[n]; None if all are 1."""

    def set_epoch(self, epoch: int, progress: float) -> None:
        """Chooses the examples of an epoch (from 0), which begins after the share `progress` of the training."""

    def update(self, index: Tensor, losses: Tensor, logits: Tensor) -> None:
        """Receives the results of a batch: positions int64[B], unweighted losses float32[B] and logits float[B, C]."""

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint: plain values and tensors by name."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the result of `state_dict`."""
