"""`Noise`: how scores and subsets cope with wrong labels or corrupted images, planted one kind at a time.

The study measures whether each score ranks the planted examples as the hardest (the area under the ROC curve: 0.5 is
chance, 1 means all of them come before all others), and trains networks on the subsets, which are tested on the
untouched test set. The subsets keep the planted labels; no method learns which are wrong. But a denoiser that comes
with a data set was trained on it as it was before, so that scores that use it know more than others: the table says so.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from typing_extensions import override

from ...core.names import split_outside
from ...core.registry import unknown
from ...data import plant
from ...methods.selector import Selector
from ..grid import Grid, dataset_of
from ..plots import plot_detection
from ..run import run_grid
from ..session import Session, start_session
from ..store import RunStore, ScoreRow
from ..tables.summary import summary
from ..tables.words import fraction_name, gap, mean_and_std, over_seeds, paired
from ..workers import Workers
from .base import Results, Study

__all__ = ["Detection", "Noise", "detection_auroc"]

KINDS = {"wrong_labels": "wrong labels", "corrupted": "corrupted images"}


@dataclass(frozen=True)
class Detection(ScoreRow):
    """How well one score finds what was planted.

    Arguments:
        kind: `wrong_labels` or `corrupted`.
        share: The share that was planted.
        seed: The grid's seed.
        auroc: The area under the ROC curve of the score, hardest first, in [0, 1].
    """

    cell = ("method", "kind", "share", "seed")

    kind: str
    share: float
    seed: int
    auroc: float


@dataclass(frozen=True)
class Noise(Study):
    """Runs the grid once for each kind and share of noise, and measures how well each method's score finds it.

    Arguments:
        shares: The shares of the examples that are planted.
        kinds: The kinds of noise: `wrong_labels`, `corrupted`.
    """

    shares: tuple[float, ...] = (0.1, 0.2, 0.4)
    kinds: tuple[str, ...] = tuple(KINDS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds or not self.shares:
            raise ValueError(f"kinds and shares: expected at least one each, got {self.kinds} and {self.shares}.")
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown("kind of noise", kind, KINDS)
        for share in self.shares:
            if not 0 < share < 1:
                raise ValueError(f"shares: the share that is planted is in (0, 1), got {share}.")

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        store = RunStore(workers.out, {"study": "noise"} | grid.identity, Detection)
        with store.filling():
            for kind, share in itertools.product(self.kinds, self.shares):
                planted = replace(grid, dataset={**grid.dataset, kind: share})
                out = Path(workers.out) / _folder(kind, share)
                inner = replace(workers, out=out, scores=workers.scores_folder)
                left_out = run_grid(planted, inner).left_out
                store.spend()
                self._detect(planted, inner, store, kind, share, left_out)

    def _detect(
        self, grid: Grid, workers: Workers, store: RunStore, kind: str, share: float, left_out: Mapping[str, str]
    ) -> None:
        """Stores a row for each score that can run, and each seed."""
        session, finished = start_session(grid, workers), set(store.frame()["key"])
        able = [method for method in grid.static if method.ordering is not None and method.name not in left_out]
        methods = {method.ordering: method for method in reversed(able)}.values()
        cells = [(method, seed) for method in methods for seed in grid.seeds]
        missing = [(method, seed) for method, seed in cells if session.key(method, seed) not in finished]
        planted = _planted(grid, kind) if missing else np.empty(0, bool)
        for method, seed in missing:
            store.append(_detection(session, method, seed, kind, share, planted))

    @override
    def read(self, folder: Path) -> Results:
        rows = RunStore(folder, row=Detection).latest()
        runs, left_out = _planted_runs(Path(folder), rows)
        groups = runs.groupby(["kind", "share"], sort=False)
        accuracies = pd.concat([summary(part).assign(kind=kind, share=share) for (kind, share), part in groups])
        kinds = list(dict.fromkeys(rows["kind"]))
        texts = [text for kind in kinds for text in _detected(rows[rows["kind"] == kind], kind)]
        nets = list(dict.fromkeys(runs["net"]))
        for net in nets:
            prefix = f"{net}: " if len(nets) > 1 else ""
            texts += _accuracies(runs[runs["net"] == net], accuracies[accuracies["net"] == net], prefix)
        tables = "\n\n".join([_about(rows, runs), *texts])
        detected = rows.groupby(["method", "kind", "share"], sort=False)["auroc"].agg(["mean", "std", "count"])
        plots = {f"detection-{kind}": partial(plot_detection, rows, kind) for kind in kinds}
        frames = {"table": accuracies, "detection": detected.reset_index()}
        return Results(tables, runs, frames, plots, left_out=left_out)


def _planted_runs(folder: Path, rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """The runs of all kinds and shares, and the methods that could not run."""
    runs, left_out = [], dict[str, str]()
    for kind in dict.fromkeys(rows["kind"]):
        for share in sorted(set(rows.loc[rows["kind"] == kind, "share"])):
            store = RunStore(folder / _folder(kind, share))
            runs.append(store.latest().assign(kind=kind, share=share))
            left_out |= store.left_out
    return pd.concat(runs), left_out


def _detected(cells: pd.DataFrame, kind: str) -> list[str]:
    """A title and a table of how well each score finds what was planted."""
    wide = cells.groupby(["method", "share"], sort=False)["auroc"].agg(partial(mean_and_std, digits=2))
    return [f"{KINDS[kind].capitalize()}: area under the ROC curve by the share that was planted", _wide(wide)]


def _accuracies(runs: pd.DataFrame, accuracies: pd.DataFrame, prefix: str) -> list[str]:
    """Titles and tables of one network's accuracies on the subsets, and of their differences from random ones."""
    fractions = [fraction for fraction in runs["fraction"].unique() if fraction < 1]
    parts, texts = list(itertools.product(dict.fromkeys(runs["kind"]), fractions)), []
    for kind, fraction in parts:
        cells = runs[(runs["kind"] == kind) & runs["fraction"].isin([fraction, 1])]
        wide = cells.groupby(["method", "share"], sort=False)["acc_last"].agg(mean_and_std)
        accuracy = f"test accuracy in % with {fraction_name(fraction)} kept (Full: with all)"
        texts.append(f"{prefix}{KINDS[kind].capitalize()}: {accuracy}, by the share that was planted")
        texts.append(_wide(wide))
    for kind, fraction in parts:
        cells = accuracies[(accuracies["kind"] == kind) & (accuracies["fraction"] == fraction)]
        title = f"{prefix}{KINDS[kind].capitalize()}, {fraction_name(fraction)} kept, by the share that was planted"
        texts += _compared(cells.set_index(["method", "share"]), title)
    return texts


def _about(rows: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The numbers of examples and seeds, and a note on scores whose diffusion model has seen the clean data."""
    count = runs.loc[runs["method"] == "Full", "k"].iloc[0]
    informed = [
        method
        for method, text in zip(rows["method"], rows["provenance"], strict=True)
        if any(part.get("denoiser") == "auto" for part in json.loads(text)["method"])
    ]
    note = (
        f" The denoiser of {' and '.join(dict.fromkeys(informed))} was trained on the data before anything was "
        "planted: it has seen the true labels and images, which no other score has."
        if informed
        else ""
    )
    over = over_seeds([rows["seed"].nunique()])
    return f"{count:,} training examples; {over} of the trainings. What is planted is the same for all seeds.{note}"


def _folder(kind: str, share: float) -> str:
    return f"{kind}-{100 * share:g}"


def _planted(grid: Grid, kind: str) -> np.ndarray:
    """Which training examples were planted, bool[n]."""
    clean = dataset_of({key: value for key, value in grid.dataset.items() if key != kind}).train
    planted = plant(clean, **{kind: grid.dataset[kind]})
    return planted.wrong if kind == "wrong_labels" else planted.corrupted


def _detection(
    session: Session, method: Selector, seed: int, kind: str, share: float, planted: np.ndarray
) -> Detection:
    seeds = session.grid.seeds_of(seed)
    return Detection(
        key=session.key(method, seed),
        method=split_outside(method.name, "+")[0].strip(),
        kind=kind,
        share=share,
        seed=seed,
        auroc=detection_auroc(session.ordering(method, seeds).hardness, planted),
        fingerprint=session.dataset.train.fingerprint,
        provenance=json.dumps(session.provenance(method, seeds, session.grid.recipe)),
    )


def detection_auroc(hardness: np.ndarray, planted: np.ndarray) -> float:
    """The chance that a planted example is ranked harder than another, ties counted half.

    Arguments:
        hardness: Larger is harder, float[n].
        planted: Which are planted, bool[n].
    """
    return float(roc_auc_score(planted, hardness))


def _compared(cells: pd.DataFrame, title: str) -> list[str]:
    """Titles and tables of the differences from Random and of the mean starts of chosen windows, as far as any are."""
    differing, windows = cells[cells["difference"].notna()], cells[cells["start"].notna()]
    texts = []
    if len(differing):
        gaps = [*map(gap, differing["difference"], differing["low"], differing["high"])]
        texts += [f"{title}. {paired('Random', cells['n'])}", _wide(pd.Series(gaps, differing.index))]
    if len(windows):
        starts = [f"{100 * cell.start:.0f} % from {cell.origin}" for cell in windows.itertuples()]
        texts += [f"{title}. Mean start of the windows that were chosen", _wide(pd.Series(starts, windows.index))]
    return texts


def _wide(cells: pd.Series) -> str:
    """A table of texts, by (method, share), with a column for each share."""
    wide = cells.unstack("share").sort_index(axis=1)
    wide.columns = [fraction_name(share) for share in wide.columns]
    return wide.fillna("").to_markdown(disable_numparse=True)
