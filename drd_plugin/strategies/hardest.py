"""Hardest first: the simplest use of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench, by_hardness

__all__ = ["Hardest"]


@dataclass(frozen=True)
class Hardest(Strategy):
    """Keeps the k hardest examples of the whole set."""

    @override
    def select(self, scores: Scores, k: int, rng: np.random.Generator, workbench: Workbench | None = None) -> Selection:
        return Selection(by_hardness(scores, rng)[len(scores) - k :])
