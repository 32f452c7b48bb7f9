"""The workbench: the scores, features, factors and networks that strategies and dynamic methods may request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from ..artifacts import Features, Scores

__all__ = ["FactorValues", "Restricted", "Workbench"]


class FactorValues(Protocol):
    """Two values of each example by the factors of a data set; see `drd_plugin.factors.Factors`."""

    @property
    def representativeness(self) -> np.ndarray:
        """float32[n] in [0, 1]."""

    @property
    def rarity(self) -> np.ndarray:
        """float32[n], at least 0."""


class Workbench(Protocol):
    """Scores, features, factors and trained networks of one training split; the test split stays out of reach."""

    @property
    def labels(self) -> np.ndarray:
        """The class of each example, int64[n]."""

    @property
    def classes(self) -> Sequence[str]:
        """The class names; empty where they are not known."""
        return ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings by which networks are trained, ready for JSON; empty if none can be trained."""

    @property
    def requests(self) -> Mapping[str, Any]:
        """The provenance of each score, of the features and of the factors that were requested, ready for JSON."""

    def scores(self, name: str) -> Scores:
        """Another score of the training set, by its name in the registry, with settings."""

    def features(self) -> Features:
        """The penultimate features of the training set, in its order, from the proxy that was trained on all of it."""

    def factors(self, source: str, autoencoder: Any) -> FactorValues:
        """The factors that an autoencoder (`drd_plugin.factors.Autoencoder`) finds in a named feature space."""

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """The predicted classes of the whole training set, int64[n], by the benchmark's network trained on `indices`,
        int64[k].
        """

    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """The penultimate features of the whole training set, float32[n, d], from the benchmark's network trained on
        `indices`, int64[k], for `epochs`.
        """


@dataclass(frozen=True)
class Restricted(Workbench):
    """A workbench restricted to some of the examples, numbered from 0 in the order of `members`.

    Arguments:
        workbench: The workbench of all examples.
        members: Their positions, int64[m].
    """

    workbench: Workbench
    members: np.ndarray

    @property
    @override
    def labels(self) -> np.ndarray:
        return self.workbench.labels[self.members]

    @property
    @override
    def classes(self) -> Sequence[str]:
        return self.workbench.classes

    @property
    @override
    def settings(self) -> Mapping[str, Any]:
        return self.workbench.settings

    @property
    @override
    def requests(self) -> Mapping[str, Any]:
        return self.workbench.requests

    @override
    def scores(self, name: str) -> Scores:
        return self.workbench.scores(name).at(self.members)

    @override
    def features(self) -> Features:
        features = self.workbench.features()
        return replace(features, values=features.values[self.members], owned=True)

    @override
    def factors(self, source: str, autoencoder: Any) -> FactorValues:
        raise ValueError("factors are those of the whole data set: within a class they cannot be asked for.")

    @override
    def predictions(self, indices: np.ndarray) -> np.ndarray:
        return self.workbench.predictions(self.members[indices])[self.members]

    @override
    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.workbench.features_after(self.members[indices], epochs)[self.members]
