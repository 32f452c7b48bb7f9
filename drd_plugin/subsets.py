"""A subset by a strategy from any scores, with all that decided it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .artifacts import Features, Scores, Subset
from .provenance import describe
from .rng import generator
from .strategies import Strategy, Workbench, kept

__all__ = ["decided_by", "select_by"]


def select_by(
    strategy: Strategy,
    scores: Scores,
    fraction: float,
    seed: int,
    workbench: Workbench | None,
    name: str,
    budget: int | np.ndarray | None = None,
) -> Subset:
    """Selects a subset by a strategy, from any scores.

    Arguments:
        strategy: Selects from the order.
        scores: The scores of the training set.
        fraction: The share that is kept, in (0, 1].
        seed: The selection seed.
        workbench: Trains networks for the strategies that need it; how it does goes into the provenance.
        name: What made the subset, for tables.
        budget: The number of examples to keep, or of each class for a class-wise strategy, where another rule than this
            library's rounds the fraction.

    Raises:
        ValueError: If the fraction keeps nothing, or does not fit the strategy.
    """
    k = kept(fraction, len(scores)) if budget is None else budget
    noted: dict[str, Any] = {}
    bench = None if workbench is None else _Noting(workbench, noted)
    selection = strategy.select(scores, k, generator(seed, "selection"), bench)
    return Subset(
        indices=selection.indices,
        n=len(scores),
        method=name,
        fingerprint=scores.fingerprint,
        chosen=selection.chosen,
        provenance=decided_by(strategy, scores, fraction, seed, workbench) | ({"further": noted} if noted else {}),
    )


def decided_by(
    strategy: Strategy, scores: Scores, fraction: float, seed: int, workbench: Workbench | None
) -> dict[str, Any]:
    """What decides a subset, as it stands in its provenance; see `select_by`."""
    return {
        "strategy": describe(strategy),
        "fraction": fraction,
        "seed": seed,
        "trained": dict(workbench.settings) if workbench is not None and strategy.trains else None,
        "score": {"name": scores.name, "provenance": dict(scores.provenance)},
    }


@dataclass(frozen=True)
class _Noting:
    """A workbench that notes which scores and features it has given, with their provenance."""

    workbench: Workbench
    noted: dict[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.workbench.settings

    def scores(self, name: str) -> Scores:
        found = self.workbench.scores(name)
        self.noted[name] = dict(found.provenance)
        return found

    def proxy_features(self) -> Features:
        found = self.workbench.proxy_features()
        self.noted["features"] = dict(found.provenance)
        return found

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        return self.workbench.predictions(indices)

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.workbench.features(indices, epochs)
