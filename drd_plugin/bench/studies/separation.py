r"""`Separation`: how far the strata of a score lie apart, as in Figure 2 of the DRD paper, with numbers.

The features are those of a network that is trained on the whole training set. Within each class, the ranking is cut
into strata of equal size, and two numbers say how far they are groups of the features, both averaged over the classes:

- the silhouette of the strata, mean_i (b_i - a_i) / max(a_i, b_i), with a_i the mean distance to the own stratum and
  b_i the one to the nearest other, in [-1, 1]; 0 where they lie on one another;
- the adjusted mutual information of the strata with as many clusters by k-means: 0 for what chance gives, 1 for the
  same groups.

Random shows their values for strata without meaning.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026), Figure 2,
    https://arxiv.org/abs/2511.19274 (a t-SNE, without numbers)
    Silhouettes: a graphical aid to the interpretation and validation of cluster analysis (Rousseeuw, 1987),
    https://doi.org/10.1016/0377-0427(87)90125-7
    Information theoretic measures for clusterings comparison (Vinh et al., 2010),
    https://jmlr.org/papers/v11/vinh10a.html
    Visualizing data using t-SNE (van der Maaten and Hinton, 2008), https://jmlr.org/papers/v9/vandermaaten08a.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_mutual_info_score, silhouette_score
from typing_extensions import override

from ...artifacts import Scores, write_aside
from ...core.registry import check_least
from ...core.seeds import generator
from ...methods.selector import Selector
from ...training.loop import features, train
from ..grid import Grid
from ..kinds import GridError
from ..plots import plot_strata
from ..session import Session, find_session, start_session
from ..store import RunStore, ScoreRow
from ..tables.words import mean_and_std, over_seeds
from ..workers import Workers
from .base import Results, Study
from .cross_evaluation import parts_of

__all__ = ["Separated", "Separation"]


@dataclass(frozen=True)
class Separated(ScoreRow):
    """How far the strata of one score lie apart.

    Arguments:
        strata: The number of strata of each class.
        seed: The grid's seed.
        silhouette: The silhouette of the strata, averaged over the classes.
        ami: Their adjusted mutual information with k-means, averaged over the classes.
    """

    cell = ("method", "seed")

    strata: int
    seed: int
    silhouette: float
    ami: float


@dataclass(frozen=True)
class Separation(Study):
    """Measures how far the strata of each method's score lie apart.

    Arguments:
        strata: The number of strata of each class.
        most: The most examples of a class that are measured; a random sample of larger ones.
        shown: The most examples in the picture, which shows the first class.
    """

    uses_fractions = False
    uses_nets = False

    strata: int = 5
    most: int = 1000
    shown: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 2, "strata", "most", "shown")

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        session = start_session(grid, workers)
        least = min(*session.dataset.train.class_counts, self.most)
        if least <= self.strata:
            raise GridError(
                f"{grid.name}: {self.strata} strata of each class need more examples than that in each, and the "
                f"smallest has {least}: give fewer strata."
            )
        store = RunStore(workers.out, session.identity(study="separation"), Separated)
        finished = set(store.frame()["key"])
        missing = {
            seed: [method for method in grid.static if _key(self, session, method, seed) not in finished]
            for seed in grid.seeds
        }
        seeds = [seed for seed in grid.seeds if missing[seed]]
        with store.filling():
            session.compute_scores([(method, grid.seeds_of(seed)) for seed in seeds for method in missing[seed]])
            names = {seed: [method.name for method in missing[seed]] for seed in seeds}
            measure = partial(_measure, self, grid, workers, names)
            for _, rows in workers.each(measure, seeds, "seed", len(grid.seeds) - len(seeds)):
                for row in rows:
                    store.append(row)

    @override
    def read(self, folder: Path) -> Results:
        rows = RunStore(folder, row=Separated).latest()
        groups = rows.groupby("method", sort=False)
        numbers = {
            "silhouette": groups["silhouette"].agg(partial(mean_and_std, digits=3)),
            "adjusted mutual information": groups["ami"].agg(partial(mean_and_std, digits=3)),
        }
        text = (
            f"{rows['strata'].iloc[0]} strata of each class in the features of a network that was trained on all, "
            f"{over_seeds([rows['seed'].nunique()])}:\n\n"
            f"{pd.DataFrame(numbers).to_markdown(disable_numparse=True)}"
        )
        places = pd.read_parquet(Path(folder) / "map.parquet")
        plots = {f"strata-{method}": partial(plot_strata, places, method) for method in rows["method"].unique()}
        summary = groups[["silhouette", "ami"]].agg(["mean", "std", "count"])
        summary.columns = ["_".join(pair) for pair in summary.columns]
        return Results(text, rows, {"table": summary.reset_index()}, plots)


def _key(study: Separation, session: Session, method: Selector, seed: int) -> str:
    return session.key(method, seed, study.strata, study.most)


def _measure(
    study: Separation, grid: Grid, workers: Workers, missing: Mapping[int, Sequence[str]], seed: int
) -> list[Separated]:
    """The rows of the missing methods in the features of one network; the first seed also writes their map."""
    session, seeds = find_session(grid, workers), grid.seeds_of(seed)
    split = session.dataset.train
    net = train(split, grid.recipe, seed_init=seeds.init, seed_order=seeds.order, device=workers.device).net
    values = features(net, split, workers.device).numpy()
    classes = [_evenly(np.flatnonzero(split.labels == c), study.most) for c in range(split.num_classes)]
    rows, strata = [], {}
    for method in map(grid.method, missing[seed]):
        stratum = _strata(study, session.ordering(method, seeds), seeds.selection)
        strata[method.name] = stratum
        measures = [
            _separation(values[members], stratum[members], study.strata, seeds.selection) for members in classes
        ]
        silhouette, ami = np.mean(measures, axis=0)
        rows.append(
            Separated(
                key=_key(study, session, method, seed),
                method=method.name,
                strata=study.strata,
                seed=seed,
                silhouette=float(silhouette),
                ami=float(ami),
                fingerprint=split.fingerprint,
                provenance=json.dumps(session.provenance(method, seeds, grid.recipe)),
            )
        )
    if seed == grid.seeds[0]:
        index = _evenly(classes[0], study.shown)
        _write_map(Path(workers.out) / "map.parquet", values[index], index, strata, seeds.selection)
    return rows


def _strata(study: Separation, scores: Scores, seed: int) -> np.ndarray:
    """The stratum of each example, int64[n]."""
    stratum = np.empty(len(scores), np.int64)
    for number, part in enumerate(parts_of(scores, study.strata, "class", seed)):
        stratum[part] = number
    return stratum


def _separation(values: np.ndarray, stratum: np.ndarray, strata: int, seed: int) -> tuple[float, float]:
    """The silhouette and the adjusted mutual information of one class."""
    clusters = KMeans(strata, n_init=5, random_state=seed % 2**32).fit_predict(values)
    return float(silhouette_score(values, stratum)), float(adjusted_mutual_info_score(stratum, clusters))


def _write_map(path: Path, values: np.ndarray, index: np.ndarray, strata: Mapping[str, np.ndarray], seed: int) -> None:
    """Writes the examples' places in the plane by t-SNE, with their strata by each method; existing places stay."""
    if path.exists():
        places = pd.read_parquet(path)
    else:
        perplexity = min(30.0, (len(index) - 1) / 3)
        x, y = TSNE(perplexity=perplexity, init="pca", random_state=seed % 2**32).fit_transform(values).T
        places = pd.DataFrame({"index": index, "x": x, "y": y})
    columns = {name: stratum[places["index"]] for name, stratum in strata.items()}
    with write_aside(path) as aside:
        places.assign(**columns).to_parquet(aside, index=False)


def _evenly(positions: np.ndarray, most: int) -> np.ndarray:
    return positions if len(positions) <= most else generator(0, "evenly").choice(positions, most, replace=False)
