"""Applying a strategy to scores: a `Subset` with the settings that determine it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..artifacts import Scores, Subset
from ..core.provenance import describe
from ..core.seeds import generator
from .base import Strategy, budget_of
from .workbench import Workbench

__all__ = ["apply_strategy", "settings_of"]

log = logging.getLogger(__name__)


def apply_strategy(
    strategy: Strategy,
    scores: Scores,
    fraction: float,
    seed: int,
    workbench: Workbench | None,
    name: str,
    budget: int | np.ndarray | None = None,
) -> Subset:
    """Selects a subset by a strategy, from any scores. Classes that are left without an example are logged.

    Arguments:
        strategy: The strategy.
        scores: The scores of the training set.
        fraction: The share to keep, in (0, 1].
        seed: The selection seed.
        workbench: Provides the further scores, features and networks that the strategy asks for. Its settings and
            requests become part of the provenance.
        name: The method's name in tables.
        budget: The number of examples to keep, or for a class-wise strategy of each class, if another rule than this
            library's rounds the fraction.

    Raises:
        ValueError: If the fraction keeps nothing, or does not fit the strategy.
    """
    k = budget_of(fraction, len(scores)) if budget is None else budget
    if len(scores) > 1 and np.ptp(scores.values) == 0:
        log.warning("all %d %s scores are equal, so that %s selects at random", len(scores), scores.name, name)
    selection = strategy.select(scores, k, generator(seed, "selection"), workbench)
    _report_empty_classes(scores.labels, selection.indices, name, getattr(workbench, "classes", ()))
    provenance = settings_of(strategy, scores, fraction, seed, workbench)
    if workbench is not None and workbench.requests:
        provenance["further"] = dict(workbench.requests)
    return Subset(
        indices=selection.indices,
        n=len(scores),
        method=name,
        fingerprint=scores.fingerprint,
        chosen=selection.chosen,
        provenance=provenance,
    )


def _report_empty_classes(labels: np.ndarray, indices: np.ndarray, name: str, classes: Sequence[str]) -> None:
    """Logs the classes of which no example is selected."""
    present = np.unique(labels)
    empty = np.setdiff1d(present, labels[indices]).tolist()
    if empty:
        names = [str(classes[c]) if len(classes) else str(c) for c in empty[:5]]
        log.warning(
            "%s keeps %d of %d examples, and none of %d of the %d classes (%s%s): keep more, or select within classes",
            name, len(indices), len(labels), len(empty), len(present), ", ".join(names), ", ..." * (len(empty) > 5),
        )  # fmt: skip


def settings_of(
    strategy: Strategy, scores: Scores, fraction: float, seed: int, workbench: Workbench | None
) -> dict[str, Any]:
    """The entries of a subset's provenance that are known before the selection; see `apply_strategy`."""
    return {
        "strategy": describe(strategy),
        "fraction": fraction,
        "seed": seed,
        "trained": dict(workbench.settings) if workbench is not None and strategy.trains else None,
        "score": {"name": scores.name, "provenance": dict(scores.provenance)},
    }
