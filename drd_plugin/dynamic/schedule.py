"""Schedules of λ: functions of the progress p in [0, 1] that rise from 0 to 1."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["Shape", "rise"]

Shape = Literal["cosine", "sigmoid", "linear"]


def rise(shape: Shape, progress: float, steepness: float = 10.0) -> float:
    """λ at progress p: 0 at the beginning, 1/2 in the middle and 1 at the end.

    Arguments:
        shape: `cosine`: (1 - cos πp) / 2; `sigmoid`: the logistic function of steepness (p - 1/2), stretched to reach 0
            and 1; `linear`: p.
        progress: p in [0, 1].
        steepness: Of the sigmoid, above 0.
    """
    if shape == "cosine":
        return (1 - math.cos(math.pi * progress)) / 2
    if shape == "linear":
        return progress
    end = math.tanh(steepness / 4)
    return (1 + math.tanh(steepness * (progress - 0.5) / 2) / end) / 2
