"""A sampler that notes what it does: how examples are used, and how long it takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from ...dynamic import DynamicSampler, FactorCurriculum

__all__ = ["WatchedSampler", "usage_entropy"]


class WatchedSampler(DynamicSampler):
    """A `DynamicSampler` with a clock and a diary.

    Attributes:
        seconds: What choosing and listening took.
        trajectory: For each epoch its `progress`, its number of `examples`, the `entropy` of the usage after it, and
            for a `FactorCurriculum` λ as `level` and the mean `rarity` of its examples.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.seconds, self.trajectory = 0.0, list[dict[str, float]]()

    def set_epoch(self, epoch: int, progress: float | None = None) -> None:
        """See `DynamicSampler`."""
        start = time.perf_counter()
        super().set_epoch(epoch, progress)
        self.seconds += time.perf_counter() - start
        noted = {"progress": progress or 0.0, "examples": len(self.index), "entropy": usage_entropy(self.uses)}
        if isinstance(self.method, FactorCurriculum):
            noted["level"] = self.method.level(self.plan.part(noted["progress"]))
            noted["rarity"] = float(self.examples.values["rarity"][self.index].mean())
        self.trajectory.append({key: round(value, 5) for key, value in noted.items()})

    def state_dict(self, taken: int | None = None) -> dict[str, Any]:
        """See `DynamicSampler`; the clock and the diary are in it."""
        return {**super().state_dict(taken), "seconds": self.seconds, "trajectory": self.trajectory}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `DynamicSampler`."""
        super().load_state_dict(state)
        self.seconds, self.trajectory = state["seconds"], [*state["trajectory"]]

    def update(self, index: Tensor, losses: Tensor, logits: Tensor | None = None) -> None:
        """See `DynamicSampler`."""
        start = time.perf_counter()
        super().update(index, losses, logits)
        self.seconds += time.perf_counter() - start


def usage_entropy(uses: np.ndarray) -> float:
    """The entropy of the shares of all uses over log n, in [0, 1]; 1 where all examples were used alike.

    Arguments:
        uses: int64[n], not all zero.
    """
    from scipy.stats import entropy

    return float(entropy(uses) / np.log(len(uses))) if len(uses) > 1 else 1.0
