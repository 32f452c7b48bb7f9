"""The named variants of the fold scores, each by a case that was worked by hand."""

import math

import numpy as np
import pytest
import torch

from drd_plugin.data import from_arrays
from drd_plugin.methods import parse_score
from drd_plugin.scores import AUM, DUAL, EL2N, TDDS, Confidence, DynUnc, Forgetting, Moderate, Proxy
from drd_plugin.strategies import BetaSampling
from drd_plugin.training import Recorder

CPU = torch.device("cpu")
RIGHT, WRONG = [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]
HALF = [math.log(2), 0.0, 0.0]
"""Probabilities 1/2, 1/4, 1/4."""


def computed(score, epochs, train=(), evaluated=(), n=1, num_classes=3):
    """What a score makes of logits by epoch, [E][n][C], of training steps and of evaluations; all labels are 0."""
    recorder = Recorder([score], n, num_classes, epochs, CPU)
    index, labels = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    train, evaluated = (torch.tensor(list(logits) or [[WRONG] * n] * epochs) for logits in (train, evaluated))
    for epoch in range(1, epochs + 1):
        recorder.step(epoch, index, train[epoch - 1], labels)
        recorder.end_epoch(epoch, lambda epoch=epoch: iter([(index, evaluated[epoch - 1], labels)]))
    recorder.finish()
    return score.compute(recorder.states[0], Proxy(None, None, epochs, "cpu")).tolist()


def learned(*rows):
    """Logits by epoch of examples that are right in the epochs where their row has a 1."""
    return [[RIGHT if row[e] == "1" else WRONG for row in rows] for e in range(len(rows[0]))]


def chances(*rows):
    """Logits of two classes by epoch, for the label's probabilities rows[i][e]."""
    return [[[math.log(row[e]), math.log(1 - row[e])] for row in rows] for e in range(len(rows[0]))]


ROWS = ("101010101010", "000000000000", "111111111101")


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("toneva", [6, 12, 1]), ("ccs", [6, 0, 1]), ("deepcore", [5, 0, 0]), ("bws", [0, 0, 0])],
)
def test_the_variants_of_forgetting_differ_in_the_never_learned_and_in_what_is_watched(variant, expected):
    """Example 1 is never learned; example 2 is forgotten in epoch 11; all evaluations are wrong."""
    assert computed(Forgetting(variant), 12, learned(*ROWS), n=3) == expected


def test_forgetting_of_bws_watches_evaluations():
    assert computed(Forgetting("bws"), 12, evaluated=learned(*ROWS), n=3) == [6, 0, 1]


def test_forgetting_counts_the_first_epochs_and_gives_the_never_learned_as_many():
    assert computed(Forgetting(first_epochs=4), 12, learned(*ROWS), n=3) == [2, 4, 0]
    assert computed(Forgetting("deepcore", first_epochs=12), 12, learned(*ROWS), n=3) == [6, 0, 1]
    assert computed(Forgetting("deepcore"), 4, learned("1011", "0000"), n=2) == [1, 0]


ERROR = math.sqrt(0.25 + 1 / 16 + 1 / 16)
LEVEL = math.sqrt(4 / 9 + 1 / 9 + 1 / 9)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (EL2N(epoch=2), LEVEL),
        (EL2N(epoch=2, outputs="train"), ERROR),
        (EL2N(first_epochs=2), (ERROR + LEVEL) / 2),
        (EL2N(first_epochs=2, outputs="train"), (LEVEL + ERROR) / 2),
        (EL2N(first_epochs=2, outputs="train", aggregate="sum"), LEVEL + ERROR),
        (EL2N(first_epochs=3, aggregate="sum"), ERROR + LEVEL + ERROR),
    ],
)
def test_the_variants_of_el2n(score, expected):
    """Evaluations: half, level, half; training steps the other way round."""
    level = [0.0, 0.0, 0.0]
    evaluated, train = [[HALF], [level], [HALF]], [[level], [HALF], [level]]
    assert computed(score, 3, train, evaluated) == pytest.approx([expected], abs=1e-6)


def test_el2n_reads_one_epoch_or_the_first_ones():
    with pytest.raises(ValueError, match="one epoch or the first ones, got epoch=3 and first_epochs=2"):
        EL2N(epoch=3, first_epochs=2)


def test_the_variants_of_aum():
    train = [[HALF], [[0.0, 3.0, 1.0]], [HALF]]
    second = (1 - math.exp(3)) / (1 + math.exp(3) + math.e)
    assert computed(AUM(), 3, train) == pytest.approx([(math.log(2) - 3 + math.log(2)) / 3], abs=1e-6)
    assert computed(AUM("probabilities"), 3, train) == pytest.approx([(0.25 + second + 0.25) / 3], abs=1e-6)
    assert computed(AUM(first_epochs=2), 3, train) == pytest.approx([(math.log(2) - 3) / 2], abs=1e-6)


def test_the_variants_of_moderate():
    features = torch.tensor([[0.0, 0.0], [1.0, 5.0], [5.0, 1.0]])
    proxy = Proxy(None, from_arrays("x", np.zeros((3, 2, 2), np.uint8), np.zeros(3, int)), 1, "cpu")
    proxy.__dict__["features"] = features
    assert Moderate().compute({}, proxy).tolist() == pytest.approx([math.sqrt(2), 4, 4])
    assert Moderate("mean").compute({}, proxy).tolist() == pytest.approx([math.sqrt(8), math.sqrt(10), math.sqrt(10)])


P = np.array([[0.2, 0.6, 0.3, 0.9, 0.5], [0.5, 0.5, 0.5, 0.5, 0.9]])


def test_dyn_unc_averages_the_spread_of_windows_and_leaves_the_last_epoch_out():
    expected = [(np.std(p[0:3], ddof=1) + np.std(p[1:4], ddof=1)) / 2 for p in P]
    assert expected[1] == 0
    assert computed(DynUnc(window=3), 5, chances(*P), n=2, num_classes=2) == pytest.approx(expected, abs=1e-6)
    whole = [np.mean([np.std(p[k : k + 3], ddof=1) for k in range(3)]) for p in P]
    values = computed(DynUnc(window=3, first_epochs=5), 5, chances(*P), n=2, num_classes=2)
    assert values == pytest.approx(whole, abs=1e-6)


def test_dual_weighs_the_spread_by_difficulty_in_the_first_epochs():
    expected = [np.mean([np.std(p[k : k + 3], ddof=1) * (1 - p[k : k + 3].mean()) for k in range(2)]) for p in P]
    values = computed(DUAL(window=3, first_epochs=4), 5, chances(*P), n=2, num_classes=2)
    assert values == pytest.approx(expected, abs=1e-6)


def test_confidence_is_the_mean_probability_of_the_first_epochs():
    assert computed(Confidence(), 5, chances(*P), n=2, num_classes=2) == pytest.approx(P.mean(axis=1), abs=1e-6)
    values = computed(Confidence(first_epochs=2), 5, chances(*P), n=2, num_classes=2)
    assert values == pytest.approx([0.4, 0.5], abs=1e-6)
    with pytest.raises(ValueError, match="early epochs or the first ones, got first_epochs=3"):
        Confidence(first_epochs=3, early=True)


@pytest.mark.parametrize("epochs", [10, 20, 30, 64, 100, 200])
def test_dual_and_the_mean_that_its_sampling_asks_for_watch_the_same_epochs(epochs):
    [mean_score] = BetaSampling().needs_scores
    assert parse_score(mean_score).last(epochs) == DUAL().last(epochs)


def test_tdds_is_the_weighted_spread_of_the_change():
    """The definition, written out for windows of three epochs in a training of five."""
    expected = []
    for p in P:
        q = np.stack([p, 1 - p])
        change = np.abs(q[:, 1:] * np.log(q[:, 1:] / q[:, :-1])).sum(axis=0)
        spread = [np.linalg.norm(change[k : k + 2] - change[k : k + 2].mean()) for k in range(3)]
        expected.append(sum(0.9 * 0.1 ** (2 - k) * spread[k] for k in range(3)))
    values = computed(TDDS(window=3, first_epochs=5), 5, chances(*P), n=2, num_classes=2)
    assert values == pytest.approx(expected, abs=1e-5)
    shorter = computed(TDDS(window=3, first_epochs=3, decay=1.0), 5, chances(*P), n=2, num_classes=2)
    assert shorter[1] == 0
    assert shorter[0] > 0


@pytest.mark.parametrize(
    ("score", "epochs", "last"),
    [
        (DynUnc(), 200, 199),
        (DUAL(), 200, 30),
        (DUAL(), 30, 10),
        (TDDS(), 200, 30),
        (AUM(), 200, 200),
        (Forgetting("deepcore"), 200, 10),
        (Forgetting("deepcore"), 5, 5),
        (EL2N(first_epochs=10), 200, 10),
    ],
)
def test_how_long_a_score_watches(score, epochs, last):
    assert score.last(epochs) == last
    assert score.observes(last, epochs) is not None
    assert score.observes(last + 1, epochs) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DynUnc().last(10), "windows of 10 epochs and leaves out the last epoch, but the proxy trains for 10"),
        (lambda: DUAL(first_epochs=40).last(30), "DUAL watches the first 40 epochs, but the proxy trains for 30"),
        (lambda: TDDS(first_epochs=5).last(30), "TDDS watches at least 10 epochs, got first_epochs=5"),
        (lambda: AUM(first_epochs=0), "first_epochs must be at least 1, got 0"),
        (lambda: DUAL(window=1), "window must be at least 2, got 1"),
        (lambda: TDDS(window=2), "window must be at least 3, got 2"),
        (lambda: TDDS(decay=0.0), r"decay is a weight in \(0, 1\], got 0"),
    ],
)
def test_scores_that_cannot_watch(make, message):
    with pytest.raises(ValueError, match=message):
        make()
