"""Closed forms of the fold scores, and one contract for every score in the registry."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.core.provenance import describe
from drd_plugin.data import Split, from_arrays, take
from drd_plugin.scores import (
    AUM,
    DRD,
    DUAL,
    EL2N,
    ELBO,
    SCORES,
    TDDS,
    DynUnc,
    FoldScore,
    Forgetting,
    Moderate,
    Proxy,
    Uniform,
)
from drd_plugin.scoring import proxy_seed, record, score
from drd_plugin.training import PROXY, Outputs, Recipe

LEARNED, WRONG = [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]


def fold(fold_score, steps, epochs, n=3, num_classes=3):
    """Feeds (epoch, index, logits, labels) to a fold score and computes it."""
    state = fold_score.begin(n, num_classes, torch.device("cpu"))
    for epoch, index, logits, labels in steps:
        fold_score.update(state, Outputs(epoch, torch.tensor(index), torch.tensor(logits), torch.tensor(labels)))
    return fold_score.compute(state, Proxy(None, None, epochs, "cpu")).tolist()


def history(*rows):
    """Example i is learned in the epochs where rows[i] has a 1."""
    return [
        (e + 1, [i], [LEARNED if row[e] == "1" else WRONG], [0])
        for e in range(len(rows[0]))
        for i, row in enumerate(rows)
    ]


def test_forgetting_counts_falls_and_gives_the_never_learned_the_maximum():
    assert fold(Forgetting(), history("10101", "11111", "00000"), epochs=5) == [2, 0, 5]
    assert fold(Forgetting(), history("01110", "00011", "10000"), epochs=5) == [1, 0, 1]


def test_el2n_by_hand():
    logits = [[math.log(2), math.log(1), math.log(1)], [0.0, 0.0, 0.0], [0.0, 0.0, 30.0]]
    expected = [math.sqrt(0.25 + 1 / 16 + 1 / 16), math.sqrt(4 / 9 + 2 / 9), math.sqrt(2)]
    assert fold(EL2N(), [(1, [0, 1, 2], logits, [0, 1, 0])], epochs=1) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("epoch", "epochs", "evaluated"), [(None, 200, 20), (None, 30, 3), (None, 2, 1), (7, 30, 7)])
def test_el2n_reads_one_early_evaluation(epoch, epochs, evaluated):
    watched = [e for e in range(1, epochs + 1) if EL2N(epoch).observes(e, epochs) == "eval"]
    assert watched == [evaluated]
    assert all(EL2N(epoch).observes(e, epochs) != "train" for e in range(1, epochs + 1))


def test_el2n_refuses_an_epoch_that_never_comes():
    with pytest.raises(ValueError, match="after epoch 40, but the proxy trains for 30"):
        EL2N(40).observes(1, 30)


def test_aum_is_the_mean_margin_of_logits():
    steps = [
        (1, [0, 1], [[4.0, 1.0, 3.0], [0.0, 2.0, 5.0]], [0, 1]),
        (2, [1, 0], [[0.0, 9.0, 5.0], [1.0, 8.0, 3.0]], [1, 0]),
    ]
    assert fold(AUM(), steps, epochs=2, n=2) == pytest.approx([(1 - 7) / 2, (-3 + 4) / 2])


def test_moderate_is_the_distance_to_the_coordinatewise_class_median():
    features = torch.tensor([[0.0, 0.0], [1.0, 5.0], [2.0, 1.0], [7.0, 7.0], [9.0, 7.0]])
    proxy = Proxy(None, from_arrays("x", np.zeros((5, 2, 2), np.uint8), np.array([0, 0, 0, 1, 1])), 1, "cpu")
    proxy.__dict__["features"] = features
    expected = [math.sqrt(2), 4.0, 1.0, 1.0, 1.0]
    assert Moderate().compute({}, proxy).tolist() == pytest.approx(expected)


def test_directions():
    harder = {name: kind.higher_is_harder for name, kind in SCORES.items()}
    assert harder == {
        "Uniform": True, "Forgetting": True, "EL2N": True, "AUM": False, "Moderate": True, "DynUnc": True, "TDDS": True,
        "DUAL": True, "Confidence": False, "DRD": True, "ELBO": True,
    }  # fmt: skip


QUICK = {
    "DRD": DRD(B=1, noises=1, draws=2, distance="mse", gamma_min=2, gamma_max=10),
    "ELBO": ELBO(draws=2, gamma_min=2, gamma_max=10),
    "DynUnc": DynUnc(window=2),
    "TDDS": TDDS(window=3),
    "DUAL": DUAL(window=2),
}
SHORT = Recipe(net="convnet_small", epochs=3, batch_size=32)


@pytest.fixture(scope="module")
def some(digits):
    """150 of the digits, for which the denoiser that was fitted to the digits is found."""
    return take(digits.train, 150)


def quietly(split, folds, proxy=SHORT, **rest):
    return record(split, folds, proxy=proxy, device="cpu", progress=False, **rest)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_gives_one_finite_number_an_example_in_dataset_order(name, some):
    quick = QUICK.get(name) or SCORES[name]()
    scores = score(some, quick, proxy=SHORT, device="cpu", progress=False)
    assert scores.values.shape == (150,)
    assert scores.values.dtype == np.float32
    assert np.isfinite(scores.values).all()
    assert np.array_equal(scores.labels, some.labels)
    assert scores.fingerprint == some.fingerprint
    assert scores.higher_is_harder == SCORES[name].higher_is_harder
    assert scores.provenance["score"]["name"] == name
    assert scores.provenance["environment"]["versions"]["torch"]
    again = score(some, quick, proxy=SHORT, device="cpu", progress=False)
    assert np.allclose(scores.estimates, again.estimates, atol=1e-6)
    other = score(some, quick, seed=1, proxy=SHORT, device="cpu", progress=False)
    assert not np.allclose(scores.estimates, other.estimates)


def test_scores_move_with_the_examples(few):
    """A fold watches by position: permuting the data set and its training order permutes the scores."""
    reverse = Split("reversed", few.images.flip(0), few.labels[::-1].copy(), few.classes)
    whole = Recipe(epochs=1, batch_size=2000)
    ours, theirs = (quietly(split, [AUM(), Moderate()], whole) for split in (few, reverse))
    for one, two in zip(ours, theirs, strict=True):
        assert np.allclose(one.values, two.values[::-1], atol=1e-3)
        assert not np.allclose(one.values, two.values, atol=1e-2)


FOLDS = [Forgetting(), EL2N(), AUM(), Moderate(), DynUnc(window=2), TDDS(window=3), DUAL(window=2)]


@pytest.fixture(scope="module")
def together(few):
    """Every fold score from one recorded run."""
    return quietly(few, FOLDS)


@pytest.mark.parametrize("i", range(len(FOLDS)), ids=[type(fold).__name__ for fold in FOLDS])
def test_one_recorded_run_gives_the_same_as_one_run_each(few, together, i):
    [alone] = quietly(few, [FOLDS[i]])
    assert np.allclose(together[i].values, alone.values, atol=1e-5)


def test_the_size_of_the_pieces_that_folds_see_changes_nothing(few, together, monkeypatch):
    """An epoch of 1500 logits in pieces of at most 400."""
    monkeypatch.setattr("drd_plugin.training.recorder.AT_ONCE", 400)
    for one, other in zip(together, quietly(few, FOLDS), strict=True):
        assert np.allclose(one.values, other.values, atol=1e-5)


def test_proxies_are_averaged_and_never_shared_between_seeds(few):
    """One score averages two proxies, another one: the first proxy is the same, and trained once."""
    both, one = quietly(few, [AUM(proxies=2), Forgetting()], seed=1)
    [first] = quietly(few, [AUM()], seed=1)
    assert (both.estimates.shape, one.estimates.shape) == ((150, 2), (150, 1))
    assert np.allclose(both.estimates[:, 0], first.values, atol=1e-5)
    assert not np.allclose(both.estimates[:, 1], first.values, atol=0.1)
    assert one.provenance["seconds"] < both.provenance["seconds"]
    assert len({proxy_seed(seed, number) for seed in range(5) for number in range(5)}) == 25


def test_a_proxy_is_trained_in_epochs(few):
    for compute in (record, score):
        with pytest.raises(ValueError, match=r"measured in epochs, got steps=300: use recipe\.for_epochs"):
            compute(few, [AUM()] if compute is record else AUM(), proxy=Recipe())


def test_a_proxy_is_trained_by_default_as_the_command_line_does(tiny):
    scores = score(tiny, AUM(), device="cpu", progress=False)
    [recorded] = record(tiny, ["AUM"], device="cpu", progress=False)
    assert scores.provenance["recipe"] == recorded.provenance["recipe"] == describe(PROXY)
    assert PROXY.epochs == 30
    other = score(tiny, AUM(), proxy=SHORT, device="cpu", progress=False)
    assert other.provenance["recipe"] == describe(SHORT)
    assert np.array_equal(scores.values, recorded.values)


def test_wrong_labels_look_hard_to_every_score_that_looks(digits):
    """A tenth of the labels are replaced: a score that means something ranks them above chance."""
    rng = np.random.default_rng(0)
    labels, wrong = digits.train.labels.copy(), rng.choice(1437, 144, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 144)) % 10
    noisy = Split("noisy", digits.train.images, labels, digits.train.classes)
    is_wrong = np.isin(np.arange(1437), wrong)
    least = {"Forgetting": 0.6, "EL2N": 0.95, "AUM": 0.95, "Moderate": 0.9}
    for scores in quietly(noisy, [Forgetting(), EL2N(), AUM(), Moderate()], Recipe(net="convnet_small", epochs=12)):
        assert roc_auc_score(is_wrong, scores.hardness) > least[scores.name], scores.name


def test_a_finished_folder_is_read_and_another_setting_refused(few, tmp_path, monkeypatch):
    monkeypatch.setattr("drd_plugin.scoring.maps.CHUNK", 40)
    first = score(few, Uniform(), out=tmp_path / "u", progress=False)
    parts = sorted((tmp_path / "u").glob("part-*-of-00004.parquet"))
    stamps = [part.stat().st_mtime_ns for part in parts]
    again = score(few, Uniform(), out=tmp_path / "u", progress=False)
    assert len(parts) == 4
    assert [part.stat().st_mtime_ns for part in parts] == stamps
    assert np.array_equal(first.values, again.values)
    with pytest.raises(ArtifactError, match=r"made with other settings \(seed: 0, not 1\)"):
        score(few, Uniform(), seed=1, out=tmp_path / "u", progress=False)
    score(few, AUM(), out=tmp_path / "a", proxy=SHORT, device="cpu", progress=False)
    with pytest.raises(ArtifactError, match="made with other settings"):
        score(few, AUM(), out=tmp_path / "a", proxy=SHORT.for_epochs(4), device="cpu", progress=False)
    assert issubclass(AUM, FoldScore)
    assert Scores.load(tmp_path / "a").name == "AUM"
