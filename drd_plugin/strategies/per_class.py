"""Any strategy within each class: the subset has the class shares of the data set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from .base import Selection, Strategy, class_budgets, grouped
from .hardest import Hardest
from .workbench import Restricted, Workbench

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
    @override
    def classwise(self) -> bool:
        return True

    @property
    @override
    def needs_features(self) -> bool:
        return self.inner.needs_features

    @property
    @override
    def needs_scores(self) -> tuple[str, ...]:
        return self.inner.needs_scores

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """`chosen` lists what the inner strategy chose, class by class."""
        parts, chosen = [], []
        budgets = class_budgets(scores.labels, k)
        classes = grouped(np.arange(len(scores)), scores.labels, len(budgets))
        for members, budget in zip(classes, budgets, strict=True):
            if not budget:
                continue
            restricted = workbench and Restricted(workbench, members)
            selection = self.inner.select(scores.at(members), int(budget), rng, restricted)
            parts.append(members[selection.indices])
            chosen.append(dict(selection.chosen))
        return Selection(np.concatenate(parts), {"classes": chosen} if any(chosen) else {})
