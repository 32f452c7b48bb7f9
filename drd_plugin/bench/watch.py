"""A sampler that records how examples are used and how long it takes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import entr
from torch import Tensor
from typing_extensions import override

from ..dynamic import DynamicSampler

__all__ = ["WatchedSampler", "usage_entropy"]


class WatchedSampler(DynamicSampler):
    """A `DynamicSampler` that records its seconds, and facts of each epoch.

    Attributes:
        seconds: The seconds of choosing examples and of observing their losses.
        trajectory: For each epoch its `progress`, its number of `examples`, the `entropy` of the usage after it, and
            what the method notes beside.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.seconds, self.trajectory = 0.0, list[dict[str, float]]()

    @override
    def set_epoch(self, epoch: int, progress: float | None = None) -> None:
        start = time.perf_counter()
        super().set_epoch(epoch, progress)
        self.seconds += time.perf_counter() - start
        progress = progress or 0.0
        notes = {"progress": progress, "examples": len(self.index), "entropy": usage_entropy(self.uses)}
        notes |= self.method.notes(self.examples, self.index.numpy(), self.plan.pruned_progress(progress))
        self.trajectory.append({key: round(value, 5) for key, value in notes.items()})

    @override
    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        return {**super().state_dict(position), "seconds": self.seconds, "trajectory": self.trajectory}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.seconds, self.trajectory = state["seconds"], [*state["trajectory"]]

    @override
    def update(self, index: Tensor, losses: Tensor, logits: Tensor | None = None) -> None:
        start = time.perf_counter()
        super().update(index, losses, logits)
        self.seconds += time.perf_counter() - start

    @property
    def run_fields(self) -> dict[str, Any]:
        """The fields of a `Run` that say how examples were used."""
        return {
            "usage_entropy": usage_entropy(self.uses),
            "usage_largest": float(self.uses.max() / self.uses.sum() * len(self.uses)),
            "usage_range": int(np.ptp(self.uses)),
            "seconds_sampler": self.seconds,
            "trajectory": json.dumps(self.trajectory),
        }


def usage_entropy(uses: np.ndarray) -> float:
    """The entropy of the examples' shares of all uses over log n, in [0, 1]; 1 where all were used alike.

    Arguments:
        uses: int64[n], not all zero.
    """
    return float(entr(uses / uses.sum()).sum() / np.log(len(uses))) if len(uses) > 1 else 1.0
