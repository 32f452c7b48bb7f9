"""`Stability`: the rank correlation of a score with itself under another seed, another proxy or other noise.

- `seeds`: two seeds of the proxy (or of the noise), all else equal;
- `proxies`: two networks as the proxy, at the same seed;
- `draws`: two halves of the draws (or proxies) within one score, lengthened by Spearman and Brown (see
  `drd_plugin.artifacts.reliability`).

Correlations are Spearman's within classes. Beside them stands the share of the hardest tenth of each class that both
rankings have.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from typing_extensions import override

from ...artifacts import Scores
from ...artifacts.reliability import within_classes
from ...core.registry import check_least
from ...core.seeds import Seeds
from ...methods.selector import Selector
from ...scores import FoldScore
from ...training.names import NETS
from ..grid import Grid
from ..plots import plot_stability
from ..session import Session, ordering_of, start_session
from ..store import RunStore, ScoreRow
from ..tables.words import mean_and_std
from ..workers import Workers
from .base import Results, Study

__all__ = ["Stability", "Stable"]


@dataclass(frozen=True)
class Stable(ScoreRow):
    """How two runs of one score agree.

    Arguments:
        chance: What differs: `seeds`, `proxies` or `draws`.
        one: The one seed, or proxy and seed.
        other: The other; for draws, how many there are.
        correlation: Spearman's within classes; for draws the reliability of their mean.
        hardest: The share of the hardest tenth of each class that both have; NaN for draws.
    """

    cell = ("method", "chance", "one", "other")

    chance: str
    one: str
    other: str
    correlation: float
    hardest: float


@dataclass(frozen=True)
class Stability(Study):
    """Compares each method's score between the grid's seeds, and with other proxies.

    Arguments:
        proxies: Other networks to take as the proxy, by name.
        noise_seeds: The number of noise seeds for scores that use a diffusion model.
    """

    uses_fractions = False
    uses_nets = False

    proxies: tuple[str, ...] = ()
    noise_seeds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "noise_seeds")
        for net in self.proxies:
            NETS.check(net)

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        session = start_session(grid, workers)
        store = RunStore(workers.out, session.identity(study="stability"), Stable)
        with store.filling():
            scores: dict[str, dict[Proxy, Scores]] = {method.name: {} for method in grid.static}
            for net in (grid.proxy.net, *self.proxies):
                self._score(grid, replace(grid, proxy=replace(grid.proxy, net=net)), workers, scores)
            finished = set(store.frame()["key"])
            for method in grid.static:
                for pair in self._pairs(grid.proxy.net, scores[method.name]):
                    key = session.key(method, 0, pair.chance, str(pair.one), pair.other)
                    if key not in finished:
                        store.append(self._row(session, method, pair, key))

    def _score(self, grid: Grid, with_net: Grid, workers: Workers, scores: dict[str, dict[Proxy, Scores]]) -> None:
        """Computes the scores with one network as the proxy, and adds them to `scores`, by method and proxy."""
        session, net = start_session(with_net, workers), with_net.proxy.net
        needed = [(method, seed) for method in with_net.static for seed in self._seeds(with_net, method)]
        if net != grid.proxy.net:
            needed = [(method, seed) for method, seed in needed if isinstance(method.ordering, FoldScore)]
        session.compute_scores([(method, Seeds.all(seed)) for method, seed in needed])
        for method, seed in needed:
            scores[method.name][Proxy(net, seed)] = session.ordering(method, Seeds.all(seed))

    def _seeds(self, grid: Grid, method: Selector) -> list[int]:
        return [*grid.seeds] if isinstance(ordering_of(method), FoldScore) else [*range(self.noise_seeds)]

    def _pairs(self, first: str, scores: Mapping[Proxy, Scores]) -> Iterator[_Pair]:
        """The pairs to compare: two seeds of the first network, the first network and another at the same seed, and two
        halves of the draws of one score.
        """
        for one, other in itertools.combinations(scores, 2):
            if one.net == other.net == first:
                yield _Pair("seeds", one, str(other), partial(_agreement, scores[one], scores[other]))
            elif one.net == first and one.seed == other.seed:
                yield _Pair("proxies", one, str(other), partial(_agreement, scores[one], scores[other]))
        for proxy, values in scores.items():
            if proxy.net == first and values.estimates.shape[1] > 1:
                count = f"{values.estimates.shape[1]} {values.unit}"
                yield _Pair("draws", proxy, count, partial(_reliability, values))

    def _row(self, session: Session, method: Selector, pair: _Pair, key: str) -> Stable:
        correlation, hardest = pair.measure()
        seeds = Seeds.all(pair.one.seed)
        return Stable(
            key=key,
            method=method.name,
            chance=pair.chance,
            one=str(pair.one),
            other=pair.other,
            correlation=correlation,
            hardest=hardest,
            fingerprint=session.dataset.train.fingerprint,
            provenance=json.dumps(session.provenance(method, seeds, session.grid.recipe)),
        )

    @override
    def read(self, folder: Path) -> Results:
        rows = RunStore(folder, row=Stable).latest()
        groups = rows.groupby(["method", "chance"], sort=False)
        correlations = groups["correlation"].agg(partial(mean_and_std, digits=2)) + groups.size().map(
            " (n = {})".format
        )
        shared = groups["hardest"].mean().map("; {:.0%}".format).replace("; nan%", "")
        wide = (correlations + shared).unstack("chance").fillna("")
        wide = wide[[chance for chance in ("seeds", "proxies", "draws") if chance in wide]]
        text = (
            "Rank correlation within classes of a score with itself when the seed, the proxy or half of the draws is "
            "another, mean ± standard deviation over n pairs (for draws, the reliability of n runs); then the share of "
            "the hardest tenth that both have. Pairs that share a seed are not independent. Another seed trains "
            "another proxy; for scores that ask a diffusion model it is other noise, with the same model:\n\n"
            f"{wide.to_markdown(disable_numparse=True)}"
        )
        summary = groups[["correlation", "hardest"]].mean().assign(n=groups.size()).reset_index()
        return Results(text, rows, {"table": summary}, {"stability": partial(plot_stability, rows)})


class Proxy(NamedTuple):
    """The network and the seed of the proxy that a score watched, or of the noise that it drew."""

    net: str
    seed: int

    def __str__(self) -> str:
        return f"{self.net}, seed {self.seed}"


@dataclass(frozen=True)
class _Pair:
    """Two runs of one score that are compared.

    Arguments:
        chance: What differs: `seeds`, `proxies` or `draws`.
        one: The one.
        other: The other; for draws, how many there are.
        measure: Computes the correlation, and the share of the hardest tenth that both have.
    """

    chance: str
    one: Proxy
    other: str
    measure: Callable[[], tuple[float, float]]


def _reliability(scores: Scores) -> tuple[float, float]:
    return scores.reliability, math.nan


def _agreement(one: Scores, other: Scores) -> tuple[float, float]:
    """The rank correlation within classes, and the share of the hardest tenth of each class that both have."""
    correlation = within_classes(one.hardness, other.hardness, one.labels)
    shares = []
    for c in np.unique(one.labels):
        members = np.flatnonzero(one.labels == c)
        tenth = max(1, len(members) // 10)
        hardest = [set(members[np.argsort(each.hardness[members], kind="stable")[-tenth:]]) for each in (one, other)]
        shares.append(len(hardest[0] & hardest[1]) / tenth)
    return correlation, float(np.mean(shares))
