"""Any strategy within each class: the class shares of the data set are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..artifacts import Features, Scores
from .base import Selection, Strategy, Workbench, class_budgets, grouped
from .hardest import Hardest

__all__ = ["PerClass"]


@dataclass(frozen=True)
class PerClass(Strategy):
    """Applies a strategy to each class, with budgets in proportion to the class sizes (largest remainders).

    Arguments:
        inner: The strategy; not one that trains networks, since those need all classes.
    """

    inner: Strategy = field(default_factory=Hardest)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.classwise:
            raise ValueError(f"{type(self.inner).__name__} works class by class already.")

    @property
    def classwise(self) -> bool:
        """See `Strategy`."""
        return True

    @property
    def sees_features(self) -> bool:
        """See `Strategy`."""
        return self.inner.sees_features

    @property
    def asks(self) -> tuple[str, ...]:
        """See `Strategy`."""
        return self.inner.asks

    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """See `Strategy`; `chosen` lists what the inner strategy settled on, class by class."""
        parts, chosen = [], []
        budgets = class_budgets(scores.labels, k)
        classes = grouped(np.arange(len(scores)), scores.labels, len(budgets))
        for members, budget in zip(classes, budgets, strict=True):
            if not budget:
                continue
            here = workbench and _OneClass(workbench, members)
            selection = self.inner.select(scores.at(members), int(budget), rng, here)
            parts.append(members[selection.indices])
            chosen.append(dict(selection.chosen))
        return Selection(np.concatenate(parts), {"classes": chosen} if any(chosen) else {})


@dataclass(frozen=True)
class _OneClass:
    """A workbench that shows one class."""

    workbench: Workbench
    members: np.ndarray

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.workbench.settings

    def scores(self, name: str) -> Scores:
        return self.workbench.scores(name).at(self.members)

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        return self.workbench.predictions(self.members[indices])[self.members]

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.workbench.features(self.members[indices], epochs)[self.members]

    def proxy_features(self) -> Features:
        found = self.workbench.proxy_features()
        return replace(found, values=found.values[self.members])
