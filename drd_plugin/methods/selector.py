"""The protocol of methods, those of other libraries included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..artifacts import Scores, Subset
from ..data import Split
from ..scores import Score
from ..strategies import Workbench
from ..training.recipe import Recipe

__all__ = ["Selector"]


class Selector(Protocol):
    """A method: selects a subset, and has a name."""

    name: str
    """The name in tables."""

    @property
    def ordering(self) -> Score | None:
        """The score that orders the examples; None for a method that has no score."""

    @property
    def scores(self) -> list[Score]:
        """The scores that `select` needs, the ordering first; empty for a method that has no score."""

    @property
    def needs_features(self) -> bool:
        """Whether `select` requests the proxy's features from the workbench."""

    @property
    def spec(self) -> list[Any]:
        """The dataclasses whose fields determine the selection, beside the scores, the fraction and the seed."""

    def why_not(self, split: Split, proxy: Recipe, device: str) -> str:
        """The reason why it cannot select from this split, with such proxies, on this device; empty if it can."""

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
        """Selects a subset.

        Arguments:
            scores: The scores of the training set; None for a method that has no score.
            fraction: The share to keep, in (0, 1].
            seed: The selection seed.
            workbench: Provides the further scores, features and networks that the method asks for.
            budget: The number of examples to keep, or for a class-wise method of each class, if another rule than this
                library's rounds the fraction.

        Raises:
            ValueError: If the fraction keeps nothing, or does not fit the method.
        """
