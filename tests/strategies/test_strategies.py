import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from drd_plugin.artifacts import Features, Scores
from drd_plugin.strategies import (
    D2,
    STRATEGIES,
    BestWindow,
    BetaSampling,
    ClassQuotas,
    Hardest,
    PerClass,
    Strata,
    Window,
    budget_of,
    class_budgets,
)
from drd_plugin.strategies.apply import apply_strategy
from drd_plugin.strategies.best_window import window_at
from drd_plugin.strategies.beta_sampling import beta_parameters, density
from drd_plugin.strategies.class_quotas import quotas
from drd_plugin.strategies.cutoff import paper_cutoff
from drd_plugin.strategies.d2 import neighbour_graph
from drd_plugin.strategies.ridge import best_by_ridge
from drd_plugin.strategies.strata import allocate, strata_of


class FakeWorkbench:
    """A workbench in which a network recognises as large a share of the examples as its subset is useful on average."""

    def __init__(self, labels, usefulness, features=None, others=()):
        self.labels, self.usefulness, self.matrix, self.others = labels, usefulness, features, others
        self.trainings = []

    def predictions(self, indices):
        self.trainings.append(np.sort(indices))
        recognised = np.arange(len(self.labels)) < round(len(self.labels) * float(self.usefulness[indices].mean()))
        return np.where(recognised, self.labels, -1)

    def features_after(self, indices, epochs):
        self.trainings.append((np.sort(indices), epochs))
        return self.matrix

    def features(self):
        return Features(self.matrix)

    def scores(self, name):
        return self.others[name]


def random_scores(n=200, classes=4, seed=0, higher_is_harder=True, name="AUM", levels=None):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n) if levels is None else rng.integers(0, levels, n)
    return Scores(name, values[:, None].astype(np.float32), np.arange(n) % classes, higher_is_harder, "made:up")


def workbench_for(scores):
    rng = np.random.default_rng(1)
    others = defaultdict(lambda: replace(scores, estimates=rng.random((len(scores), 1))))  # of any name
    return FakeWorkbench(scores.labels, rng.random(len(scores)), rng.normal(size=(len(scores), 5)), others)


@pytest.mark.parametrize("name", STRATEGIES)
@given(n=st.integers(40, 120), fraction=st.floats(0.1, 1), seed=st.integers(0, 99), levels=st.sampled_from([None, 3]))
def test_every_strategy_keeps_exactly_the_budget(name, n, fraction, seed, levels):
    scores = random_scores(n, seed=seed, levels=levels)
    before, k = scores.estimates.copy(), budget_of(fraction, n)
    one, two = (
        STRATEGIES[name]().select(scores, k, np.random.default_rng(seed), workbench_for(scores)) for _ in range(2)
    )
    assert len(one.indices) == k
    assert len(np.unique(one.indices)) == k
    assert one.indices.min() >= 0
    assert one.indices.max() < n
    assert np.array_equal(one.indices, two.indices)
    assert np.array_equal(scores.estimates, before)


@given(st.lists(st.integers(0, 4), min_size=10, max_size=80), st.data())
def test_class_budgets_are_within_one_of_the_exact_share(labels, data):
    labels = np.unique(np.array(labels), return_inverse=True)[1]
    k = data.draw(st.integers(1, len(labels)))
    exact = k * np.bincount(labels) / len(labels)
    if np.floor(exact).min() >= 1:
        budgets = class_budgets(labels, k)
        assert budgets.sum() == k
        assert np.abs(budgets - exact).max() < 1
    elif exact.min() == 0 or k < len(exact):
        with pytest.raises(ValueError, match="leaves no example of class"):
            class_budgets(labels, k)


@pytest.mark.parametrize("inner", [Hardest(), Window(), Strata(cutoff=0.0)])
def test_the_wrapper_keeps_class_shares(inner):
    labels = np.repeat([0, 1, 2], [100, 60, 40])
    scores = Scores("x", np.random.default_rng(0).normal(size=(200, 1)), labels, True, "f")
    selection = PerClass(inner).select(scores, 50, np.random.default_rng(0))
    assert np.bincount(labels[selection.indices]).tolist() == [25, 15, 10]


def test_the_wrapper_applies_the_strategy_within_each_class():
    scores = random_scores()
    selected = PerClass(Hardest()).select(scores, 40, np.random.default_rng(0)).indices
    for c in range(4):
        members = np.flatnonzero(scores.labels == c)
        hardest = members[np.argsort(scores.values[members])[-10:]]
        assert set(selected) & set(members) == set(hardest)


def test_the_wrapper_refuses_strategies_that_train():
    with pytest.raises(ValueError, match="BestWindow works class by class already"):
        PerClass(BestWindow())


def test_hardest_takes_the_top():
    scores = random_scores(higher_is_harder=False)
    assert set(Hardest().select(scores, 20, np.random.default_rng(0)).indices) == set(np.argsort(scores.values)[:20])


def test_ties_are_broken_by_the_generator_and_not_by_order():
    scores = Scores("x", np.zeros((1000, 1)), np.zeros(1000), True, "f")
    picks = [Hardest().select(scores, 100, np.random.default_rng(s)).indices for s in range(20)]
    assert abs(np.mean(picks) - 499.5) < 30
    assert not np.array_equal(picks[0], picks[1])


def test_the_window_is_the_middle_of_the_ranking():
    scores = Scores("x", np.arange(10.0)[:, None], np.zeros(10), True, "f")
    assert sorted(Window().select(scores, 4, np.random.default_rng(0)).indices) == [3, 4, 5, 6]
    assert sorted(Window(start=0.0).select(scores, 4, np.random.default_rng(0)).indices) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"start at 0\.600 or before"):
        Window(start=0.7).select(scores, 4, np.random.default_rng(0))


def test_ccs_allocates_as_worked_by_hand():
    # smallest first: 0 of 10//5, 1 of 10//4, 2 of 9//3, 3 of 7//2, 4 of 4//1
    assert allocate(np.array([2, 0, 9, 1, 5]), 10).tolist() == [2, 0, 4, 1, 3]
    assert allocate(np.array([100, 100, 100]), 10).tolist() == [3, 3, 4]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.data())
def test_ccs_allocation_spends_the_budget_within_the_sizes(sizes, data):
    sizes = np.array(sizes)
    k = data.draw(st.integers(0, int(sizes.sum())))
    budgets = allocate(sizes, k)
    assert budgets.sum() == k
    assert (budgets <= sizes).all()
    assert (budgets >= 0).all()


def test_strata_have_equal_width_and_not_equal_count():
    assert strata_of(np.array([0.0, 0.1, 0.2, 10.0, 5.01, 4.99]), 2).tolist() == [0, 0, 0, 1, 1, 0]
    assert strata_of(np.full(4, 3.0), 5).tolist() == [0, 0, 0, 0]


def test_ccs_drops_the_hardest_by_aum_whatever_it_stratifies():
    aum, el2n = random_scores(seed=0, higher_is_harder=False), random_scores(seed=1, name="EL2N")
    hardest = set(np.argsort(aum.values)[:60])
    selection = Strata(cutoff=0.3).select(
        el2n, 40, np.random.default_rng(0), FakeWorkbench(el2n.labels, np.ones(200), others={"AUM": aum})
    )
    assert not hardest & set(selection.indices)
    assert selection.chosen == {"cutoff": 0.3}
    own = Strata(cutoff=0.3, cutoff_score="").select(el2n, 40, np.random.default_rng(0))
    assert not set(np.argsort(el2n.values)[-60:]) & set(own.indices)
    with pytest.raises(ValueError, match="give the AUM scores too"):
        Strata(cutoff=0.3).select(el2n, 40, np.random.default_rng(0))
    other = random_scores(seed=4, higher_is_harder=False)  # of the same name, made otherwise: the workbench decides
    workbench = FakeWorkbench(other.labels, np.ones(200), others={"AUM": aum})
    assert not hardest & set(Strata(cutoff=0.3).select(other, 40, np.random.default_rng(0), workbench).indices)


def test_ccs_covers_sparse_regions():
    values = np.concatenate([np.zeros(990), np.linspace(1, 10, 10)])
    scores = Scores("AUM", values[:, None], np.zeros(1000), False, "f")
    selected = Strata(cutoff=0.0).select(scores, 100, np.random.default_rng(0)).indices
    assert set(range(990, 1000)) <= set(selected)


def test_a_cutoff_that_drops_too_much_is_refused():
    with pytest.raises(ValueError, match=r"drops 120 of 200 examples, but to keep 100 at most 100 may be dropped"):
        Strata(cutoff=0.6).select(random_scores(), 100, np.random.default_rng(0))


def test_the_papers_cutoffs():
    assert [paper_cutoff(f) for f in (0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)] == [0.3, 0.3, 0.1, 0.1, 0, 0, 0, 0]


def test_starts_of_both_papers():
    bws, drd = BestWindow(), BestWindow(selector="train", origin="easiest", max_start=0.5)
    assert bws.starts(100, 1000) == pytest.approx(np.arange(0, 0.91, 0.05))
    assert drd.starts(100, 1000) == pytest.approx(np.arange(0, 0.51, 0.05))
    assert drd.starts(750, 1000)[-1] == pytest.approx(0.25)
    assert drd.starts(1000, 1000).tolist() == [0]


@pytest.mark.parametrize("n", [150, 1437, 9469, 1_281_167])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.5, 0.75])
def test_a_budget_that_is_rounded_up_costs_no_start(n, fraction):
    """BWS's code has `np.arange(0, 1.0001 - fraction, 0.05)`."""
    assert BestWindow().starts(budget_of(fraction, n), n) == pytest.approx(np.arange(0, 1.0001 - fraction, 0.05))


def test_windows_end_where_those_of_bws_do():
    """BWS's windows begin where round((1 - start) * size) examples are left."""
    window = window_at([np.arange(33), np.arange(100, 151)], np.array([3, 5]), 0.05)
    assert window.tolist() == [2, 3, 4, 103, 104, 105, 106, 107]
    assert window_at([np.arange(33)], np.array([3]), 0.95).tolist() == [30, 31, 32]


@pytest.mark.parametrize(("origin", "start"), [("easiest", 0.3), ("hardest", 0.6)])
def test_the_best_window_is_found_and_every_window_is_the_budget(origin, start):
    """The useful examples are ranks 30 % to 40 % of each class from the easy end."""
    scores = random_scores(400)
    useful = np.zeros(400)
    for c in range(4):
        members = np.flatnonzero(scores.labels == c)
        useful[members[np.argsort(scores.values[members])[30:40]]] = 1
    workbench = FakeWorkbench(scores.labels, useful)
    selection = BestWindow(selector="train", origin=origin).select(scores, 40, np.random.default_rng(0), workbench)
    assert selection.chosen["start"] == pytest.approx(start)
    assert set(selection.indices) == set(np.flatnonzero(useful))
    assert all(len(indices) == 40 for indices in workbench.trainings)
    assert selection.chosen["accuracies"][round(start / 0.05)] == 100


def test_compared_windows_are_the_budget_of_unequal_classes_too():
    labels = np.repeat([0, 1, 2], [33, 51, 16])
    scores = replace(random_scores(100), labels=labels)
    workbench = FakeWorkbench(labels, np.random.default_rng(0).random(100))
    selection = BestWindow(selector="train").select(scores, 7, np.random.default_rng(0), workbench)
    budgets = class_budgets(labels, 7).tolist()
    assert len(workbench.trainings) == len(selection.chosen["starts"])
    assert all(np.bincount(labels[indices]).tolist() == budgets for indices in workbench.trainings)
    assert np.bincount(labels[selection.indices]).tolist() == budgets


def test_a_class_without_an_example_is_found_before_any_training():
    workbench = FakeWorkbench(random_scores(400).labels, np.zeros(400))
    with pytest.raises(ValueError, match="leaves no example of class"):
        BestWindow(selector="train").select(random_scores(400), 2, np.random.default_rng(0), workbench)
    assert not workbench.trainings


def test_held_out_examples_judge_and_take_no_part():
    scores = random_scores(400)
    workbench = FakeWorkbench(scores.labels, np.random.default_rng(0).random(400))
    strategy = BestWindow(selector="train", reference="heldout")
    selection = strategy.select(scores, 40, np.random.default_rng(0), workbench)
    compared = np.concatenate(workbench.trainings)  # the windows cover all that takes part
    reference = np.setdiff1d(np.arange(400), compared)
    assert np.bincount(scores.labels[reference]).tolist() == [20] * 4
    shares = [np.mean(workbench.predictions(indices)[reference] >= 0) for indices in list(workbench.trainings)]
    assert selection.chosen["accuracies"] == pytest.approx([100 * share for share in shares], abs=1e-3)
    assert len(selection.indices) == 40


def test_the_ridge_selector_trains_once_on_a_random_subset_of_the_budget():
    scores = random_scores(400)
    workbench = workbench_for(scores)
    selection = BestWindow(proxy_epochs=7).select(scores, 40, np.random.default_rng(0), workbench)
    [(indices, epochs)] = workbench.trainings
    assert (len(indices), epochs) == (40, 7)
    assert len(selection.chosen["accuracies"]) == 19


def windowed(features, labels, windows, reference=None, penalty=1.0, seed=0):
    reference = np.arange(len(labels)) if reference is None else reference
    return best_by_ridge(features, labels, windows, reference, np.random.default_rng(seed), penalty)


@pytest.mark.parametrize("size", [20, 4])
def test_ridge_agrees_with_scikit_learn_in_primal_and_dual(size):
    """For windows that overlap, follow each other without a gap, and lie apart."""
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
    windows = [np.arange(start, start + size) for start in (0, 3, 7, 7 + size, 40, 30)]
    ones = np.concatenate([np.ones((60, 1)), features], axis=1)
    expected = []
    for window in windows:
        model = Ridge(alpha=2.0, fit_intercept=False).fit(ones[window], np.eye(3)[labels[window]])
        expected.append(100 * np.mean(model.predict(ones[10:]).argmax(1) == labels[10:]))
    best, accuracies = windowed(features, labels, windows, np.arange(10, 60), 2.0)
    assert accuracies == pytest.approx(expected)
    assert best == int(np.argmax(expected))


def test_windows_that_fall_behind_leave_the_race(monkeypatch):
    """The race finds the window that judging all by all would, and a loser's accuracy is near to what it would be."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 20_000)
    noise = np.linspace(0.2, 3, 20_000)
    features = (np.eye(4)[labels] + noise[:, None] * rng.normal(size=(20_000, 4))).astype(np.float32)
    windows = [np.arange(start, start + 500) for start in range(0, 20_000, 2000)]
    best, whole = windowed(features, labels, windows)
    monkeypatch.setattr("drd_plugin.strategies.ridge.FIRST", 1000)
    for seed in range(5):
        raced, accuracies = windowed(features, labels, windows, seed=seed)
        assert whole[raced] > whole[best] - 0.1
        assert accuracies == pytest.approx(whole, abs=3)
        assert accuracies[raced] == accuracies.max()
        assert not np.allclose(accuracies, whole, atol=1e-9)


def test_drds_ccs_has_strata_of_equal_size_in_each_class():
    """Ranks 0-9, 10-19, ... of each class give two each, and what does not divide goes to any of them."""
    labels = np.repeat([0, 1], [100, 60])
    scores = Scores("DRD", np.random.default_rng(0).normal(size=(160, 1)), labels, True, "f")
    rng = np.random.default_rng(0)
    selected = Strata("drd", strata=10).select(scores, np.array([20, 30]), rng).indices
    for c, each in ((0, [2] * 10), (1, [3] * 10)):
        members = np.flatnonzero(labels == c)
        order = members[np.argsort(scores.values[members])]
        place = np.flatnonzero(np.isin(order, selected)) * 10 // len(order)
        assert np.bincount(place, minlength=10).tolist() == each
    counts = np.zeros(10)
    for seed in range(300):
        indices = Strata("drd", strata=10).select(scores, np.array([3, 1]), np.random.default_rng(seed)).indices
        order = np.argsort(scores.values[:100])
        counts += np.bincount(np.flatnonzero(np.isin(order, indices)) // 10, minlength=10)
    assert counts.sum() == 900
    assert counts.min() > 60  # 90 each on average, and not all in the last strata
    assert Strata("drd").needs_scores == ()
    with pytest.raises(ValueError, match=r"the variant drd of CCS has no cut-off, got cutoff=0\.1"):
        Strata("drd", cutoff=0.1)


def test_strata_keep_the_official_margin_and_the_greatest_of_negative_values():
    values = np.array([-4.0, -3.0, -2.0, -1.0], np.float32)
    assert strata_of(values, 3).tolist() == [0, 0, 1, 2]
    assert strata_of(np.array([0, 50, 100, 150], np.float32), 3).tolist() == [0, 0, 1, 2]


def test_every_member_of_a_stratum_may_be_drawn():
    scores = Scores("AUM", np.arange(100.0)[:, None], np.zeros(100), False, "f")
    counts = np.zeros(100)
    for seed in range(400):
        counts[Strata(strata=2, cutoff=0.0).select(scores, 20, np.random.default_rng(seed)).indices] += 1
    assert counts.sum() == 8000
    assert counts.min() > 45
    assert counts.max() < 120  # 80 each on average


def test_a_window_within_classes_is_the_middle_of_each():
    scores = Scores("Moderate", np.arange(20.0)[:, None], np.repeat([0, 1], 10), True, "f")
    within = Window(ranking="class").select(scores, 8, np.random.default_rng(0)).indices
    assert sorted(within) == [3, 4, 5, 6, 13, 14, 15, 16]
    assert sorted(Window().select(scores, 8, np.random.default_rng(0)).indices) == list(range(6, 14))
    assert Window(ranking="class").classwise
    assert not Window().classwise


LINE = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 30.0])
"""Six points on a line; with one neighbour each, the edges are 0-1, 1-2, 3-4 and 4-5."""


def line(importance, labels=None, higher=True):
    labels = np.zeros(6, np.int64) if labels is None else np.asarray(labels)
    values = np.asarray(importance, float)[:, None]
    scores = Scores("Forgetting", values if higher else -values, labels, higher, "f")
    return scores, FakeWorkbench(labels, np.ones(6), LINE[:, None])


def d2(scores, workbench, k, **fields):
    how = D2(neighbors=1, cutoff=0.0, **fields)
    return how.select(scores, k, np.random.default_rng(0), workbench).indices.tolist()


def test_the_graph_of_neighbours_is_symmetric_and_sparse():
    graph = neighbour_graph(LINE[:, None], 1).toarray()
    expected = np.zeros((6, 6))
    for i, j, distance in ((0, 1, 1), (1, 2, 1), (3, 4, 1), (4, 5, 19)):
        expected[i, j] = expected[j, i] = distance
    assert np.allclose(graph, expected)
    same = neighbour_graph(np.zeros((3, 2)), 2)
    assert same.nnz == 6  # an edge of length 0 is an edge


def test_d2_by_hand():
    """u = (5 + e, 5 + 2e, 5 + e, ...) with e = 5/e^1: the middle of the three goes first, and its neighbours lose."""
    e = math.exp(-1)
    importance = [5, 5, 5, 6, 4, 1]
    scores, workbench = line(importance)
    # u: 6.84, 8.68, 6.84, 7.47, 6.21, 1.00; then 1 takes e^-0.1 of its own 8.68 off 0 and 2, and 3 as much off 4
    assert math.isclose(5 + 10 * e, 8.68, abs_tol=0.01)
    assert d2(scores, workbench, 2) == [1, 3]
    assert d2(scores, workbench, 3, gamma=0.1)[2] == 5
    first = d2(scores, workbench, 3, gamma=0.0)
    assert first == [1, 3, 5]  # at gamma 0 all neighbours lose everything
    assert d2(scores, workbench, 3, gamma=50.0)[2] in (0, 2)  # and at a large one nothing


def test_d2_breaks_ties_by_the_seed():
    scores = Scores("Forgetting", np.ones((60, 1)), np.zeros(60), True, "f")
    workbench = FakeWorkbench(scores.labels, np.ones(60), np.zeros((60, 2)))
    firsts = {int(D2(cutoff=0.0).select(scores, 1, np.random.default_rng(s), workbench).indices[0]) for s in range(20)}
    assert len(firsts) > 5


def test_d2_shifts_hardness_that_is_negative():
    """Scores of which low is hard have negative hardness: the hardest, a 1, is worth 5, and the easiest nothing."""
    low, workbench = line([5, 5, 5, 6, 4, 1], higher=False)
    assert low.hardness.tolist() == [5, 5, 5, 6, 4, 1]
    aum = replace(low, estimates=-low.estimates)
    assert aum.hardness.tolist() == [-5, -5, -5, -6, -4, -1]
    assert d2(aum, workbench, 3) == d2(line([1, 1, 1, 0, 2, 5])[0], workbench, 3)
    assert d2(aum, workbench, 1) == [5]


def test_d2_has_a_graph_for_each_class_or_one():
    labels = [0, 0, 0, 1, 1, 1]
    scores, workbench = line([9, 9, 9, 1, 1, 1], labels)
    within = D2(neighbors=1, cutoff=0.0).select(scores, 4, np.random.default_rng(0), workbench).indices
    assert np.bincount(np.array(labels)[within]).tolist() == [2, 2]
    one_graph = D2(neighbors=1, cutoff=0.0, graph="global", gamma=9.0)
    whole = one_graph.select(scores, 3, np.random.default_rng(0), workbench)
    assert sorted(whole.indices) == [0, 1, 2]
    budgeted = D2(neighbors=1, cutoff=0.0).select(scores, np.array([3, 1]), np.random.default_rng(0), workbench).indices
    assert np.bincount(np.array(labels)[budgeted]).tolist() == [3, 1]


def test_d2_drops_the_hardest_first_and_needs_features():
    scores = random_scores(name="Forgetting")
    workbench = workbench_for(scores)
    aum = random_scores(seed=5, higher_is_harder=False)
    workbench.others["AUM"] = aum
    selected = D2(cutoff=0.4).select(scores, 20, np.random.default_rng(0), workbench)
    assert not set(np.argsort(aum.values)[:80]) & set(selected.indices)
    assert selected.chosen == {"cutoff": 0.4}
    with pytest.raises(ValueError, match="give it a workbench"):
        D2(cutoff=0.0).select(scores, 20, np.random.default_rng(0))
    hard = Scores("Forgetting", np.arange(80.0)[:, None], np.repeat([0, 2, 3, 1], 20), True, "f")
    how, budgets = D2(cutoff=5 / 80, cutoff_score=""), np.array([10, 18, 10, 10])
    with pytest.raises(ValueError, match="leaves 15 examples of class 1, of which 18 are to be kept"):
        how.select(hard, budgets, np.random.default_rng(0), workbench)


@pytest.mark.parametrize(("size", "neighbors"), [(5, 5), (20, 20), (3, 5)])
def test_d2_keeps_the_hardest_of_classes_that_are_too_small_for_a_graph(caplog, size, neighbors):
    """Ten classes of at most `neighbors` examples: where all are each other's neighbours, messages would say nothing.

    Of the same classes with a neighbour less (or in one graph), others than the hardest are kept.
    """
    n, k = 10 * size, 10 * (size // 2)
    labels = np.arange(n) % 10
    rng = np.random.default_rng(0)
    scores = Scores("Forgetting", rng.gamma(2, size=(n, 1)), labels, True, "f")
    workbench = FakeWorkbench(labels, np.ones(n), rng.normal(size=(n, 2)) / 10)
    selection = D2(neighbors, cutoff=0.0).select(scores, k, np.random.default_rng(0), workbench)
    hardest = [np.sort(scores.hardness[labels == c])[-(size // 2) :] for c in range(10)]
    assert np.bincount(labels[selection.indices]).tolist() == [size // 2] * 10
    assert scores.hardness[selection.indices].mean() == pytest.approx(np.mean(hardest))
    assert selection.chosen == {"cutoff": 0.0, "without_graph": 10}
    [record] = caplog.records
    assert (record.name, record.levelname) == ("drd_plugin.strategies.d2", "WARNING")
    assert record.getMessage() == (
        f"D2 keeps the hardest of 10 pools of at most {neighbors} examples, too few for a graph"
    )

    caplog.clear()
    for graph in (D2(min(neighbors, size) - 1, cutoff=0.0), D2(neighbors, cutoff=0.0, graph="global")):
        whole = graph.select(scores, k, np.random.default_rng(0), workbench)
        assert scores.hardness[whole.indices].mean() < np.mean(hardest)
        assert whole.chosen == {"cutoff": 0.0}
    assert not caplog.records


def test_d2_counts_only_the_small_classes_from_which_something_is_kept(caplog):
    labels = np.repeat([0, 1, 2], [5, 30, 4])
    rng = np.random.default_rng(0)
    scores = Scores("Forgetting", rng.random((39, 1)), labels, True, "f")
    workbench = FakeWorkbench(labels, np.ones(39), rng.normal(size=(39, 2)))
    selection = D2(cutoff=0.0).select(scores, np.array([2, 10, 0]), np.random.default_rng(0), workbench)
    assert selection.chosen["without_graph"] == 1
    assert set(np.argsort(scores.values[:5])[-2:]) <= set(selection.indices)
    assert "the hardest of 1 pools of at most 5 examples" in caplog.text


def test_the_quotas_of_drop_by_hand():
    """1 - r is 0.1, 0.3, 0.6; by size the shares are 10, 30, 30 of 70; the last class is full, and passes 5 on."""
    recalls, sizes = np.array([0.9, 0.7, 0.4]), np.array([100, 100, 50])
    assert quotas(recalls, sizes, 70).tolist() == [10, 30, 30]
    assert quotas(recalls, sizes, 70, by_size=False).tolist() == [7, 21, 42]
    assert quotas(recalls, sizes, 140).tolist() == [22, 68, 50]
    assert quotas(recalls, sizes, 250).tolist() == [100, 100, 50]
    assert quotas(np.array([1.0, 1.0, 0.5]), sizes, 60).tolist() == [5, 5, 50]


@given(st.lists(st.integers(1, 40), min_size=2, max_size=12), st.data())
def test_quotas_spend_the_budget_within_the_sizes(sizes, data):
    sizes = np.array(sizes)
    recalls = np.array(data.draw(st.lists(st.floats(0, 1), min_size=len(sizes), max_size=len(sizes))))
    k = data.draw(st.integers(len(sizes), int(sizes.sum())))
    for by_size in (True, False):
        numbers = quotas(recalls, sizes, k, by_size)
        assert numbers.sum() == k
        assert (numbers <= sizes).all()
        assert (numbers >= 1).all()


def test_the_parameters_of_the_beta_density_by_hand():
    assert beta_parameters(0.4, 0.0, 4.0) == (7.0, 9.0)
    assert beta_parameters(0.4, 1.0, 4.0) == (16.0, 0.0)
    assert beta_parameters(0.4, 0.5, 1.0) == (11.5, 4.5)
    assert density(np.array([0.5]), 2, 2) == pytest.approx(1.5)


def dual(n=400):
    """Scores of which the highest have a mean probability of 0.3, and the mean probabilities."""
    mean = np.linspace(0.01, 0.99, n)
    labels = np.zeros(n)
    scores = Scores("DUAL", 0.5 - np.abs(mean - 0.3)[:, None] / 2, labels, True, "f")
    return scores, mean, Scores("Confidence", mean[:, None], labels, False, "f")


def test_beta_sampling_draws_in_proportion_and_easier_the_fewer_are_kept():
    scores, mean, confidence = dual()
    workbench = FakeWorkbench(scores.labels, mean, others={"Confidence[early=true]": confidence})
    for k, centre in ((4, 15), (100, 10)):
        a, b = beta_parameters(0.3, 1 - k / 400, 4)
        weight = density(mean, a, b) * scores.values
        expected = np.average(mean, weights=weight)
        subsets = [
            BetaSampling().select(scores, k, np.random.default_rng(seed), workbench).indices for seed in range(100)
        ]
        assert all(len(set(subset)) == k for subset in subsets)
        assert mean[np.concatenate(subsets)].mean() == pytest.approx(expected, abs=0.05), centre
    few, many = (
        mean[BetaSampling().select(scores, k, np.random.default_rng(0), workbench).indices].mean() for k in (8, 300)
    )
    assert few > many + 0.2
    assert len(BetaSampling().select(scores, 400, np.random.default_rng(0), workbench).indices) == 400


def test_the_first_that_beta_sampling_draws_has_the_odds_of_its_weight():
    mean = np.array([0.3, 0.5, 0.7, 0.9])
    labels = np.zeros(4)
    scores = Scores("DUAL", np.array([[0.4], [0.3], [0.2], [0.1]]), labels, True, "f")
    confidence = Scores("Confidence", mean[:, None], labels, False, "f")
    workbench = FakeWorkbench(labels, mean, others={"Confidence[early=true]": confidence})
    weight = density(mean, *beta_parameters(float(mean.mean()), 0.75, 4.0)) * scores.values
    choices = [BetaSampling().select(scores, 1, np.random.default_rng(seed), workbench) for seed in range(2000)]
    firsts = [selection.indices[0] for selection in choices]
    assert np.bincount(firsts, minlength=4) / 2000 == pytest.approx(weight / weight.sum(), abs=0.04)


def test_beta_sampling_needs_probabilities():
    scores, mean, confidence = dual()
    workbench = FakeWorkbench(
        scores.labels, mean, others={"Confidence[early=true]": replace(confidence, estimates=2 + mean[:, None])}
    )
    with pytest.raises(ValueError, match=r"must be a probability in \[0, 1\], got 2.01 to 2.99"):
        BetaSampling().select(scores, 4, np.random.default_rng(0), workbench)
    with pytest.raises(ValueError, match="needs the Confidence"):
        BetaSampling().select(scores, 4, np.random.default_rng(0))
    for c, message in ((0.0, "c is positive"), (math.nan, "c: expected a finite number")):
        with pytest.raises(ValueError, match=f"BetaSampling.{message}"):
            BetaSampling(c=c)


def test_badly_learned_classes_keep_more():
    labels = np.repeat([0, 1, 2, 3], 100)
    scores = Scores("Uniform", np.random.default_rng(0).random((400, 1)), labels, True, "f")

    class HalfOfClassThree(FakeWorkbench):
        def predictions(self, indices):
            self.trainings.append(indices)
            predictions = self.labels.copy()
            predictions[300:350] = 0
            return predictions

    workbench = HalfOfClassThree(labels, np.ones(400))
    selection = ClassQuotas().select(scores, 40, np.random.default_rng(0), workbench)
    [trained] = workbench.trainings
    assert 290 < len(trained) < 350  # four fifths, drawn at random
    counts = np.bincount(labels[selection.indices])
    assert counts.sum() == 40
    assert counts[3] > 25
    assert selection.chosen["quotas"] == counts.tolist()
    assert selection.chosen["recalls"][0] > 0.9 > 0.7 > selection.chosen["recalls"][3]
    hardest = np.argsort(scores.values[300:])[-counts[3] :] + 300
    assert set(hardest) <= set(selection.indices)
    with pytest.raises(ValueError, match=r"expected k in 4\.\.400, got 3"):
        ClassQuotas().select(scores, 3, np.random.default_rng(0), workbench)
    with pytest.raises(ValueError, match="Strata works class by class already"):
        ClassQuotas(Strata("drd"))


def test_drop_counts_examples_and_metriq_classes():
    """All of class 0 is held to be class 1, so its recall is 1 of its held-out examples and two more."""
    labels = np.repeat([0, 1], [300, 100])
    scores = Scores("Uniform", np.random.default_rng(0).random((400, 1)), labels, True, "f")

    class AllOne(FakeWorkbench):
        def predictions(self, indices):
            self.trainings.append(indices)
            return np.ones(400, np.int64)

    for variant in ("drop", "metriq"):
        workbench = AllOne(labels, np.ones(400))
        chosen = ClassQuotas(variant=variant).select(scores, 40, np.random.default_rng(0), workbench).chosen
        out = np.bincount(labels[np.setdiff1d(np.arange(400), workbench.trainings[0])])
        recalls = np.array([1 / (out[0] + 2), (out[1] + 1) / (out[1] + 2)])
        assert chosen["recalls"] == np.round(recalls, 4).tolist()
        assert chosen["quotas"] == quotas(recalls, np.array([300, 100]), 40, variant == "drop").tolist()
    assert quotas(recalls, np.array([300, 100]), 40, True).tolist() != chosen["quotas"]


def test_a_class_of_one_or_none_takes_part_where_a_fifth_is_held_out():
    labels = np.concatenate([np.repeat([0, 3], 20), [1]])
    scores = Scores("x", np.arange(41.0)[:, None], labels, True, "f")
    how = BestWindow(selector="train", reference="heldout", step=0.5)
    chosen = how.select(scores, np.array([4, 1, 0, 4]), np.random.default_rng(0), FakeWorkbench(labels, np.ones(41)))
    assert np.bincount(labels[chosen.indices]).tolist() == [4, 1, 0, 4]
    for ridge, message in ((-1.0, "the ridge penalty is positive, got -1.0"), (math.nan, "ridge: expected a finite")):
        with pytest.raises(ValueError, match=message):
            BestWindow(ridge=ridge)


@pytest.mark.parametrize("strategy", [Hardest(), Window(), Strata(cutoff=0.0), D2(graph="global", cutoff=0.0)])
def test_classes_that_a_strategy_drops_are_logged_by_name(strategy, caplog):
    """The classes 3 to 8 have one example each, in the middle of the ranking of none of these strategies."""
    labels = np.concatenate([np.arange(300) % 3, np.arange(3, 9)])
    values = np.concatenate([np.linspace(0.4, 1, 300), np.zeros(6)])[:, None]
    scores = Scores("Forgetting", values, labels, True, "f")
    workbench = FakeWorkbench(labels, np.ones(306), np.linspace(0, 1, 612).reshape(306, 2))
    workbench.settings = workbench.requests = {}
    for names, shown in (((), "3, 4, 5, 6, 7, ..."), ([f"bird {c}" for c in range(9)], "bird 3, bird 4")):
        workbench.classes = names
        caplog.clear()
        subset = apply_strategy(strategy, scores, 0.05, 0, workbench, "Mine")
        missing = {*range(3, 9)} - {*labels[subset.indices].tolist()}
        [record] = [record for record in caplog.records if record.name == "drd_plugin.strategies.apply"]
        assert f"Mine keeps 15 of 306 examples, and none of {len(missing)} of the 9 classes" in record.getMessage()
        assert len(missing) < 6 or shown in record.getMessage()


def test_nothing_is_logged_where_every_class_keeps_an_example(caplog):
    apply_strategy(Hardest(), random_scores(), 0.5, 0, None, "Mine")
    assert not caplog.records


def test_best_window_needs_a_workbench():
    with pytest.raises(ValueError, match="give it a workbench"):
        BestWindow().select(random_scores(), 20, np.random.default_rng(0))


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, float("nan")])
def test_fractions_outside_the_unit_interval_are_refused(fraction):
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        budget_of(fraction, 100)


def test_a_budget_that_rounds_to_nothing_is_refused():
    with pytest.raises(ValueError, match=r"keeps none: take at least 0\.005"):
        budget_of(0.001, 100)
    with pytest.raises(ValueError, match="leaves no example of class 3"):
        class_budgets(np.repeat([0, 1, 2, 3], [50, 50, 50, 1]), 10)


@given(st.integers(1, 10**7), st.floats(1e-6, 1))
def test_the_budget_is_the_nearest_number(n, fraction):
    if fraction * n >= 0.5:
        assert abs(budget_of(fraction, n) - fraction * n) <= 0.5 + 1e-6


@pytest.mark.parametrize("values", [np.zeros(20), np.arange(20.0)])
def test_a_selection_by_equal_scores_is_called_random(values, caplog):
    scores = Scores("Mine", values[:, None], np.arange(20) % 2, True, "made:up")
    apply_strategy(Hardest(), scores, 0.5, 0, None, "Mine+Hardest")
    assert ("all 20 Mine scores are equal, so that Mine+Hardest selects at random" in caplog.text) == (not values.any())
