"""Where dynamic methods find scores and factors: in a `ScoreCache`, and beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..artifacts import Scores
from ..methods import parse_score
from ..rng import Seeds
from ..score_cache import ScoreCache, seconds_of
from ..scores import FoldScore, Score
from .factors import Autoencoder, Factors, factors_of

__all__ = ["CachedWorkshop"]


@dataclass(frozen=True, eq=False)
class CachedWorkshop:
    """See `drd_plugin.dynamic.base.Workshop`.

    Arguments:
        cache: The scores of the training set, and its proxies; factors are kept in its folder.
        seeds: Of what is computed.
        defaults: Settings of scores that ask a diffusion model, by name.
    """

    cache: ScoreCache
    seeds: Seeds
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def labels(self) -> np.ndarray:
        """See `Workshop`."""
        return self.cache.split.labels

    def scores(self, name: str) -> Scores:
        """See `Workshop`."""
        what = parse_score(name, self.defaults)
        return self.cache.get(what, getattr(self.seeds, what.seeded_by))

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """See `Workshop`; the proxy is the cache's."""
        cache, seed = self.cache, self.seeds.proxy
        features = cache.features(seed) if source == "proxy" else None
        return factors_of(
            cache.split, source, autoencoder, seed, cache.folder, cache.device, features, progress=cache.progress
        )

    def seconds(self, names: Sequence[str], factors: Factors | None) -> dict[str, float]:
        """See `Workshop`."""
        known = {parse_score(name, self.defaults): self.scores(name) for name in names}
        took = {"score": seconds_of(known)} if known else {}
        if factors is not None:
            of = factors.provenance["seconds"]
            watched: dict[Score, Scores] = {what: found for what, found in known.items() if isinstance(what, FoldScore)}
            shared = seconds_of(watched) if factors.provenance["features"].get("name") == "ProxyFeatures" else 0.0
            took |= {"features": max(0.0, of["features"] - shared), "autoencoder": of["autoencoder"] + of["scoring"]}
        return took
