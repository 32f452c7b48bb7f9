"""Where dynamic methods find scores and factors while a bench runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...artifacts import Scores
from ...dynamic.factors import Autoencoder, Factors, factors_of
from ...methods import parse_score
from ...rng import Seeds
from ..run import Bench

__all__ = ["BenchWorkshop"]


@dataclass(frozen=True, eq=False)
class BenchWorkshop:
    """See `drd_plugin.dynamic.base.Workshop`; all is kept in the folder of the scores.

    Arguments:
        bench: The grid in its lab.
        seeds: Of the run.
    """

    bench: Bench
    seeds: Seeds

    @property
    def labels(self) -> np.ndarray:
        """See `Workshop`."""
        return self.bench.dataset.train.labels

    def scores(self, name: str) -> Scores:
        """See `Workshop`; with the grid's settings for it."""
        what = parse_score(name, self.bench.grid.scores)
        return self.bench.scores.get(what, getattr(self.seeds, what.seeded_by))

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """See `Workshop`; the proxy is the grid's."""
        lab, split = self.bench.lab, self.bench.dataset.train
        return factors_of(
            split,
            source,
            autoencoder,
            self.seeds.proxy,
            lab.place_of_scores,
            lab.device,
            features=self.bench.scores.features(self.seeds.proxy) if source == "proxy" else None,
            progress=lab.progress,
        )
