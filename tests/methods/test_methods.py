import numpy as np
import pytest

from drd_plugin.core.registry import UnknownName
from drd_plugin.methods import METHODS, parse, parse_score, parse_strategy
from drd_plugin.scores import AUM, DRD, DUAL, EL2N, TDDS, DynUnc, Forgetting, Moderate, Uniform
from drd_plugin.strategies import D2, BestWindow, BetaSampling, ClassQuotas, Hardest, PerClass, Strata, Window


def test_the_published_pairs():
    pairs = {name: (type(m.score), type(m.strategy)) for name, m in METHODS.items() if name != "ELBO"}
    assert pairs == {
        "Random": (Uniform, Hardest),
        "Forgetting": (Forgetting, Hardest),
        "EL2N": (EL2N, Hardest),
        "AUM": (AUM, Hardest),
        "Moderate": (Moderate, Window),
        "CCS": (AUM, Strata),
        "BWS": (Forgetting, BestWindow),
        "DynUnc": (DynUnc, Hardest),
        "TDDS": (TDDS, Hardest),
        "DUAL": (DUAL, BetaSampling),
        "D2": (Forgetting, D2),
        "DRoP": (Uniform, ClassQuotas),
        "DRD": (DRD, BestWindow),
    }
    assert METHODS["DRD"].strategy == BestWindow(selector="train", origin="easiest", max_start=0.5)
    assert METHODS["BWS"].strategy == BestWindow(selector="ridge", origin="hardest", max_start=1.0)


def test_any_pair_can_be_named():
    method = parse("DRD+CCS")
    assert (method.name, method.score, method.strategy) == ("DRD+CCS", DRD(), Strata())
    assert parse("Forgetting+DRD").strategy == METHODS["DRD"].strategy
    assert parse("Uniform+PerClass").strategy == PerClass()


def test_a_score_that_a_strategy_asks_for_is_looked_up():
    with pytest.raises(UnknownName, match="unknown score 'AMU': did you mean 'AUM'"):
        parse("DRD+CCS[cutoff_score=AMU]")
    with pytest.raises(UnknownName, match="unknown strategy '3'"):
        parse("DRD+PerClass[inner=3]")


@pytest.mark.parametrize("name", ["Random", "AUM", "EL2N", "Forgetting"])
def test_a_score_that_keeps_the_hardest_is_no_strategy(name):
    """`DRD+Random` would keep DRD's hardest, and be taken for a random subset."""
    with pytest.raises(ValueError, match=f"{name} is the score .* with the strategy Hardest"):
        parse(f"DRD+{name}")


def test_settings_in_brackets():
    method = parse("DRD[draws=16, distance=mse] + BWS[selector=train,step=0.1]")
    assert method.score == DRD(draws=16, distance="mse")
    assert method.strategy == BestWindow(selector="train", step=0.1)
    one_side = parse("DRD[draws=2,max_start=0.7]")
    assert (one_side.score.draws, one_side.strategy.max_start) == (2, 0.7)
    assert parse_strategy("PerClass[inner=Strata[cutoff=0.0]]") == PerClass(Strata(cutoff=0.0))
    nested = "PerClass[inner=Strata[cutoff=0.1, cutoff_score=AUM[margin=probabilities]]]"
    assert parse_strategy(nested) == PerClass(Strata(cutoff=0.1, cutoff_score="AUM[margin=probabilities]"))
    assert parse("DRoP[inner=Window]").strategy == ClassQuotas(Window())
    assert parse_score("EL2N[epoch=5]") == EL2N(5)
    assert parse_score("Forgetting[variant=ccs, proxies=5]") == Forgetting("ccs", proxies=5)
    assert parse("CCS[variant=drd]").strategy == Strata("drd")
    assert parse("Moderate[ranking=class, center=mean]").spec == [Moderate("mean"), Window(ranking="class")]
    assert parse("DRoP[variant=metriq]").strategy == ClassQuotas(variant="metriq")
    assert parse_score("DRD[timesteps=[10, 20]]") == DRD(timesteps=(10, 20))


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("DDR", UnknownName, "unknown method 'DDR': did you mean 'DRD'"),
        ("Forgeting+BWS", UnknownName, "unknown score 'Forgeting'.*'Forgetting'"),
        ("DUAL[first_epochs=20]", ValueError, "mean probability over the epochs and proxies"),
        ("D2[gamma=nan]", ValueError, "D2.gamma: expected a finite number, got nan"),
        ("DRD+BSW", UnknownName, "unknown strategy 'BSW'.*'BWS'"),
        ("DRD[drawz=3]", UnknownName, "unknown setting of DRD 'drawz': did you mean 'draws'"),
        ("DRD[draws=many]+BWS", ValueError, r"DRD.draws: expected int, got 'many'"),
        ("DRD[estimator=eq5]", UnknownName, "unknown DRD.estimator 'eq5': did you mean 'eq9' or 'eq6'"),
        ("DRD+BWS[selector=rigde]", UnknownName, "unknown BestWindow.selector 'rigde'.*'ridge'"),
        ("DRD[draws]", ValueError, "expected field=value"),
        ("DRD[draws=1", ValueError, "cannot read"),
        ("A+B+C", ValueError, "got 3 parts"),
    ],
)
def test_names_that_cannot_be_read(text, error, message):
    with pytest.raises(error, match=message):
        parse(text)


def test_a_subset_says_where_it_came_from(make_scores):
    scores = make_scores(np.arange(100.0), name="EL2N")
    subset = METHODS["EL2N"].select(scores, 0.1, seed=3)
    assert subset.indices.tolist() == list(range(90, 100))
    assert (subset.method, subset.n, subset.fingerprint) == ("EL2N", 100, "made:up")
    assert subset.provenance["strategy"] == {"name": "Hardest"}
    assert (subset.provenance["fraction"], subset.provenance["seed"]) == (0.1, 3)
    assert np.array_equal(subset.indices, METHODS["EL2N"].select(scores, 0.1, seed=3).indices)
