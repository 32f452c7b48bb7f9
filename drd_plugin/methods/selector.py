"""What a method must be able to do, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..artifacts import Scores, Subset
from ..scores import Score
from ..strategies import Workbench

if TYPE_CHECKING:
    from ..data import Split
    from ..training.recipe import Recipe

__all__ = ["Selector"]


class Selector(Protocol):
    """Anything that selects a subset by name."""

    @property
    def name(self) -> str:
        """The name in tables."""

    @property
    def ordering(self) -> Score | None:
        """The score that orders the examples; None for a method that has no score."""

    @property
    def scores(self) -> list[Score]:
        """The scores that `select` needs, the ordering first; empty for a method that has no score."""

    @property
    def needs_features(self) -> bool:
        """Whether `select` asks for the features of the proxy."""

    @property
    def spec(self) -> list[Any]:
        """The dataclasses whose fields determine the selection, beside the scores, fraction and seed."""

    def why_not(self, split: Split, proxy: Recipe, device: str) -> str:
        """Why the method cannot select here at all, with such images, proxies and on this device; empty if it can."""

    def configured(self, name: str, settings: Mapping[str, Any]) -> Selector:
        """The same method under another name, with other settings."""

    def select(
        self,
        scores: Scores | None,
        fraction: float,
        seed: int,
        workbench: Workbench | None = None,
        budget: int | np.ndarray | None = None,
    ) -> Subset:
        """Selects a subset; see `Method.select`."""
