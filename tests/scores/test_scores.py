"""Closed forms of the fold scores, and one contract for every score in the registry."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from drd_plugin.artifacts import ArtifactError, Scores
from drd_plugin.data import Split, from_arrays
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
from drd_plugin.scoring.compute import score
from drd_plugin.scoring.recording import proxy_seed, record
from drd_plugin.training.recipe import Recipe
from drd_plugin.training.recorder import Outputs

LEARNED, WRONG = [4.0, 0.0, 1.0], [0.0, 4.0, 1.0]


def fold(what, steps, epochs, n=3, num_classes=3):
    """Feeds (epoch, index, logits, labels) to a fold and computes it."""
    state = what.begin(n, num_classes, torch.device("cpu"))
    for epoch, index, logits, labels in steps:
        what.update(state, Outputs(epoch, torch.tensor(index), torch.tensor(logits), torch.tensor(labels)))
    return what.compute(state, Proxy(None, None, epochs, "cpu")).tolist()


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


@pytest.mark.parametrize(("epoch", "epochs", "wanted"), [(None, 200, 20), (None, 30, 3), (None, 2, 1), (7, 30, 7)])
def test_el2n_reads_one_early_evaluation(epoch, epochs, wanted):
    watched = [e for e in range(1, epochs + 1) if EL2N(epoch).observes(e, epochs) == "eval"]
    assert watched == [wanted]
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
    "DRD": DRD(B=1, noises=1, draws=2, distance="mse"),
    "ELBO": ELBO(draws=2),
    "DynUnc": DynUnc(window=2),
    "TDDS": TDDS(window=3),
    "DUAL": DUAL(window=2),
}
PROXY = Recipe(epochs=3, batch_size=128)


def quietly(split, folds, recipe=PROXY, **rest):
    return record(split, folds, recipe, device="cpu", progress=False, **rest)


@pytest.mark.parametrize("name", SCORES)
def test_every_score_gives_one_finite_number_an_example_in_dataset_order(name, digits):
    what = QUICK.get(name) or SCORES[name]()
    scores = score(digits.train, what, recipe=PROXY, device="cpu", progress=False)
    assert scores.values.shape == (1437,)
    assert scores.values.dtype == np.float32
    assert np.isfinite(scores.values).all()
    assert np.array_equal(scores.labels, digits.train.labels)
    assert scores.fingerprint == digits.train.fingerprint
    assert scores.higher_is_harder == SCORES[name].higher_is_harder
    assert scores.provenance["score"]["name"] == name
    assert scores.provenance["environment"]["versions"]["torch"]
    again = score(digits.train, what, recipe=PROXY, device="cpu", progress=False)
    assert np.allclose(scores.estimates, again.estimates, atol=1e-6)
    other = score(digits.train, what, seed=1, recipe=PROXY, device="cpu", progress=False)
    assert not np.allclose(scores.estimates, other.estimates)


def test_scores_move_with_the_examples(digits):
    """A fold watches by position: permuting the data set and its training order permutes the scores."""
    reverse = Split("reversed", digits.train.images.flip(0), digits.train.labels[::-1].copy(), digits.train.classes)
    recipe = Recipe(epochs=1, batch_size=2000)
    ours, theirs = (
        record(s, [AUM(), Moderate()], recipe, device="cpu", progress=False) for s in (digits.train, reverse)
    )
    for one, two in zip(ours, theirs, strict=True):
        assert np.allclose(one.values, two.values[::-1], atol=1e-3)


def test_one_recorded_run_gives_the_same_as_one_run_each(digits):
    folds = [Forgetting(), EL2N(), AUM(), Moderate(), DynUnc(window=2), TDDS(window=3), DUAL(window=2)]
    together = quietly(digits.train, folds)
    for what, scores in zip(folds, together, strict=True):
        [alone] = quietly(digits.train, [what])
        assert np.allclose(scores.values, alone.values, atol=1e-5)


def test_the_size_of_the_pieces_that_folds_see_changes_nothing(digits, monkeypatch):
    folds = [Forgetting(), EL2N(), AUM(), DynUnc(window=2), TDDS(window=3), DUAL(window=2)]
    whole = quietly(digits.train, folds)
    monkeypatch.setattr("drd_plugin.training.recorder.AT_ONCE", 1000)
    for one, other in zip(whole, quietly(digits.train, folds), strict=True):
        assert np.allclose(one.values, other.values, atol=1e-5)


def test_proxies_are_averaged_and_never_shared_between_seeds(digits):
    """One score averages two proxies, another one: the first proxy is the same, and trained once."""
    both, one = quietly(digits.train, [AUM(proxies=2), Forgetting()], seed=1)
    [first] = quietly(digits.train, [AUM()], seed=1)
    assert (both.estimates.shape, one.estimates.shape) == ((1437, 2), (1437, 1))
    assert np.allclose(both.estimates[:, 0], first.values, atol=1e-5)
    assert not np.allclose(both.estimates[:, 1], first.values, atol=0.1)
    assert one.provenance["seconds"] < both.provenance["seconds"]
    assert len({proxy_seed(seed, number) for seed in range(5) for number in range(5)}) == 25


def test_a_proxy_is_trained_in_epochs(digits):
    with pytest.raises(ValueError, match="measured in epochs"):
        record(digits.train, [AUM()], Recipe())
    with pytest.raises(ValueError, match="give a recipe in epochs"):
        score(digits.train, AUM())


def test_wrong_labels_look_hard_to_every_score_that_looks(digits):
    """A tenth of the labels are replaced: a score that means something ranks them above chance."""
    rng = np.random.default_rng(0)
    labels, wrong = digits.train.labels.copy(), rng.choice(1437, 144, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, 144)) % 10
    noisy = Split("noisy", digits.train.images, labels, digits.train.classes)
    is_wrong = np.isin(np.arange(1437), wrong)
    least = {"Forgetting": 0.6, "EL2N": 0.95, "AUM": 0.95, "Moderate": 0.9}
    for scores in quietly(noisy, [Forgetting(), EL2N(), AUM(), Moderate()], Recipe(epochs=12)):
        assert roc_auc_score(is_wrong, scores.hardness) > least[scores.name], scores.name


def test_a_finished_folder_is_read_and_another_setting_refused(digits, tmp_path):
    first = score(digits.train, Uniform(), out=tmp_path / "u", progress=False)
    part = tmp_path / "u" / "part-00000-of-00006.parquet"
    stamp = part.stat().st_mtime_ns
    again = score(digits.train, Uniform(), out=tmp_path / "u", progress=False)
    assert part.stat().st_mtime_ns == stamp
    assert np.array_equal(first.values, again.values)
    with pytest.raises(ArtifactError, match=r"made with other settings \(seed: 0, not 1\)"):
        score(digits.train, Uniform(), seed=1, out=tmp_path / "u", progress=False)
    score(digits.train, AUM(), out=tmp_path / "a", recipe=PROXY, device="cpu", progress=False)
    with pytest.raises(ArtifactError, match="made with other settings"):
        score(digits.train, AUM(), out=tmp_path / "a", recipe=Recipe(epochs=4), device="cpu", progress=False)
    assert issubclass(AUM, FoldScore)
    assert Scores.load(tmp_path / "a").name == "AUM"
