r"""Figure 2 of the DRD paper, with numbers beside the picture: whether the strata of a score lie apart.

The features are those of a network that is trained on the whole training set. Within each class, the ranking is cut
into strata of equal size, and two numbers say how far they are groups of the features, both averaged over the classes:

- the silhouette of the strata, mean_i (b_i - a_i) / max(a_i, b_i), with a_i the mean distance to the own stratum and
  b_i the one to the nearest other, in [-1, 1]; 0 where they lie on one another;
- the adjusted mutual information of the strata with as many clusters by k-means: 0 for what chance gives, 1 for the
  same groups.

Random says what either is for strata that mean nothing.

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
from typing import TYPE_CHECKING

import numpy as np

from ...artifacts import write_aside
from ...methods import Selector
from ...registry import check_least
from ...rng import generator
from ...training.loop import features, train
from ..bench import Bench, begin, open_bench
from ..grid import Grid
from ..lab import Lab
from ..origin import definitions, origin
from ..plots import plot_strata
from ..store import RunStore
from ..wording import mean_and_std, over_seeds
from .base import Results, Study
from .cross_evaluation import parts_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Separated", "Separation"]

CELL = ("method", "seed")


@dataclass(frozen=True)
class Separated:
    """How far the strata of one score lie apart.

    Arguments:
        key: The digest of everything that decides the row.
        method: The score's name.
        strata: Into how many each class was cut.
        seed: The grid's seed.
        silhouette: The silhouette of the strata, averaged over the classes.
        ami: Their adjusted mutual information with k-means, averaged over the classes.
        fingerprint: The training set's fingerprint.
        provenance: As in `Run`.
    """

    key: str
    method: str
    strata: int
    seed: int
    silhouette: float
    ami: float
    fingerprint: str
    provenance: str


@dataclass(frozen=True)
class Separation(Study):
    """Measures the strata of each method's score; the grid's fractions are not used.

    Arguments:
        strata: Into how many each class is cut.
        most: The most examples of a class that are looked at, evenly from the class.
        shown: The most examples in the picture, which shows the first class.
    """

    strata: int = 5
    most: int = 1000
    shown: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 2, "strata", "most", "shown")

    def run(self, grid: Grid, lab: Lab) -> None:
        """See `Study`."""
        bench = begin(grid, lab)
        store = RunStore(lab.out, bench.identity(study="separation"), Separated, CELL)
        done = set(store.frame()["key"])
        missing = {
            seed: [method for method in grid.parsed if _key(self, bench, method, seed) not in done]
            for seed in grid.seeds
        }
        seeds = [seed for seed in grid.seeds if missing[seed]]
        with store.filling():
            bench.score_all([(method, grid.seeds_of(seed)) for seed in seeds for method in missing[seed]])
            measure = partial(_measure, self, grid, lab, {seed: [of.name for of in missing[seed]] for seed in seeds})
            for _, rows in lab.each(measure, seeds, "seed", len(grid.seeds) - len(seeds)):
                for row in rows:
                    store.append(row)

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        import pandas as pd

        rows = RunStore(folder, row=Separated, cell=CELL).latest()
        grouped = rows.groupby("method", sort=False)
        numbers = {
            "silhouette": grouped["silhouette"].agg(partial(mean_and_std, digits=3)),
            "adjusted mutual information": grouped["ami"].agg(partial(mean_and_std, digits=3)),
        }
        text = (
            f"{rows['strata'].iloc[0]} strata of each class in the features of a network that was trained on all, "
            f"{over_seeds([rows['seed'].nunique()])}:\n\n"
            f"{pd.DataFrame(numbers).to_markdown(disable_numparse=True)}\n\n{definitions(rows)}\n\n{origin(rows)}\n"
        )
        map_ = pd.read_parquet(Path(folder) / "map.parquet")
        plots = {f"strata-{method}": partial(plot_strata, map_, method) for method in rows["method"].unique()}
        summary = grouped[["silhouette", "ami"]].agg(["mean", "std", "count"])
        summary.columns = ["_".join(pair) for pair in summary.columns]
        return Results(text, rows, {"table": summary.reset_index()}, plots)


def _key(study: Separation, bench: Bench, method: Selector, seed: int) -> str:
    return bench.key(method, seed, study.strata, study.most)


def _measure(
    study: Separation, grid: Grid, lab: Lab, missing: Mapping[int, Sequence[str]], seed: int
) -> list[Separated]:
    """The missing methods in the features of one network; the first seed also puts them on the map."""
    import pandas as pd

    bench, seeds = open_bench(grid, lab), grid.seeds_of(seed)
    split = bench.dataset.train
    net = train(split, grid.recipe, seed_init=seeds.init, seed_order=seeds.order, device=lab.device).net
    found = features(net, split, lab.device).numpy()
    classes = [_evenly(np.flatnonzero(split.labels == c), study.most) for c in range(split.num_classes)]
    rows, strata = [], {}
    for method in map(grid.method, missing[seed]):
        scores = bench.score(method, seeds)
        stratum = np.empty(len(split), np.int64)
        for number, part in enumerate(parts_of(scores, study.strata, "class", seeds.selection)):
            stratum[part] = number
        strata[method.name] = stratum
        apart = np.array([_apart(found[of], stratum[of], study.strata, seeds.selection) for of in classes])
        rows.append(
            Separated(
                key=_key(study, bench, method, seed),
                method=method.name,
                strata=study.strata,
                seed=seed,
                silhouette=float(apart[:, 0].mean()),
                ami=float(apart[:, 1].mean()),
                fingerprint=split.fingerprint,
                provenance=json.dumps(bench.provenance(method, seeds, grid.recipe)),
            )
        )
    if seed == grid.seeds[0]:
        shown = _evenly(classes[0], study.shown)
        path = Path(lab.out) / "map.parquet"
        map_ = pd.read_parquet(path) if path.exists() else _map(found[shown], shown, seeds.selection)
        with write_aside(path) as aside:
            map_.assign(**{name: of[map_["index"]] for name, of in strata.items()}).to_parquet(aside, index=False)
    return rows


def _apart(found: np.ndarray, stratum: np.ndarray, strata: int, seed: int) -> tuple[float, float]:
    """Silhouette and adjusted mutual information in one class."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

    clusters = KMeans(strata, n_init=5, random_state=seed).fit_predict(found)
    return float(silhouette_score(found, stratum)), float(adjusted_mutual_info_score(stratum, clusters))


def _map(found: np.ndarray, shown: np.ndarray, seed: int) -> pd.DataFrame:
    """The examples' places in the plane by t-SNE."""
    import pandas as pd
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(shown) - 1) / 3)
    x, y = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(found).T
    return pd.DataFrame({"index": shown, "x": x, "y": y})


def _evenly(positions: np.ndarray, most: int) -> np.ndarray:
    return positions if len(positions) <= most else generator(0, "evenly").choice(positions, most, replace=False)
