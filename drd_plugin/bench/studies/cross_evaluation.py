"""`CrossEvaluation`: networks trained on each fifth of a ranking and tested on all, as in Figure 3 of the DRD paper.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026), Figure 3,
    https://arxiv.org/abs/2511.19274
    BWS: Best Window Selection Based on Sample Scores for Data Pruning across Broad Ranges (Choi et al., 2024), which
    the experiment is taken from, https://arxiv.org/abs/2406.03057

Differences: the paper sorts the whole training set, which may give the parts other shares of the classes; here each
part also comes with the shares of the whole, by sorting within classes. The test set is tested too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from typing_extensions import override

from ...artifacts import Scores
from ...core.registry import unknown
from ...core.seeds import generator
from ...methods import parse
from ...scores.diffusion import DiffusionScore
from ...strategies.base import by_hardness, grouped
from ...training.loop import predict, train
from ..grid import Grid
from ..kinds import GridError
from ..plots import plot_cross
from ..session import Session, find_session, start_session
from ..store import RunStore, ScoreRow
from ..tables.words import mean_and_std, over_seeds, part_names
from ..workers import Workers
from .base import Results, Study

__all__ = ["CrossEvaluation", "CrossRun", "cross_table", "parts_of"]

Ranking = Literal["global", "class"]


@dataclass(frozen=True)
class CrossRun(ScoreRow):
    """The row of a network that was trained on one part and tested on another.

    Arguments:
        ranking: `global`, or `class`: the parts have the classes' shares of the whole.
        parts: How many parts there are.
        trained_on: The part that it was trained on; 0 is the easiest.
        tested_on: The part that it was tested on; `parts` for the test set.
        k: The number of examples that it was trained on.
        net: The network's name.
        seed: The grid's seed.
        accuracy: In percent.
        seconds_score: Wall seconds that the score took, shared by all rows.
        seconds_train: Wall seconds of the training, shared by the rows of this network.
    """

    cell = ("method", "ranking", "parts", "seed", "trained_on", "tested_on")

    ranking: str
    parts: int
    trained_on: int
    tested_on: int
    k: int
    net: str
    seed: int
    accuracy: float
    seconds_score: float
    seconds_train: float


@dataclass(frozen=True)
class CrossEvaluation(Study):
    """Trains a network on each part of a ranking, and tests it on all.

    Arguments:
        parts: The number of parts of equal size into which the ranking is cut.
        rankings: Whether all examples are ranked together (`global`, as in the paper), or each `class` by itself.
    """

    uses_fractions = False
    uses_nets = False

    parts: int = 5
    rankings: tuple[Ranking, ...] = ("global", "class")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parts < 2:
            raise ValueError(f"a ranking is cut into two parts or more, got {self.parts}.")
        if not isinstance(self.rankings, tuple) or not self.rankings:
            raise ValueError(f"rankings: expected a list of at least one, got {self.rankings!r}.")
        for ranking in self.rankings:
            if ranking not in ("global", "class"):
                raise unknown("ranking", str(ranking), ("global", "class"))

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        session = start_session(grid, workers)
        counts = session.dataset.train.class_counts
        most = min(int(max(counts) if ranking == "class" else sum(counts)) for ranking in self.rankings)
        if self.parts > most:
            raise GridError(f"{grid.name}: a ranking of {most} examples has no {self.parts} parts: give fewer parts.")
        store = RunStore(workers.out, session.identity(study="cross_evaluation"), CrossRun)
        finished = set(store.frame()["key"])
        parts = [
            _Part(method.name, ranking, self.parts, part, seed)
            for seed in grid.seeds
            for method in grid.static
            for ranking in self.rankings
            for part in range(self.parts)
        ]
        missing = [part for part in parts if part.key(session, self.parts) not in finished]
        with store.filling():
            session.compute_scores([(grid.method(part.method), grid.seeds_of(part.seed)) for part in missing])
            train_on = partial(_train_on, grid, workers)
            for _, rows in workers.each(train_on, missing, "training", len(parts) - len(missing)):
                for row in rows:  # the test set's comes last: where it is stored, the others are too
                    store.append(row)

    @override
    def read(self, folder: Path) -> Results:
        rows = RunStore(folder, row=CrossRun).latest()
        texts, plots = [], {}
        for (method, ranking, parts), cells in rows.groupby(["method", "ranking", "parts"], sort=False):
            cut = "the whole ranking" if ranking == "global" else "the rankings of each class"
            likely = " (most likely)" if isinstance(parse(method).scores[0], DiffusionScore) else ""
            texts.append(
                f"{method}, {cells['net'].iloc[0]}, parts of {cut}; accuracy in %, "
                f"{over_seeds([cells['seed'].nunique()])}. Rows: trained on, columns: tested on, from the "
                f"easiest{likely} on; the average leaves the test set out."
            )
            texts.append(cross_table(cells).to_markdown(disable_numparse=True))
            suffix = "" if rows["parts"].nunique() == 1 else f"-{parts}"
            plots[f"cross-{method}-{ranking}{suffix}"] = partial(plot_cross, cells)
        return Results("\n\n".join(texts), rows, {"table": _long(rows)}, plots)


@dataclass(frozen=True)
class _Part:
    method: str
    ranking: Ranking
    parts: int
    part: int
    seed: int

    def __str__(self) -> str:
        return f"{self.method} part {self.part + 1} seed {self.seed}"

    def key(self, session: Session, tested_on: int) -> str:
        """The key of the row for one of the parts it is tested on."""
        cell = self.ranking, self.parts, self.part, tested_on
        return session.key(session.grid.method(self.method), self.seed, *cell)


def parts_of(scores: Scores, parts: int, ranking: Ranking, seed: int = 0) -> list[np.ndarray]:
    """The parts of a ranking that is cut into equal sizes, from the easiest on: the positions of each part's examples,
    ascending, int64[k].

    Arguments:
        scores: The scores.
        parts: The number of parts.
        ranking: `global`, or `class`: each class is cut, and its pieces are joined with those of the others.
        seed: Determines the order of ties.
    """
    order = by_hardness(scores, generator(seed, "selection"))
    if ranking == "global":
        return [np.sort(part) for part in np.array_split(order, parts)]
    classes = grouped(order, scores.labels[order], int(scores.labels.max()) + 1)
    cuts = [np.array_split(members, parts) for members in classes]
    return [np.sort(np.concatenate([cut[part] for cut in cuts])) for part in range(parts)]


def _train_on(grid: Grid, workers: Workers, part: _Part) -> list[CrossRun]:
    """The rows of a network that is trained on a part, and tested on all parts and on the test set."""
    session = find_session(grid, workers)
    method, seeds = grid.method(part.method), grid.seeds_of(part.seed)
    scores, split = session.ordering(method, seeds), session.dataset.train
    parts = parts_of(scores, part.parts, part.ranking, seeds.selection)
    trained = train(
        split, grid.recipe, seed_init=seeds.init, seed_order=seeds.order, subset=parts[part.part],
        test=session.dataset.test, device=workers.device,
    )  # fmt: skip
    correct = predict(trained.net, split, workers.device).argmax(1).numpy() == split.labels
    accuracies = [100 * float(correct[index].mean()) for index in parts] + [trained.acc_last]
    provenance = json.dumps(session.provenance(method, seeds, grid.recipe))
    return [
        CrossRun(
            key=part.key(session, tested_on),
            method=part.method,
            ranking=part.ranking,
            parts=part.parts,
            trained_on=part.part,
            tested_on=tested_on,
            k=len(parts[part.part]),
            net=grid.recipe.net,
            seed=part.seed,
            accuracy=accuracy,
            seconds_score=float(scores.provenance.get("seconds", 0.0)),
            seconds_train=trained.seconds,
            fingerprint=split.fingerprint,
            provenance=provenance,
        )
        for tested_on, accuracy in enumerate(accuracies)
    ]


def cross_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A table of accuracies, "mean ± std": a row for each part that was trained on, a column for each that was tested
    on, for the average over the parts, and for the test set.
    """
    names = [*part_names(int(rows["parts"].iloc[0])), "test set"]
    wide = rows.groupby(["trained_on", "tested_on"])["accuracy"].agg(mean_and_std).unstack("tested_on")
    wide.columns, wide.index = pd.Index(names), pd.Index(names[:-1], name="trained on")
    parts = rows[rows["tested_on"] < rows["parts"]].groupby(["trained_on", "seed"])["accuracy"].mean()
    wide.insert(len(names) - 1, "average", parts.groupby("trained_on").agg(mean_and_std).to_numpy())
    return wide


def _long(rows: pd.DataFrame) -> pd.DataFrame:
    cells = rows.groupby(["method", "ranking", "parts", "trained_on", "tested_on"], sort=False)["accuracy"]
    return cells.agg(["mean", "std", "count"]).rename(columns={"count": "n"}).reset_index()
