r"""InfoBatch: a random part of the examples with a small loss is left out, and the rest of these weigh more instead.

With the last known loss of each example and their mean, an epoch leaves out the share r of the examples below the mean,
at random, and weighs the rest of these by 1 / (1 - r), so that the expected gradient is that of the whole data set. The
last epochs see all examples.

References:
    InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning (Qin et al., 2024),
    https://arxiv.org/abs/2303.04947 https://github.com/NUS-HPC-AI-Lab/InfoBatch (`infobatch/infobatch.py`)

Differences: an example that was never seen is not left out and not in the mean; the official code begins with the same
number for all, which leaves none out in the first epoch either. With m examples below the mean, round((1 - r) m) stay
and weigh m over that number, so that the weights sum up to n exactly. The closing epochs are those that end when more
than the share `delta` of the training is over, as there, where epochs are counted; here they differ in length, and an
epoch is taken to be as long as the one before it. The learning-rate schedules of the official code follow epochs; here
they follow what the training really does (see `drd_plugin.training`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from .base import Choice, Dynamic, Examples, Moment, State

__all__ = ["InfoBatch"]


@dataclass(frozen=True)
class InfoBatch(Dynamic):
    """Leaves out examples below the mean loss. The size of an epoch follows from the losses, not from a fraction.

    Arguments:
        ratio: The share r of the examples below the mean that is left out, in [0, 1).
        delta: Epochs that end after this share of the training, in (0, 1], see all examples.
    """

    sizes_itself = True

    ratio: float = 0.5
    delta: float = 0.875

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ratio < 1 or not 0 < self.delta <= 1:
            raise ValueError(f"expected ratio in [0, 1) and delta in (0, 1], got {self.ratio} and {self.delta}.")

    @override
    def begin(self, examples: Examples) -> State:
        """The last loss of each example, infinite before the first, and the progress at which the epoch began."""
        return {"loss": np.full(len(examples), np.inf, np.float32), "began": np.zeros(1)}

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        loss, end = state["loss"], 2 * moment.progress - float(state["began"][0])
        state["began"][0] = moment.progress
        finite = np.isfinite(loss)
        if end > self.delta + 1e-9 or not finite.any():
            return Choice(np.arange(len(loss)))
        below = loss < loss[finite].mean(dtype=np.float64)
        small, large = np.flatnonzero(below), np.flatnonzero(~below)
        stay = moment.rng.choice(small, math.floor((1 - self.ratio) * len(small) + 0.5), replace=False, shuffle=False)
        if not len(stay):
            return Choice(np.arange(len(loss)))
        weights = np.concatenate([np.ones(len(large)), np.full(len(stay), len(small) / len(stay))])
        return Choice(np.concatenate([large, stay]), weights, total=len(loss))

    @override
    def observe(self, state: State, index: np.ndarray, signal: np.ndarray) -> None:
        state["loss"][index] = signal
