"""Any strategy within each class: the class shares of the data set are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..artifacts import Scores
from .base import Selection, Strategy, Workbench, class_budgets
from .hardest import Hardest

__all__ = ["PerClass"]


@dataclass(frozen=True)
class PerClass(Strategy):
    """Applies a strategy to each class, with budgets in proportion to the class sizes (largest remainders).

    Arguments:
        inner: The strategy; not one that trains networks, since those need all classes.
    """

    classwise = True

    inner: Strategy = field(default_factory=Hardest)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inner.classwise:
            raise ValueError(f"{type(self.inner).__name__} works class by class already.")

    @property
    def asks(self) -> tuple[str, ...]:
        """See `Strategy`."""
        return self.inner.asks

    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """See `Strategy`; `chosen` lists what the inner strategy settled on, class by class."""
        parts, chosen = [], []
        for c, budget in enumerate(class_budgets(scores.labels, k)):
            members = np.flatnonzero(scores.labels == c)
            if not budget:
                continue
            part = replace(scores, estimates=scores.estimates[members], labels=scores.labels[members])
            selection = self.inner.select(part, int(budget), rng, workbench and _OneClass(workbench, members))
            parts.append(members[selection.indices])
            chosen.append(dict(selection.chosen))
        return Selection(np.concatenate(parts), {"classes": chosen} if any(chosen) else {})


@dataclass(frozen=True)
class _OneClass:
    """A workbench that shows the scores of one class."""

    workbench: Workbench
    members: np.ndarray

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.workbench.settings

    def scores(self, name: str) -> Scores:
        scores = self.workbench.scores(name)
        return replace(scores, estimates=scores.estimates[self.members], labels=scores.labels[self.members])

    def accuracy(self, indices: np.ndarray, reference: np.ndarray) -> float:
        return self.workbench.accuracy(self.members[indices], self.members[reference])

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.workbench.features(self.members[indices], epochs)[self.members]
