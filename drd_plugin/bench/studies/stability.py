"""How much of a ranking is a matter of chance: the rank correlation of a score with itself, when its seed, its proxy or
its noise is another.

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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from ...artifacts import Scores
from ...artifacts.reliability import within_classes
from ...methods import Selector
from ...rng import Seeds
from ...scores import FoldScore
from ..bench import Bench, begin, first_score
from ..grid import Grid
from ..lab import Lab
from ..origin import definitions, origin
from ..plots import plot_stability
from ..store import RunStore
from ..wording import mean_and_std
from .base import Results, Study

__all__ = ["Stability", "Stable"]

CELL = ("method", "chance", "one", "other")


@dataclass(frozen=True)
class Stable:
    """How two runs of one score agree.

    Arguments:
        key: The digest of everything that decides the row.
        method: The score's name.
        chance: What differs: `seeds`, `proxies` or `draws`.
        one: The one seed, or proxy and seed.
        other: The other; for draws, how many there are.
        correlation: Spearman's within classes; for draws the reliability of their mean.
        hardest: The share of the hardest tenth of each class that both have; NaN for draws.
        fingerprint: The training set's fingerprint.
        provenance: As in `Run`.
    """

    key: str
    method: str
    chance: str
    one: str
    other: str
    correlation: float
    hardest: float
    fingerprint: str
    provenance: str


@dataclass(frozen=True)
class Stability(Study):
    """Compares each method's score between the grid's seeds, and with other proxies; its fractions are not used.

    Arguments:
        proxies: Other networks to take as the proxy, by name.
        noise_seeds: How many noise seeds the scores that ask a diffusion model are computed with.
    """

    proxies: tuple[str, ...] = ()
    noise_seeds: int = 1

    def run(self, grid: Grid, lab: Lab) -> None:
        """See `Study`."""
        bench = begin(grid, lab)
        store = RunStore(lab.out, bench.identity(study="stability"), Stable, CELL)
        with store.filling():
            known: dict[str, dict[tuple[str, int], Scores]] = {method.name: {} for method in grid.parsed}
            for net in (grid.proxy.net, *self.proxies):
                self._score(grid, replace(grid, proxy=replace(grid.proxy, net=net)), lab, known)
            done = set(store.frame()["key"])
            for method in grid.parsed:
                for row in self._rows(bench, method, known[method.name]):
                    if row.key not in done:
                        store.append(row)

    def _score(self, grid: Grid, with_net: Grid, lab: Lab, known: dict[str, dict[tuple[str, int], Scores]]) -> None:
        """All scores with one network as the proxy, into `known` by network and seed."""
        bench, net = begin(with_net, lab), with_net.proxy.net
        wanted = [(method, seed) for method in with_net.parsed for seed in self._seeds(with_net, method)]
        if net != grid.proxy.net:
            wanted = [(method, seed) for method, seed in wanted if isinstance(method.scores[0], FoldScore)]
        bench.score_all([(method, Seeds.all(seed)) for method, seed in wanted])
        for method, seed in wanted:
            known[method.name][net, seed] = bench.scores.get(method.scores[0], seed)

    def _seeds(self, grid: Grid, method: Selector) -> list[int]:
        return [*grid.seeds] if isinstance(first_score(method), FoldScore) else [*range(self.noise_seeds)]

    def _rows(self, bench: Bench, method: Selector, known: dict[tuple[str, int], Scores]) -> list[Stable]:
        first = bench.grid.proxy.net
        pairs = [
            ("seeds" if net == other_net else "proxies", (net, seed), (other_net, other_seed))
            for (net, seed), (other_net, other_seed) in itertools.combinations(known, 2)
            if (net == other_net == first) or (net == first and seed == other_seed)
        ]
        rows = [
            self._row(bench, method, chance, _said(one), _said(other), *_agreement(known[one], known[other]))
            for chance, one, other in pairs
        ]
        for run, scores in known.items():
            if run[0] == first and scores.estimates.shape[1] > 1:
                count = f"{scores.estimates.shape[1]} {scores.drawn}"
                rows.append(self._row(bench, method, "draws", _said(run), count, scores.reliability, math.nan))
        return rows

    def _row(
        self, bench: Bench, method: Selector, chance: str, one: str, other: str, correlation: float, hardest: float
    ) -> Stable:
        return Stable(
            key=bench.key(method, 0, chance, one, other),
            method=method.name,
            chance=chance,
            one=one,
            other=other,
            correlation=correlation,
            hardest=hardest,
            fingerprint=bench.dataset.train.fingerprint,
            provenance=json.dumps(bench.provenance(method, bench.grid.seeds_of(0), bench.grid.recipe)),
        )

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        rows = RunStore(folder, row=Stable, cell=CELL).latest()
        grouped = rows.groupby(["method", "chance"], sort=False)
        said = grouped["correlation"].agg(partial(mean_and_std, digits=2)) + grouped.size().map(" (n = {})".format)
        shared = grouped["hardest"].mean().map("; {:.0%}".format).replace("; nan%", "")
        wide = (said + shared).unstack("chance").fillna("")
        wide = wide[[chance for chance in ("seeds", "proxies", "draws") if chance in wide]]
        text = (
            "Rank correlation within classes of a score with itself when the seed, the proxy or half of the draws is "
            "another, mean ± standard deviation over n pairs (for draws, the reliability of n runs); then the share of "
            "the hardest tenth that both have. Pairs that share a seed are not independent. Another seed trains "
            "another proxy; for scores that ask a diffusion model it is other noise, with the same model:\n\n"
            f"{wide.to_markdown(disable_numparse=True)}\n\n{definitions(rows)}\n\n{origin(rows)}\n"
        )
        summary = grouped[["correlation", "hardest"]].mean().assign(n=grouped.size()).reset_index()
        return Results(text, rows, {"table": summary}, {"stability": partial(plot_stability, rows)})


def _said(run: tuple[str, int]) -> str:
    return f"{run[0]}, seed {run[1]}"


def _agreement(one: Scores, other: Scores) -> tuple[float, float]:
    """The rank correlation within classes, and the share of the hardest tenth of each class that both have."""
    correlation = within_classes(one.hardness, other.hardness, one.labels)
    shares = []
    for c in np.unique(one.labels):
        members = np.flatnonzero(one.labels == c)
        tenth = max(1, len(members) // 10)
        hardest = [set(members[np.argsort(of.hardness[members], kind="stable")[-tenth:]]) for of in (one, other)]
        shares.append(len(hardest[0] & hardest[1]) / tenth)
    return correlation, float(np.mean(shares))
