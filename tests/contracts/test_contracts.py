"""The laws that every score and every strategy keeps, over the table of scores x strategies x kinds of split."""

import numpy as np
import pytest
from table import (
    RECIPE,
    SCORES,
    SPLITS,
    STRATEGIES,
    score_named,
    scores_of,
    split_of,
    strategy_named,
    workbench_of,
)

from drd_plugin import scores as score_room
from drd_plugin import strategies as strategy_room
from drd_plugin.artifacts import Scores
from drd_plugin.data import DataError
from drd_plugin.scores import FoldScore
from drd_plugin.scoring import record, score

FRACTIONS = (0.1, 0.35, 1.0)

RANDOM = {"Strata", "BetaSampling", "ClassQuotas"}
"""Strategies that draw among examples, so that another order of the data draws others."""


def test_every_registered_score_and_strategy_has_a_row():
    assert {*SCORES} == {*score_room.SCORES}
    assert {name.partition(",")[0] for name in STRATEGIES} == {*strategy_room.STRATEGIES}


@pytest.mark.parametrize("kind", SPLITS)
def test_scores_keep_the_laws(kind):
    """One finite float32 row for each example in the order of the data, which stays as it was; for this data set."""
    split, table = split_of(kind), scores_of(kind)
    images = split.images.clone()
    for name in SCORES:
        kind_of_score = type(score_named(name, split))
        if split.kind not in kind_of_score.takes:
            with pytest.raises(DataError, match=f"{kind_of_score.__name__} takes images"):
                score(split, score_named(name, split), device="cpu", progress=False)
            continue
        values = table[name]
        assert values.estimates.dtype == np.float32, name
        assert values.estimates.shape[0] == len(split), name
        assert np.isfinite(values.estimates).all(), name
        assert np.array_equal(values.labels, split.labels), name
        assert values.fingerprint == split.fingerprint, name
        assert values.higher_is_harder == kind_of_score.higher_is_harder, name
    assert (split.images == images).all()


@pytest.mark.parametrize("kind", ["a class of one", "texts"])
def test_scores_are_decided_by_their_seed(kind):
    split, first = split_of(kind), scores_of(kind)
    for seed, same in ((0, True), (1, False)):
        scores = {name: score_named(name, split) for name in first if name in SCORES}
        folds = [each for each in scores.values() if isinstance(each, FoldScore)]
        recorded = record(split, folds, proxy=RECIPE[split.kind], seed=seed, device="cpu", progress=False)
        again = dict(zip(folds, recorded, strict=True))
        for name, each in scores.items():
            values = again.get(each) or score(split, each, seed=seed, device="cpu", progress=False)
            assert np.array_equal(values.estimates, first[name].estimates) == same, (name, seed)


def selections(kind, strategy, seed=0, workbench=None, order=None):
    """What a strategy selects from every score at every fraction; a refusal in the library's words where it refuses."""
    chosen = {}
    for name, scores in scores_of(kind).items():
        scores = scores if order is None else scores.at(order)
        for fraction in FRACTIONS:
            k = strategy_room.budget_of(fraction, len(scores))
            try:
                indices = strategy.select(
                    scores, k, np.random.default_rng(seed), workbench or workbench_of(kind)
                ).indices
            except ValueError as refusal:
                indices = str(refusal)
            chosen[name, fraction] = indices
    return chosen


def refusal_is_right(text, labels, k):
    """A refusal names the class that would be left without an example, or a cut-off that leaves too few."""
    if "leaves no example of class" in text:
        return (k * np.bincount(labels) / len(labels)).min() < 1
    if "share at least one example a class" in text:
        return k < labels.max() + 1
    return "a cut-off of 0.1 drops" in text and k > 0.9 * len(labels)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("kind", SPLITS)
def test_strategies_keep_the_laws(kind, name):
    """The exact budget of distinct positions; the same for the same seed; class shares within one of the exact ones
    where the strategy works class by class; the scores stay as they were.
    """
    strategy, labels = strategy_named(name), split_of(kind).labels
    before = {score_name: scores.estimates.copy() for score_name, scores in scores_of(kind).items()}
    first, again = selections(kind, strategy), selections(kind, strategy)
    for cell, indices in first.items():
        k = strategy_room.budget_of(cell[1], len(labels))
        if isinstance(indices, str):
            assert refusal_is_right(indices, labels, k), (cell, indices)
            assert again[cell] == indices, cell
            continue
        assert len(indices) == k, cell
        assert len(np.unique(indices)) == k, cell
        assert indices.min() >= 0, cell
        assert indices.max() < len(labels), cell
        assert np.array_equal(indices, again[cell]), cell
        if strategy.classwise and not name.startswith(("ClassQuotas", "D2")):
            counts, exact = (
                np.bincount(labels[indices], minlength=labels.max() + 1),
                np.bincount(labels) * k / len(labels),
            )
            assert np.abs(counts - exact).max() < 1, cell
    for score_name, scores in scores_of(kind).items():
        assert np.array_equal(scores.estimates, before[score_name]), score_name


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in RANDOM])
@pytest.mark.parametrize("kind", ["usual", "two classes"])
def test_the_order_of_the_data_decides_nothing(kind, name):
    """Another order of the same examples gives the same ones, where no scores are equal and nothing is drawn."""
    strategy, labels = strategy_named(name), split_of(kind).labels
    order = np.random.default_rng(5).permutation(len(labels))
    moved = Moved(workbench_of(kind), order)
    values = np.random.default_rng(1).permutation(len(labels)).astype(np.float32)[:, None]
    scores = Scores("Distinct", values, labels, True, split_of(kind).fingerprint)
    for fraction in FRACTIONS:
        k = strategy_room.budget_of(fraction, len(labels))
        one = strategy.select(scores, k, np.random.default_rng(0), moved.whole).indices
        other = strategy.select(scores.at(order), k, np.random.default_rng(0), moved).indices
        assert {*one.tolist()} == {*order[other].tolist()}, fraction


class Moved:
    """A workbench that shows the examples in another order."""

    settings, requests = {}, {}

    def __init__(self, whole, order):
        self.whole, self.order, self.labels = FixedFeatures(whole), order, whole.labels[order]

    def scores(self, name):
        return self.whole.scores(name).at(self.order)

    def features(self):
        features = self.whole.features()
        return type(features)(features.values[self.order])

    def predictions(self, indices):
        return self.whole.predictions(self.order[indices])[self.order]

    def features_after(self, indices, epochs):
        return self.whole.features_after(self.order[indices], epochs)[self.order]


class FixedFeatures:
    """A workbench whose features do not depend on which random subset a network was trained on."""

    settings, requests = {}, {}

    def __init__(self, whole):
        self.whole, self.labels = whole, whole.labels
        self.scores, self.features, self.predictions = whole.scores, whole.features, whole.predictions

    def features_after(self, indices, epochs):
        return self.whole.features_after(np.arange(len(self.labels)), epochs)
