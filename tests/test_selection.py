from dataclasses import replace

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError, check_fingerprint
from drd_plugin.data import DataError
from drd_plugin.diffusion.denoiser import BUNDLED
from drd_plugin.engine import score
from drd_plugin.methods import METHODS
from drd_plugin.rng import Seeds
from drd_plugin.selection import TrainingWorkbench, select
from drd_plugin.training.recipe import Recipe

QUICK = {"recipe": Recipe(net="lenet", steps=2), "proxy": Recipe(net="lenet", epochs=2), "progress": False}
SETTINGS = {
    "BWS": "BWS[proxy_epochs=1,step=0.5]",
    "CCS": "CCS[cutoff=0.1]",
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


def test_a_data_set_is_not_a_split(digits):
    with pytest.raises(DataError, match=r"expected a Split, got a Dataset: give its \.train"):
        score(digits, "Uniform")


def test_one_call_is_the_steps_in_turn(few):
    """CCS with a cut-off by a score that is not its own."""
    seeds, how = Seeds.all(3), METHODS["CCS"].strategy
    el2n, aum = (score(few, METHODS[n].score, seed=3, recipe=QUICK["proxy"], progress=False) for n in ("EL2N", "AUM"))
    bench = TrainingWorkbench(few, QUICK["recipe"], seeds, {"AUM": aum}.__getitem__)
    expected = type(METHODS["CCS"])("EL2N+CCS", METHODS["EL2N"].score, how).select(el2n, 0.2, 3, bench)
    assert np.array_equal(select(few, "EL2N+CCS", 0.2, seed=3, **QUICK).indices, expected.indices)
