"""The workbench that serves the requests of strategies and dynamic methods: scores, features, factors and networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override

from ..artifacts import ArtifactError, Features, Scores, check_fingerprint
from ..core.job import Job
from ..core.provenance import describe
from ..core.seeds import Seeds
from ..data import Split
from ..factors import Autoencoder, Factors, factors_of
from ..methods import matches, parse_score
from ..scores import FoldScore, Score
from ..scoring.cache import ScoreCache, seconds_of
from ..strategies import Workbench
from ..training.loop import features, predict, train
from ..training.recipe import Recipe

__all__ = ["Networks", "RecordingWorkbench", "ScoresWorkbench", "SplitWorkbench"]


@dataclass(frozen=True, eq=False)
class Networks:
    """Networks that are trained on parts of a training split.

    Arguments:
        split: The training split.
        recipe: The recipe for networks whose predictions are used.
        proxy: The recipe for proxies, in epochs, of methods of other libraries that train their own.
        seeds: The selection seed determines the initialisation and order of all networks whose predictions are used, so
            that only their subsets differ; the proxy seed that of networks whose features are used.
        job: How and where.
    """

    split: Split
    recipe: Recipe
    proxy: Recipe
    seeds: Seeds
    job: Job = Job()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the trainings, ready for JSON."""
        return {"recipe": describe(self.recipe), "seeds": describe(self.seeds)}

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """The predicted classes of the whole training set, int64[n], by a network trained on `indices`, int64[k]."""
        net = self._train(self.recipe, self.seeds.selection, indices, f"candidate of {len(indices)}")
        return predict(net, self.split, self.job.device).argmax(1).numpy()

    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """The penultimate features of the whole training set, float32[n, d], from a network trained on `indices`,
        int64[k], for `epochs`.
        """
        net = self._train(self.recipe.for_epochs(epochs), self.seeds.proxy, indices, "features")
        return features(net, self.split, self.job.device).numpy()

    def _train(self, recipe: Recipe, seed: int, indices: np.ndarray, label: str) -> Any:
        label = label if self.job.progress else ""
        return train(
            self.split, recipe, seed_init=seed, seed_order=seed, subset=indices, device=self.job.device, label=label
        ).net


class RecordingWorkbench(Workbench, ABC):
    """A workbench that records what was requested and how long it took.

    Arguments:
        networks: Trains networks; None if none can be trained.
    """

    def __init__(self, networks: Networks | None = None) -> None:
        self._networks = networks
        self._scores: dict[Score, Scores] = {}
        self._factors: list[Factors] = []
        self._requests: dict[str, Any] = {}

    @property
    @override
    def settings(self) -> Mapping[str, Any]:
        return {} if self._networks is None else self._networks.settings

    @property
    @override
    def requests(self) -> Mapping[str, Any]:
        return self._requests

    @property
    def networks(self) -> Networks:
        """The networks that can be trained.

        Raises:
            ValueError: If none can be trained.
        """
        if self._networks is None:
            raise ValueError("this workbench trains no networks: it needs the data set and a recipe.")
        return self._networks

    @abstractmethod
    def _find_scores(self, name: str) -> tuple[Score, Scores]:
        """A score by its name, with settings, and its values."""

    @abstractmethod
    def _find_features(self) -> Features:
        """The penultimate features of the proxy."""

    @abstractmethod
    def _find_factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """The factors that an autoencoder finds in the feature space of this name."""

    @override
    def scores(self, name: str) -> Scores:
        score, values = self._find_scores(name)
        self._scores[score] = values
        self._requests[name] = dict(values.provenance)
        return values

    @override
    def features(self) -> Features:
        values = self._find_features()
        values.check(len(self.labels), values.fingerprint)
        self._requests["features"] = dict(values.provenance)
        return values

    @override
    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        factors = self._find_factors(source, autoencoder)
        self._factors.append(factors)
        self._requests["factors"] = {key: factors.provenance[key] for key in ("inputs", "settled", "quality")}
        return factors

    @override
    def predictions(self, indices: np.ndarray) -> np.ndarray:
        return self.networks.predictions(indices)

    @override
    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        return self.networks.features_after(indices, epochs)

    @property
    def seconds(self) -> dict[str, float]:
        """The seconds that the requested scores and factors took, by stage: `score`, `features`, `autoencoder`; a proxy
        that they share counts once.
        """
        took = {"score": seconds_of(self._scores)} if self._scores else {}
        folds: dict[Score, Scores] = {
            score: scores for score, scores in self._scores.items() if isinstance(score, FoldScore)
        }
        for factors in self._factors:
            spent, of_proxy = factors.provenance["seconds"], factors.provenance["features"].get("name")
            shared = seconds_of(folds) if of_proxy == "ProxyFeatures" else 0.0
            took["features"] = max(0.0, spent["features"] - shared)
            took["autoencoder"] = spent["autoencoder"] + spent["scoring"]
        return took


class SplitWorkbench(RecordingWorkbench):
    """The workbench of a training split, which computes scores, features and factors where they are missing.

    Arguments:
        cache: The cache of the training split; factors are stored in its folder.
        seeds: The seeds of scores, proxies, factors and trainings.
        recipe: The recipe for networks; None if none can be trained.
        defaults: Default settings of scores, by name.
    """

    def __init__(
        self,
        cache: ScoreCache,
        seeds: Seeds,
        recipe: Recipe | None = None,
        defaults: Mapping[str, Mapping[str, Any]] = {},
    ) -> None:
        super().__init__(None if recipe is None else Networks(cache.split, recipe, cache.proxy, seeds, cache.job))
        self.cache, self.seeds, self.defaults = cache, seeds, defaults

    @property
    @override
    def labels(self) -> np.ndarray:
        return self.cache.split.labels

    @property
    @override
    def classes(self) -> Sequence[str]:
        return self.cache.split.classes

    @override
    def _find_scores(self, name: str) -> tuple[Score, Scores]:
        score = parse_score(name, self.defaults)
        return score, self.cache.get(score, self.seeds)

    @override
    def _find_features(self) -> Features:
        return self.cache.features(self.seeds.proxy)

    @override
    def _find_factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        features = self.features() if source == "proxy" else None
        return factors_of(self.cache.split, source, autoencoder, self.seeds.proxy, features, self.cache.job)


class ScoresWorkbench(RecordingWorkbench):
    """A workbench of scores and features that were computed before.

    Arguments:
        ordering: The scores that order the examples.
        others: Further scores.
        features: The features of a proxy.
        networks: Trains networks; None if none can be trained.

    Raises:
        ArtifactError: If a score or the features are of another data set than `ordering`.
    """

    def __init__(
        self,
        ordering: Scores,
        others: Sequence[Scores] = (),
        features: Features | None = None,
        networks: Networks | None = None,
    ) -> None:
        super().__init__(networks)
        self.available, self.proxy_features = [ordering, *others], features
        for scores in others:
            check_fingerprint(scores.fingerprint, ordering.fingerprint, f"the {scores.name} score")
        if features is not None:
            features.check(len(ordering), ordering.fingerprint)

    @property
    @override
    def labels(self) -> np.ndarray:
        return self.available[0].labels

    @property
    @override
    def classes(self) -> Sequence[str]:
        return () if self._networks is None else self._networks.split.classes

    @override
    def _find_scores(self, name: str) -> tuple[Score, Scores]:
        """Raises ArtifactError unless exactly one of the scores was made with these settings."""
        score = parse_score(name)
        matching = [scores for scores in self.available if matches(scores, score)]
        if len(matching) > 1:
            raise ArtifactError(f"{len(matching)} of the given scores are {score!r}: give one of them.")
        if not matching:
            names = ", ".join(
                str(scores.provenance.get("score")) if scores.name == type(score).__name__ else scores.name
                for scores in self.available
            )
            raise ArtifactError(
                f"the strategy asks for the {name} score too, made as {score!r}: give its folder with --other-scores, "
                f"or let the strategy's settings name another (cutoff_score, mean_score). At hand: {names}."
            )
        return score, matching[0]

    @override
    def _find_features(self) -> Features:
        """Raises ArtifactError if there are none."""
        if self.proxy_features is None:
            raise ArtifactError(
                "the strategy asks for the features of a proxy: give the file that `drd-plugin record --features` "
                "writes, or a .npy file, with --features."
            )
        return self.proxy_features

    @override
    def _find_factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """Always raises ValueError."""
        raise ValueError("factors are made from a data set, and there are scores alone.")
