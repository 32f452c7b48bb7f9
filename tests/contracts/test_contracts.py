"""The laws that every score, strategy and dynamic method keeps, over a table of them and of kinds of split."""

import numpy as np
import pytest
import torch
from table import (
    DYNAMIC_METHODS,
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
from drd_plugin.dynamic import DYNAMIC, DynamicSampler, Examples, Plan, parse_dynamic
from drd_plugin.scores import FoldScore
from drd_plugin.scoring import record, score
from drd_plugin.strategies.strata import Strata, strata_of

FRACTIONS = (0.1, 0.35, 1.0)

RANDOM = {"Strata", "BetaSampling", "ClassQuotas"}
"""Strategies that draw among examples, so that another order of the data draws others."""


def test_all_that_is_registered_has_a_row():
    assert {*SCORES} == {*score_room.SCORES}
    assert {name.partition(",")[0] for name in STRATEGIES} == {*strategy_room.STRATEGIES}
    assert {name.partition("[")[0] for name in DYNAMIC_METHODS} == {*DYNAMIC}


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


@pytest.mark.parametrize("kind", SPLITS)
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


def selected(strategy, scores, fraction, workbench=None):
    """The positions that a strategy selects; a refusal in the library's words where it refuses."""
    k = strategy_room.budget_of(fraction, len(scores))
    try:
        return strategy.select(scores, k, np.random.default_rng(0), workbench).indices
    except ValueError as refusal:
        return str(refusal)


def selections(kind, strategy):
    """What a strategy selects from every score at every fraction."""
    table, workbench = scores_of(kind), workbench_of(kind)
    return {
        (name, fraction): selected(strategy, scores, fraction, workbench)
        for name, scores in table.items()
        for fraction in FRACTIONS
    }


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
    """The exact budget of distinct positions; the same for the same seed; where the strategy works class by class, the
    classes' shares within one of the exact ones (D2: as equal as their sizes allow); the scores stay as they were.
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
        counts, sizes = np.bincount(labels[indices], minlength=labels.max() + 1), np.bincount(labels)
        if name == "D2":
            assert np.ptp(np.append(counts[counts < sizes], counts.max())) <= 1, cell
        elif name == "ClassQuotas":
            assert (counts >= 1).all(), cell
        elif strategy.classwise:
            assert np.abs(counts - sizes * k / len(labels)).max() < 1, cell
    for score_name, scores in scores_of(kind).items():
        assert np.array_equal(scores.estimates, before[score_name]), score_name


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name not in RANDOM])
@pytest.mark.parametrize("kind", SPLITS)
def test_the_order_of_the_data_decides_nothing(kind, name):
    """Another order of the same examples gives the same ones, where no scores are equal and nothing is drawn."""
    strategy, labels = strategy_named(name), split_of(kind).labels
    order = np.random.default_rng(5).permutation(len(labels))
    moved = Moved(workbench_of(kind), order)
    values = np.random.default_rng(1).permutation(len(labels)).astype(np.float32)[:, None]
    scores = Scores("Distinct", values, labels, True, split_of(kind).fingerprint)
    for fraction in FRACTIONS:
        one = selected(strategy, scores, fraction, moved.whole)
        other = selected(strategy, scores.at(order), fraction, moved)
        if isinstance(one, str):
            assert one == other, fraction
        else:
            assert {*one.tolist()} == {*order[other].tolist()}, fraction


@pytest.mark.parametrize("kind", SPLITS)
def test_the_order_of_the_data_does_not_decide_how_many_are_drawn_from_a_stratum(kind):
    labels = split_of(kind).labels
    order = np.random.default_rng(5).permutation(len(labels))
    values = np.random.default_rng(1).permutation(len(labels)).astype(np.float32)
    scores = Scores("Distinct", values[:, None], labels, True, split_of(kind).fingerprint)
    for fraction in (0.1, 0.35):
        one = selected(Strata(cutoff=0.0), scores, fraction)
        other = order[selected(Strata(cutoff=0.0), scores.at(order), fraction)]
        counts = [np.bincount(strata_of(values, 50)[each], minlength=50) for each in (one, other)]
        assert np.array_equal(*counts), fraction


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


def epochs_of(name, kind, seed=0):
    """Six epochs of a dynamic method, with losses that depend on the example and the epoch: a list of (index,
    weights), and the examples as the method sees them.
    """
    method, split = parse_dynamic(name), split_of(kind)
    values = method.prepare(workbench_of(kind))
    examples = Examples(split.labels, split.num_classes, split.fingerprint, values)
    sampler, epochs = DynamicSampler(method, examples, Plan(0.35), epochs=6, seed=seed), []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        epochs.append((sampler.index.numpy().copy(), sampler.weights_of(sampler.index).numpy()))
        sampler.update(sampler.index, torch.sin(sampler.index * 12.9898 + epoch).abs())
    return epochs, examples


@pytest.mark.parametrize("name", DYNAMIC_METHODS)
@pytest.mark.parametrize("kind", SPLITS)
def test_dynamic_methods_keep_the_laws(kind, name):
    """The planned number of distinct positions in each epoch, with finite weights that are not negative; decided by the
    seed; labels and prepared values stay as they were.
    """
    labels = split_of(kind).labels.copy()
    (first, examples), (again, fresh), (other, _) = (epochs_of(name, kind, seed) for seed in (0, 0, 1))
    k = strategy_room.budget_of(0.35, len(labels))
    for index, weights in first:
        assert parse_dynamic(name).sizes_itself or len(index) == k
        assert len(np.unique(index)) == len(index) > 0
        assert 0 <= index.min() <= index.max() < len(labels)
        assert np.isfinite(weights).all()
        assert weights.min() >= 0
    same = [np.array_equal(np.concatenate(one), np.concatenate(two)) for one, two in zip(first, again, strict=True)]
    assert all(same)
    assert any(not np.array_equal(one[0], two[0]) for one, two in zip(first, other, strict=True))
    assert np.array_equal(examples.labels, labels)
    for value_name, value in examples.values.items():
        assert np.array_equal(value, fresh.values[value_name])
