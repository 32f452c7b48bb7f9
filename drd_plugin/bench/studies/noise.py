"""What the scores make of bad data: wrong labels and corrupted images are planted, one kind at a time.

Each score is asked whether it ranks the planted examples as the hardest (the area under the ROC curve: 0.5 is chance, 1
means all of them come before all others), and networks are trained on the subsets and tested on the untouched test set.
The subsets keep the planted labels; no method is told which are wrong. But a denoiser that comes with a data set was
trained on it as it was before, so that scores that ask it know more than the others: the table says so.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data import plant
from ...methods import Selector
from ...registry import unknown
from ...settings import split_outside
from ..bench import Bench, begin
from ..grid import Grid, dataset_of
from ..lab import Lab
from ..origin import definitions, left_out_text, origin
from ..plots import plot_detection
from ..run import run_in
from ..store import RunStore
from ..summary import summary
from ..wording import fraction_name, gap, mean_and_std, over_seeds, paired
from .base import Results, Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Detection", "Noise", "detection_auroc"]

KINDS = {"wrong_labels": "wrong labels", "corrupted": "corrupted images"}
CELL = ("method", "kind", "share", "seed")


@dataclass(frozen=True)
class Detection:
    """How well one score finds what was planted.

    Arguments:
        key: The digest of everything that decides the row.
        method: The score's name.
        kind: `wrong_labels` or `corrupted`.
        share: The share that was planted.
        seed: The grid's seed.
        auroc: The area under the ROC curve of the score, hardest first, in [0, 1].
        fingerprint: The fingerprint of the planted training set.
        provenance: As in `Run`.
    """

    key: str
    method: str
    kind: str
    share: float
    seed: int
    auroc: float
    fingerprint: str
    provenance: str


@dataclass(frozen=True)
class Noise(Study):
    """Runs the grid once for each kind and share of noise, and asks each method's score to find it.

    Arguments:
        shares: The shares that are planted.
        kinds: `wrong_labels`, `corrupted`.
    """

    shares: tuple[float, ...] = (0.1, 0.2, 0.4)
    kinds: tuple[str, ...] = tuple(KINDS)

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown("kind of noise", kind, KINDS)
        for share in self.shares:
            if not 0 < share < 1:
                raise ValueError(f"the share that is planted is in (0, 1), got {share}.")

    def run(self, grid: Grid, lab: Lab) -> None:
        """See `Study`."""
        store = RunStore(lab.out, {"study": "noise"} | grid.identity, Detection, CELL)
        with store.filling():
            for kind, share in itertools.product(self.kinds, self.shares):
                planted = replace(grid, dataset={**grid.dataset, kind: share})
                there = replace(lab, out=Path(lab.out) / _folder(kind, share), scores=lab.place_of_scores)
                left_out = run_in(there, planted).left_out
                store.spend()
                self._detect(planted, there, store, kind, share, left_out)

    def _detect(
        self, grid: Grid, lab: Lab, store: RunStore, kind: str, share: float, left_out: Mapping[str, str]
    ) -> None:
        """A row for each score that can be asked, and each seed."""
        bench, done = begin(grid, lab), set(store.frame()["key"])
        able = [method for method in grid.parsed if method.scores and method.name not in left_out]
        scored = {method.scores[0]: method for method in reversed(able)}
        missing = [(of, seed) for of in scored.values() for seed in grid.seeds if bench.key(of, seed) not in done]
        where = _where(grid, kind) if missing else np.empty(0, bool)
        for method, seed in missing:
            store.append(_detection(bench, method, seed, kind, share, where))

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        import pandas as pd

        rows = RunStore(folder, row=Detection, cell=CELL).latest()
        texts, runs = [], []
        left_out: dict[str, str] = {}
        for kind in dict.fromkeys(rows["kind"]):
            cells = rows[rows["kind"] == kind]
            wide = cells.groupby(["method", "share"], sort=False)["auroc"].agg(partial(mean_and_std, digits=2))
            texts.append(f"{KINDS[kind].capitalize()}: area under the ROC curve by the share that was planted")
            texts.append(_wide(wide))
            for share in sorted(set(cells["share"])):
                store = RunStore(Path(folder) / _folder(kind, share))
                runs.append(store.latest().assign(kind=kind, share=share))
                left_out |= store.left_out
        every = pd.concat(runs)
        accuracies = pd.concat(
            [summary(part).assign(kind=kind, share=share) for (kind, share), part in every.groupby(["kind", "share"])]
        )
        kept = [fraction for fraction in every["fraction"].unique() if fraction < 1]
        parts = list(itertools.product(dict.fromkeys(every["kind"]), kept))
        for kind, fraction in parts:
            cells = every[(every["kind"] == kind) & every["fraction"].isin([fraction, 1])]
            wide = cells.groupby(["method", "share"], sort=False)["acc_last"].agg(mean_and_std)
            here = f"test accuracy in % with {fraction_name(fraction)} kept (Full: with all)"
            texts.append(f"{KINDS[kind].capitalize()}: {here}, by the share that was planted")
            texts.append(_wide(wide))
        for kind, fraction in parts:
            cells = accuracies[(accuracies["kind"] == kind) & (accuracies["fraction"] == fraction)]
            where = f"{KINDS[kind].capitalize()}, {fraction_name(fraction)} kept, by the share that was planted"
            texts += _compared(cells.set_index(["method", "share"]), where)
        texts.append(f"{definitions(every)}\n\n{origin(every)}{left_out_text(left_out)}")
        text = "\n\n".join([_about(rows, every), *texts]) + "\n"
        detected = rows.groupby(list(CELL[:3]), sort=False)["auroc"].agg(["mean", "std", "count"]).reset_index()
        plots = {f"detection-{kind}": partial(plot_detection, rows, kind) for kind in dict.fromkeys(rows["kind"])}
        return Results(text, every, {"table": accuracies, "detection": detected}, plots)


def _about(rows: pd.DataFrame, runs: pd.DataFrame) -> str:
    """How many examples and seeds, and what scores that ask a diffusion model know beforehand."""
    count = runs.loc[runs["method"] == "Full", "k"].iloc[0]
    informed = [
        method
        for method, made in zip(rows["method"], rows["provenance"], strict=True)
        if any(of.get("denoiser") == "auto" for of in json.loads(made)["method"])
    ]
    told = (
        f" The denoiser of {' and '.join(dict.fromkeys(informed))} was trained on the data before anything was "
        "planted: it has seen the true labels and images, which no other score has."
        if informed
        else ""
    )
    over = over_seeds([rows["seed"].nunique()])
    return f"{count:,} training examples; {over} of the trainings. What is planted is the same for all seeds.{told}"


def _folder(kind: str, share: float) -> str:
    return f"{kind}-{100 * share:g}"


def _where(grid: Grid, kind: str) -> np.ndarray:
    """Which training examples were planted, bool[n]."""
    clean = dataset_of({key: of for key, of in grid.dataset.items() if key != kind}).train
    planted = plant(clean, **{kind: grid.dataset[kind]})
    return planted.wrong if kind == "wrong_labels" else planted.corrupted


def _detection(bench: Bench, method: Selector, seed: int, kind: str, share: float, where: np.ndarray) -> Detection:
    seeds = bench.grid.seeds_of(seed)
    return Detection(
        key=bench.key(method, seed),
        method=split_outside(method.name, "+")[0].strip(),
        kind=kind,
        share=share,
        seed=seed,
        auroc=detection_auroc(bench.score(method, seeds).hardness, where),
        fingerprint=bench.dataset.train.fingerprint,
        provenance=json.dumps(bench.provenance(method, seeds, bench.grid.recipe)),
    )


def detection_auroc(hardness: np.ndarray, planted: np.ndarray) -> float:
    """The chance that a planted example is ranked harder than another, ties counted half.

    Arguments:
        hardness: Larger is harder, float[n].
        planted: Which are planted, bool[n].
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(planted, hardness))


def _compared(cells: pd.DataFrame, where: str) -> list[str]:
    """How the methods differ from Random, and where the chosen windows begin; nothing where there are none."""
    apart, begun = cells[cells["difference"].notna()], cells[cells["start"].notna()]
    differences = [gap(*of) for of in zip(apart["difference"], apart["low"], apart["high"], strict=True)]
    starts = [f"{100 * start:.0f} % from {end}" for start, end in zip(begun["start"], begun["origin"], strict=True)]
    texts = []
    if differences:
        texts += [f"{where}. {paired('Random', cells['n'])}", _wide(apart.assign(text=differences)["text"])]
    if starts:
        texts += [f"{where}. Mean start of the windows that were chosen", _wide(begun.assign(text=starts)["text"])]
    return texts


def _wide(cells: pd.Series) -> str:
    wide = cells.unstack("share").sort_index(axis=1)
    wide.columns = [fraction_name(share) for share in wide.columns]
    return wide.fillna("").to_markdown(disable_numparse=True)
