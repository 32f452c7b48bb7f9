"""What strategies and dynamic methods may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from ..artifacts import Features, Scores

__all__ = ["FactorValues", "Restricted", "Workbench"]


class FactorValues(Protocol):
    """What the factors of a data set say of each example; see `drd_plugin.factors.Factors`."""

    @property
    def representativeness(self) -> np.ndarray:
        """float32[n] in [0, 1]."""

    @property
    def rarity(self) -> np.ndarray:
        """float32[n], at least 0."""


class Workbench(Protocol):
    """Scores, features, factors and trained networks of one training set. It knows the training split alone; no
    strategy ever sees the test split.
    """

    @property
    def labels(self) -> np.ndarray:
        """The class of each example, int64[n]."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """How networks are trained, ready for JSON; empty where none can be."""

    @property
    def requests(self) -> Mapping[str, Any]:
        """The provenance of each score, of the features and of the factors that were asked for, ready for JSON."""

    def scores(self, name: str) -> Scores:
        """Another score of the same training set, by name in the registry, with settings."""

    def features(self) -> Features:
        """Penultimate features of the whole training set from the proxy that was trained on all of it, in the order of
        the scores.
        """

    def factors(self, source: str, autoencoder: Any) -> FactorValues:
        """The factors that an autoencoder (`drd_plugin.factors.Autoencoder`) finds in a feature space, by its name."""

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """Trains the benchmark's network on `indices` int64[k]; the classes that it predicts for the whole training
        set, int64[n].
        """

    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """Trains the benchmark's network on `indices` int64[k] for `epochs`; penultimate features of the whole training
        set, float32[n, d].
        """


@dataclass(frozen=True)
class Restricted(Workbench):
    """A workbench that shows some of the examples alone, numbered anew in their order.

    Arguments:
        whole: The workbench of all examples.
        members: The positions that are shown, int64[m].
    """

    whole: Workbench
    members: np.ndarray

    @property
    @override
    def labels(self) -> np.ndarray:
        return self.whole.labels[self.members]

    @property
    @override
    def settings(self) -> Mapping[str, Any]:
        return self.whole.settings

    @property
    @override
    def requests(self) -> Mapping[str, Any]:
        return self.whole.requests

    @override
    def scores(self, name: str) -> Scores:
        return self.whole.scores(name).at(self.members)

    @override
    def features(self) -> Features:
        features = self.whole.features()
        return replace(features, values=features.values[self.members])

    @override
    def factors(self, source: str, autoencoder: Any) -> FactorValues:
        raise ValueError("factors are those of the whole data set: within a class they cannot be asked for.")

    @override
    def predictions(self, indices: np.ndarray) -> np.ndarray:
        return self.whole.predictions(self.members[indices])[self.members]

    @override
    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.whole.features_after(self.members[indices], epochs)[self.members]
