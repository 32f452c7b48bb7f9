"""The laws that every score, strategy and dynamic method keeps, over a table of them and of kinds of split."""

import numpy as np
import pytest
import torch
from table import (
    DRAWN,
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

FRACTIONS = (0.1, 0.35, 1.0)


def test_all_that_is_registered_has_a_row():
    assert {*SCORES} == {*score_room.SCORES}
    assert {name.partition(",")[0] for name in STRATEGIES} == {*strategy_room.STRATEGIES}
    assert {name.partition("[")[0] for name in DYNAMIC_METHODS} == {*DYNAMIC}


@pytest.mark.parametrize("kind", SPLITS)
def test_scores_keep_the_laws(kind):
    """One finite float32 row for each example in the order of the data, which stays as it was; for this data set."""
    split, table = split_of(kind), scores_of(kind)
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
    assert (split.images == SPLITS[kind]().images).all()


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


def selected(strategy, scores, fraction, workbench=None, seed=0):
    """The positions that a strategy selects; a refusal in the library's words where it refuses."""
    k = strategy_room.budget_of(fraction, len(scores))
    try:
        return strategy.select(scores, k, np.random.default_rng(seed), workbench).indices
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
    before = {name: (s.estimates.copy(), s.hardness.copy()) for name, s in scores_of(kind).items()}
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
        assert np.array_equal(scores.estimates, before[score_name][0]), score_name
        assert np.array_equal(scores.hardness, before[score_name][1]), score_name
    assert np.array_equal(labels, SPLITS[kind]().labels)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("kind", SPLITS)
def test_the_order_of_the_data_decides_nothing(kind, name):
    """Another order of the same examples gives the same ones where no scores are equal and nothing is drawn; where
    something is drawn, as many of each stratum or class.
    """
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
            continue
        alike = DRAWN.get(name, lambda scores, index: np.sort(index))
        assert np.array_equal(alike(scores, one), alike(scores, order[other])), fraction


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_depends_on_the_seed(name):
    scores, workbench = scores_of("usual")["AUM"], workbench_of("usual")
    first, again, other = (selected(strategy_named(name), scores, 0.35, workbench, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(np.sort(first), np.sort(other))


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_direction_of_the_score_counts_and_not_its_sign(name):
    """A score that falls with the hardness gives what its negative gives, which rises with it."""
    values = np.random.default_rng(1).permutation(60).astype(np.float32)[:, None]
    up = Scores("AUM", values, split_of("usual").labels, True, split_of("usual").fingerprint)
    down = Scores("AUM", -values, up.labels, False, up.fingerprint)
    one, other = (
        selected(strategy_named(name), scores, 0.35, FixedFeatures(workbench_of("usual"))) for scores in (up, down)
    )
    if name in DRAWN:
        assert len(one) == len(other)  # strata lie along the values, and which of equal size comes first may differ
    else:
        assert np.array_equal(np.sort(one), np.sort(other))


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


def epochs_of(name, kind, fraction, seed=0):
    """Six epochs of a dynamic method, a list of (index, weights), with losses that depend on the example and the
    epoch; labels and prepared values are as they were before.
    """
    method, split = parse_dynamic(name), split_of(kind)
    values = method.prepare(workbench_of(kind))
    before = {value_name: value.copy() for value_name, value in values.items()}
    examples = Examples(split.labels, split.num_classes, split.fingerprint, values)
    sampler, epochs = DynamicSampler(method, examples, Plan(fraction), epochs=6, seed=seed), []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        epochs.append((sampler.index.numpy().copy(), sampler.weights_of(sampler.index).numpy()))
        sampler.update(sampler.index, torch.sin(sampler.index * 12.9898 + epoch).abs())
    assert np.array_equal(examples.labels, SPLITS[kind]().labels)
    assert all(np.array_equal(value, before[value_name]) for value_name, value in examples.values.items())
    return epochs


@pytest.mark.parametrize("name", DYNAMIC_METHODS)
@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("fraction", [0.35, 0.8])
def test_dynamic_methods_keep_the_laws(kind, name, fraction):
    """The planned number of distinct positions in each epoch, with finite weights that are not negative; decided by the
    seed; where the method shares the budget among the classes, their shares within one of the exact ones.
    """
    labels, method = split_of(kind).labels, parse_dynamic(name)
    first, again, other = (epochs_of(name, kind, fraction, seed) for seed in (0, 0, 1))
    k = strategy_room.budget_of(fraction, len(labels))
    for index, weights in first:
        assert method.sizes_itself or len(index) == k
        assert len(np.unique(index)) == len(index) > 0
        assert 0 <= index.min() <= index.max() < len(labels)
        assert np.isfinite(weights).all()
        assert weights.min() >= 0
        if getattr(method, "within", "") == "class":
            counts = np.bincount(labels[index], minlength=labels.max() + 1)
            assert np.abs(counts - np.bincount(labels) * k / len(labels)).max() < 1
    assert all(
        np.array_equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True)
    )
    assert any(not np.array_equal(one[0], two[0]) for one, two in zip(first, other, strict=True))
