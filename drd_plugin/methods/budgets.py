"""Whether a fraction suffices for a strategy, known before any score is computed."""

from __future__ import annotations

import numpy as np

from ..artifacts import Scores
from ..core.seeds import generator
from ..strategies import D2, ClassQuotas, Window
from ..strategies.base import Strategy, budget_of, class_budgets
from ..strategies.class_quotas import quotas

__all__ = ["check_budget"]


def check_budget(strategy: Strategy | None, labels: np.ndarray, fraction: float) -> None:
    """Checks that a fraction suffices.

    Arguments:
        strategy: The strategy; None for a method of another library, of which only the number of examples is known.
        labels: The class of each training example, int64[n].
        fraction: The share to keep, in (0, 1].

    Raises:
        ValueError: If it keeps nothing, leaves a class without an example where the strategy works class by class, or
            does not fit the strategy.
    """
    k = budget_of(fraction, len(labels))
    if isinstance(strategy, ClassQuotas):
        sizes = np.bincount(labels)
        quotas(np.full(len(sizes), 0.5), sizes, k)
    elif isinstance(strategy, Window):
        trial = Scores("trial", np.zeros((len(labels), 1)), labels, True, "")
        strategy.select(trial, k, generator(0, "trial"))
    elif strategy is not None and strategy.classwise and not isinstance(strategy, D2):
        class_budgets(labels, k)
