"""The workbench: scores, features, factors and trained networks for whatever strategies and dynamic methods ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from ..artifacts import ArtifactError, Features, Scores, check_fingerprint
from ..core.job import Job
from ..core.provenance import describe
from ..core.seeds import Seeds
from ..data import Split
from ..factors import Autoencoder, Factors, factors_of
from ..methods import is_of, parse_score
from ..scores import FoldScore, Score
from ..scoring.cache import ScoreCache, seconds_of
from ..strategies import Workbench
from ..training.loop import features, predict, train
from ..training.recipe import Recipe

__all__ = ["CachedSource", "GivenSource", "Networks", "Source", "TrainingWorkbench"]


class Source(Protocol):
    """Where a workbench gets scores, features and factors from."""

    @property
    def labels(self) -> np.ndarray:
        """The class of each example, int64[n]."""

    def scores(self, name: str) -> Scores:
        """A score by name, with settings."""

    def features(self) -> Features:
        """The features of the proxy."""

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """The factors of a feature space."""


@dataclass(frozen=True, eq=False)
class CachedSource:
    """Scores that a `ScoreCache` computes, or has computed; see `Source`.

    Arguments:
        cache: The scores of the training set, and its proxies; factors are kept in its folder.
        seeds: The seeds of what is computed.
        defaults: For scores, by name, the settings where a name says nothing else.
    """

    cache: ScoreCache
    seeds: Seeds
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def labels(self) -> np.ndarray:
        """See `Source`."""
        return self.cache.split.labels

    def scores(self, name: str) -> Scores:
        """See `Source`."""
        return self.cache.get(parse_score(name, self.defaults), self.seeds)

    def features(self) -> Features:
        """See `Source`."""
        return self.cache.features(self.seeds.proxy)

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """See `Source`; the proxy is the cache's."""
        known = self.features() if source == "proxy" else None
        return factors_of(self.cache.split, source, autoencoder, self.seeds.proxy, known, self.cache.job)


@dataclass(frozen=True, eq=False)
class GivenSource:
    """Scores and features that were computed before; nothing else can be had. See `Source`.

    Arguments:
        ordering: The scores that order the examples.
        others: Further scores.
        proxy_features: The features of a proxy.

    Raises:
        ArtifactError: If a score or the features are of another data set than `ordering`.
    """

    ordering: Scores
    others: Sequence[Scores] = ()
    proxy_features: Features | None = None

    def __post_init__(self) -> None:
        for scores in self.others:
            check_fingerprint(scores.fingerprint, self.ordering.fingerprint, f"the {scores.name} score")
        if self.proxy_features is not None:
            self.proxy_features.check(len(self.ordering), self.ordering.fingerprint)

    @property
    def labels(self) -> np.ndarray:
        """See `Source`."""
        return self.ordering.labels

    def scores(self, name: str) -> Scores:
        """See `Source`.

        Raises:
            ArtifactError: If none of the given scores was made with these settings, or several were.
        """
        score, given = parse_score(name), (self.ordering, *self.others)
        matching = [scores for scores in given if is_of(scores, score)]
        if len(matching) > 1:
            raise ArtifactError(f"{len(matching)} of the given scores are {score!r}: give one of them.")
        if not matching:
            known = ", ".join(
                str(scores.provenance.get("score")) if scores.name == type(score).__name__ else scores.name
                for scores in given
            )
            raise ArtifactError(
                f"the strategy asks for the {name} score too, made as {score!r}: give its folder with --other-scores, "
                f"or let the strategy's settings name another (cutoff_score, mean_score). At hand: {known}."
            )
        return matching[0]

    def features(self) -> Features:
        """See `Source`.

        Raises:
            ArtifactError: If there are none.
        """
        if self.proxy_features is None:
            raise ArtifactError(
                "the strategy asks for the features of a proxy: give the file that `drd-plugin record --features` "
                "writes, or a .npy file, with --features."
            )
        return self.proxy_features

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """See `Source`; refused."""
        raise ValueError("factors are made from a data set, and there are scores alone.")


@dataclass(frozen=True, eq=False)
class Networks:
    """Trains networks on parts of a training split.

    Arguments:
        split: The training split.
        recipe: How candidates are trained.
        proxy: How proxies are trained, in epochs, by methods of other libraries that train their own.
        seeds: The selection seed decides the candidates' initialisation and order, equal for all, so that only the
            subset differs; the proxy seed those of the networks whose features are used.
        job: How and where.
    """

    split: Split
    recipe: Recipe
    proxy: Recipe
    seeds: Seeds
    job: Job = Job()

    @property
    def settings(self) -> Mapping[str, Any]:
        """See `Workbench`."""
        return {"recipe": describe(self.recipe), "seeds": describe(self.seeds)}

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """See `Workbench`."""
        net = self._trained(self.recipe, self.seeds.selection, indices, f"candidate of {len(indices)}")
        return predict(net, self.split, self.job.device).argmax(1).numpy()

    def features_after(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """See `Workbench`."""
        net = self._trained(self.recipe.for_epochs(epochs), self.seeds.proxy, indices, "features")
        return features(net, self.split, self.job.device).numpy()

    def _trained(self, recipe: Recipe, seed: int, indices: np.ndarray, label: str) -> Any:
        return train(
            self.split,
            recipe,
            seed_init=seed,
            seed_order=seed,
            subset=indices,
            device=self.job.device,
            label=label if self.job.progress else "",
        ).net


class TrainingWorkbench(Workbench):
    """A workbench that writes down what it was asked for.

    Arguments:
        source: Gives scores, features and factors.
        networks: Trains networks; None where none can be trained.
    """

    def __init__(self, source: Source, networks: Networks | None = None) -> None:
        self.source, self._networks = source, networks
        self._scores: dict[Score, Scores] = {}
        self._factors: list[Factors] = []
        self._requests: dict[str, Any] = {}

    @property
    @override
    def labels(self) -> np.ndarray:
        return self.source.labels

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
        """What trains networks.

        Raises:
            ValueError: If none can be trained.
        """
        if self._networks is None:
            raise ValueError("this workbench trains no networks: it needs the data set and a recipe.")
        return self._networks

    @override
    def scores(self, name: str) -> Scores:
        scores = self.source.scores(name)
        self._scores[parse_score(name)] = scores
        self._requests[name] = dict(scores.provenance)
        return scores

    @override
    def features(self) -> Features:
        values = self.source.features()
        values.check(len(self.labels), values.fingerprint)
        self._requests["features"] = dict(values.provenance)
        return values

    @override
    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        factors = self.source.factors(source, autoencoder)
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
        """What the scores and factors that were asked for took, by stage: `score`, `features`, `autoencoder`; a proxy
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
