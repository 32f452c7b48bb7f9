from dataclasses import replace

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError, check_fingerprint
from drd_plugin.core.provenance import describe
from drd_plugin.core.seeds import Seeds
from drd_plugin.data import DataError
from drd_plugin.diffusion.denoisers.load import BUNDLED
from drd_plugin.diffusion.fitting.settings import Fit
from drd_plugin.methods.published import METHODS
from drd_plugin.scoring.compute import score
from drd_plugin.selection.subset import TrainingWorkbench, select
from drd_plugin.training.recipe import Recipe

QUICK = {"recipe": Recipe(net="lenet", steps=2), "proxy": Recipe(net="lenet", epochs=3), "progress": False}
SETTINGS = {
    "BWS": "BWS[proxy_epochs=1,step=0.5]",
    "CCS": "CCS[cutoff=0.1]",
    "DynUnc": "DynUnc[window=2,first_epochs=2]",
    "TDDS": "TDDS[window=3]",
    "DUAL": "DUAL[window=2, mean_score=Confidence]",
    "D2": "D2[cutoff=0.1]",
    "DRD": f"DRD[timestep=20,draws=1,distance=mse,denoiser={BUNDLED / 'digits'},step=0.5]",
    "ELBO": f"ELBO[gamma_min=0.9,draws=1,denoiser={BUNDLED / 'digits'},step=0.5]",
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_selects_in_one_call(few, name):
    method = SETTINGS.get(name, name)
    subset = select(few, method, 0.2, seed=1, **QUICK)
    assert len(np.unique(subset.indices)) == len(subset) == 30
    check_fingerprint(subset.fingerprint, few.fingerprint, "the subset")
    assert np.array_equal(subset.indices, select(few, method, 0.2, seed=1, **QUICK).indices)


def test_scores_at_hand_are_used(few):
    scores = score(few, "AUM", recipe=QUICK["proxy"], progress=False)
    backwards = replace(scores, estimates=-scores.estimates)
    one, other = (select(few, "AUM", 0.2, scores=[s], progress=False) for s in (scores, backwards))
    assert not set(one.indices) & set(other.indices)
    with pytest.raises(ArtifactError, match="was made for the data set other:1"):
        select(few, "AUM", 0.2, scores=[replace(scores, fingerprint="other:1")])


@pytest.mark.parametrize("method", ["AUM", "EL2N+CCS", "EL2N[epoch=2]"])
def test_scores_with_other_settings_are_refused(few, method):
    other = score(few, "EL2N[epoch=1]", recipe=QUICK["proxy"], progress=False)
    with pytest.raises(ArtifactError, match="the given EL2N score was made with"):
        select(few, method, 0.2, scores=[other])


def test_windows_are_judged_by_the_benchmarks_network(few):
    """Candidates and features are trained by the grid's own recipe, and the subset says so."""
    recipe = Recipe(net="convnet_small", steps=3)
    subset = select(few, SETTINGS["BWS"], 0.2, recipe=recipe, proxy=QUICK["proxy"], progress=False)
    assert subset.provenance["trained"]["recipe"] == describe(recipe)
    assert select(few, "AUM", 0.2, proxy=QUICK["proxy"], progress=False).provenance["trained"] is None


@pytest.mark.parametrize(
    "use", [lambda data: score(data, "Uniform"), lambda data: select(data, "AUM", 0.1), lambda data: Fit()(data, "x")]
)
def test_a_data_set_is_not_a_split(digits, use):
    with pytest.raises(DataError, match=r"expected a Split, got a Dataset: give its \.train"):
        use(digits)


def test_one_call_is_the_steps_in_turn(few):
    """CCS with a cut-off by a score that is not its own."""
    seeds, how = Seeds.all(3), METHODS["CCS"].strategy
    el2n, aum = (score(few, METHODS[n].score, seed=3, recipe=QUICK["proxy"], progress=False) for n in ("EL2N", "AUM"))
    bench = TrainingWorkbench(few, QUICK["recipe"], QUICK["proxy"], seeds, {"AUM": aum}.__getitem__)
    expected = type(METHODS["CCS"])("EL2N+CCS", METHODS["EL2N"].score, how).select(el2n, 0.2, 3, bench)
    assert np.array_equal(select(few, "EL2N+CCS", 0.2, seed=3, **QUICK).indices, expected.indices)
