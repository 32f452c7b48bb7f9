import re
from dataclasses import replace

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError, check_fingerprint
from drd_plugin.core.provenance import describe
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import DataError, take
from drd_plugin.diffusion import Fit, fit_denoiser
from drd_plugin.methods import METHODS
from drd_plugin.scores import AUM
from drd_plugin.scoring import ScoreCache, score
from drd_plugin.selection import Networks, ScoresWorkbench, SplitWorkbench, select, select_from
from drd_plugin.training import Recipe

QUICK = {"recipe": Recipe(net="lenet", steps=2), "proxy": Recipe(net="lenet", epochs=3), "progress": False}
SETTINGS = {
    "BWS": "BWS[proxy_epochs=1,step=0.5]",
    "CCS": "CCS[cutoff=0.1]",
    "DynUnc": "DynUnc[window=2,first_epochs=2]",
    "TDDS": "TDDS[window=3]",
    "DUAL": "DUAL[window=2, mean_score=Confidence]",
    "D2": "D2[cutoff=0.1]",
    "DRD": "DRD[timestep=5,draws=1,distance=mse,step=0.5]",
    "ELBO": "ELBO[gamma_min=0.9,draws=1,step=0.5]",
}


@pytest.fixture(scope="module")
def some(digits):
    """150 of the digits, for which the denoiser that was fitted to the digits is found."""
    return take(digits.train, 150)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_selects_in_one_call(some, name):
    method = SETTINGS.get(name, name)
    subset = select(some, method, 0.2, seed=1, **QUICK)
    assert len(np.unique(subset.indices)) == len(subset) == 30
    check_fingerprint(subset.fingerprint, some.fingerprint, "the subset")
    assert np.array_equal(subset.indices, select(some, method, 0.2, seed=1, **QUICK).indices)


def test_scores_at_hand_are_used(few):
    scores = score(few, "AUM", proxy=QUICK["proxy"], progress=False)
    backwards = replace(scores, estimates=-scores.estimates)
    one, other = (select(few, "AUM", 0.2, scores=[s], progress=False) for s in (scores, backwards))
    assert not set(one.indices) & set(other.indices)
    with pytest.raises(ArtifactError, match="was made for the data set other:1"):
        select(few, "AUM", 0.2, scores=[replace(scores, fingerprint="other:1")])


@pytest.fixture(scope="module")
def el2n(few):
    return score(few, "EL2N[epoch=1]", proxy=QUICK["proxy"], progress=False)


@pytest.mark.parametrize("method", ["AUM", "EL2N+CCS", "EL2N[epoch=2]"])
def test_scores_with_other_settings_are_refused(few, el2n, method):
    with pytest.raises(ArtifactError, match="the given EL2N score was made with"):
        select(few, method, 0.2, scores=[el2n])


def test_windows_are_judged_by_the_benchmarks_network(few):
    """Candidates and features are trained by the grid's own recipe, and the subset says so."""
    recipe = Recipe(net="convnet_small", steps=3)
    subset = select(few, SETTINGS["BWS"], 0.2, recipe=recipe, proxy=QUICK["proxy"], progress=False)
    assert subset.provenance["trained"]["recipe"] == describe(recipe)
    assert select(few, "AUM", 0.2, proxy=QUICK["proxy"], progress=False).provenance["trained"] is None


@pytest.mark.parametrize(
    "use",
    [
        lambda data, out: score(data, "Uniform"),
        lambda data, out: score(data, "AUM"),
        lambda data, out: select(data, "AUM", 0.1),
        lambda data, out: fit_denoiser(data, out, Fit()),
    ],
)
def test_a_data_set_is_not_a_split(digits, tmp_path, use):
    with pytest.raises(DataError, match=r"expected a Split, got a Dataset: give its \.train"):
        use(digits, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_one_call_is_the_steps_in_turn(few):
    """CCS with a cut-off by a score that is not its own: from scores at hand, and from a cache that computes them."""
    seeds, strategy = Seeds.all(3), METHODS["CCS"].strategy
    method = type(METHODS["CCS"])("EL2N+CCS", METHODS["EL2N"].score, strategy)
    el2n, aum = (score(few, METHODS[n].score, seed=3, proxy=QUICK["proxy"], progress=False) for n in ("EL2N", "AUM"))
    workbench = ScoresWorkbench(el2n, [aum], networks=Networks(few, QUICK["recipe"], QUICK["proxy"], seeds))
    expected = method.select(el2n, 0.2, 3, workbench)
    assert workbench.requests == {"AUM": aum.provenance}
    subset = select(few, "EL2N+CCS", 0.2, seed=3, **QUICK)
    assert np.array_equal(subset.indices, expected.indices)
    assert set(subset.provenance["further"]) == {"AUM"}

    cache = ScoreCache(few, QUICK["proxy"], together=method.scores)
    assert np.array_equal(select_from(cache, method, 0.2, seeds, QUICK["recipe"]).indices, expected.indices)
    workbench = SplitWorkbench(cache, seeds, QUICK["recipe"])
    again = method.select(cache.get(method.ordering, seeds), 0.2, 3, workbench)
    assert np.array_equal(again.indices, expected.indices)
    assert workbench.seconds == {"score": pytest.approx(cache.get(AUM(), seeds).provenance["seconds"])}


@pytest.mark.parametrize(
    ("method", "fraction", "words"),
    [
        ("Forgetting", 1e-6, "keeps none"),
        ("Forgetting", 0, "in (0, 1]"),
        ("Forgetting", float("nan"), "in (0, 1]"),
        ("Forgetting", 2, "in (0, 1]"),
        ("Forgetting", True, "in (0, 1]"),
        ("Forgetting", "0.5", "in (0, 1]"),
        ("BWS", 0.03, "leaves no example of class"),
        ("Forgetting+Window[ranking=class]", 0.03, "leaves no example of class"),
        ("Forgetting+CCS[variant=drd, cutoff=0.0]", 0.03, "leaves no example of class"),
        ("Forgetting+Window[start=0.9]", 0.5, "reaches beyond"),
        ("DRoP", 0.03, "at least one example a class"),
    ],
)
def test_a_fraction_that_does_not_suffice_is_refused_before_the_proxy_is_trained(
    some, monkeypatch, method, fraction, words
):
    monkeypatch.setattr("drd_plugin.scoring.proxy.train", lambda *_, **__: pytest.fail("it trains a proxy"))
    with pytest.raises(ValueError, match=re.escape(words)):
        select(some, method, fraction, **QUICK)


@pytest.mark.parametrize("seed", [-1, 2**64, True, 0.5, "1"])
def test_so_is_a_seed_that_is_none(some, seed):
    with pytest.raises(ValueError, match="a seed is a non-negative integer"):
        select(some, "Forgetting", 0.5, seed=seed, **QUICK)
