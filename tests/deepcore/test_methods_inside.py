"""DeepCore's contract: what `select()` gives, balanced as DeepCore rounds, with the script's own proxy."""

import numpy as np
import pytest
from checkout import NAMES, Shapes, args_of

from drd_plugin.artifacts import Subset
from drd_plugin.data import load
from drd_plugin.deepcore import CoresetMethod, method_class, split_of
from drd_plugin.deepcore.datasets import Digits
from drd_plugin.deepcore.host import deepcore
from drd_plugin.deepcore.methods import device_of, proxy_of, recipe_of
from drd_plugin.selection import select
from drd_plugin.training import Recipe


def base_of(place):
    return CoresetMethod if place == "alone" else deepcore("methods").CoresetMethod


@pytest.mark.parametrize("place", ["alone", "inside"])
@pytest.mark.parametrize("name", NAMES)
def test_the_contract_holds(name, place, quick, caplog):
    caplog.set_level("INFO", "drd_plugin.deepcore.methods")
    data = Shapes()
    method = method_class(name, base_of(place))(
        data, args_of(), 0.2, 3, epochs=12, selection_method="Entropy", balance=True, greedy="x", function="y"
    )
    result = method.select()
    indices, counts = result["indices"], np.bincount(data.targets)
    assert set(result) == {"indices", "scores"}
    assert (indices.dtype, result["scores"].shape) == (np.int64, (130,))
    assert len(set(indices.tolist())) == len(indices)
    selected, balanced = np.bincount(data.targets[indices]), [round(0.2 * int(count)) for count in counts]
    assert selected.sum() == sum(balanced)
    assert selected.tolist() == balanced or name == "DRoP", "only DRoP sets the classes' shares itself"
    assert any(line.startswith(f"{name} = ") for line in caplog.messages)


@pytest.mark.parametrize(("balance", "name"), [(True, "EL2N+PerClass[inner=Hardest]"), (False, "EL2N"), (True, "BWS")])
def test_the_same_selection_as_outside(balance, name):
    """In a set whose classes are of equal size, where both roundings agree."""
    data, args = Shapes(), args_of()
    order = np.concatenate([np.flatnonzero(data.targets == c)[:20] for c in range(3)])
    data.data, data.targets = data.data[order], data.targets[order]
    split = split_of(data)
    inside = method_class(name.split("+")[0])(data, args, 0.3, 5, epochs=2, balance=balance)
    recipe, proxy = recipe_of(args, split), proxy_of(args, 2, split)
    outside = select(split, name, 0.3, seed=5, recipe=recipe, proxy=proxy, device="cpu", progress=False)
    np.testing.assert_array_equal(inside.select()["indices"], outside.indices)


def test_scores_are_in_the_order_of_the_data_set():
    """An image that is like no other of its class is the hardest, wherever it lies."""
    data = Shapes()
    odd = int(np.flatnonzero(data.targets == 0)[7])
    data.data[odd] = 255
    scores = method_class("Moderate")(data, args_of(), 0.3, 0, epochs=2).select()["scores"]
    assert scores.argmax() == odd


def test_scores_and_subset_are_stored_and_read_again(tmp_path, quick, monkeypatch):
    data, args = Shapes(), args_of(save_path=str(tmp_path))
    first = method_class("DRD+CCS")(data, args, 0.2, 1, epochs=2)
    chosen = first.select()["indices"]
    subset = Subset.load(next(tmp_path.glob("DRD+CCS_0.2_seed1_*.subset.json")))
    np.testing.assert_array_equal(subset.indices, chosen)
    assert subset.provenance["score"]["provenance"]["score"]["timestep"] == 3
    stored = {folder.name.split("-")[0] for folder in (tmp_path / "scores").iterdir()}
    assert stored == {"DRD", "AUM", "Confidence", "EL2N", "Forgetting", "Moderate"}
    for function in ("compute.score", "cache.record_folds", "cache.record_into"):
        monkeypatch.setattr(f"drd_plugin.scoring.{function}", None)
    np.testing.assert_array_equal(method_class("DRD+CCS")(data, args, 0.2, 1, epochs=2).select()["indices"], chosen)
    assert len(method_class("DRD+CCS")(data, args, 0.4, 1, epochs=2).select()["indices"]) > len(chosen)
    method_class("EL2N")(data, args, 0.2, 1, epochs=2).select()


def test_networks_are_trained_as_the_script_says():
    args = args_of(selection_optimizer="Adam", selection_lr=0.02, selection_momentum=0.5, selection_nesterov=False)
    args.selection_weight_decay, args.selection_epochs = 0.1, 9
    split, common = split_of(Shapes()), {"net": "deepcore:LeNet", "warmup": 0.0, "decay_all": True, "evaluations": 1}
    expected = Recipe(
        epochs=7, batch_size=32, optimizer="adam", lr=0.02, momentum=0.5, nesterov=False, weight_decay=0.1,
        schedule="constant", precision="float32", **common,
    )  # fmt: skip
    assert proxy_of(args, 7, split) == expected
    assert proxy_of(args, None, split).epochs == 9
    args.optimizer, args.lr, args.min_lr, args.train_batch, args.epochs = "SGD", 0.3, 0.01, 16, 50
    assert recipe_of(args, split) == Recipe(
        epochs=50, batch_size=16, lr=0.3, min_lr=0.01, schedule="cosine", precision="float32", **common
    )
    with pytest.raises(ValueError, match="'RMSprop': expected one of SGD, Adam, AdamW"):
        proxy_of(args_of(selection_optimizer="RMSprop"), 7, split)


def test_a_fraction_that_leaves_a_class_empty_says_what_to_do_inside_deepcore():
    with pytest.raises(ValueError, match=r"--balance false"):
        method_class("AUM")(Shapes(), args_of(), 0.001, 0)


def test_the_judgement_of_windows_is_logged(caplog):
    caplog.set_level("INFO", "drd_plugin.deepcore.methods")
    method = method_class("BWS")(Shapes(), args_of(), 0.2, 0, epochs=1)
    method.select()
    judged = method.subset.chosen["accuracies"]
    assert f"judged at {min(judged):.1f} to {max(judged):.1f} % accuracy" in caplog.text


@pytest.mark.parametrize("fraction", [0.0, 1.2])
def test_impossible_fractions_are_refused(fraction):
    for base in (CoresetMethod, deepcore("methods").CoresetMethod):
        with pytest.raises(ValueError, match=r"fraction|Illegal Coreset Size"):
            method_class("AUM", base)(Shapes(), args_of(), fraction, 0)


def test_a_fraction_that_leaves_a_class_empty_is_refused_before_the_work():
    with pytest.raises(ValueError, match="leaves no example of class"):
        method_class("AUM")(Shapes(), args_of(), 0.01, 0)
    with pytest.raises(ValueError, match=r"0\.003 of 130 examples keeps none"):
        method_class("AUM")(Shapes(), args_of(), 0.003, 0, balance=False)


def test_a_method_of_another_library_is_no_class():
    with pytest.raises(ValueError, match="is no method of this library"):
        method_class("deepcore:Uniform")


def test_the_device_is_the_scripts():
    assert device_of(args_of(device="cpu")) == "cpu"
    assert device_of(args_of(device="cuda")) == "cuda"
    assert device_of(args_of(device="cuda", gpu=[2, 3])) == "cuda:2"


def test_labels_that_the_script_changed_are_the_ones():
    train = Digits("")[6]
    train.targets[:5] = 3
    method = method_class("AUM")(train, args_of(num_classes=10), 0.1, 0)
    assert method.split.labels[:5].tolist() == method.original.labels[:5].tolist() == [3] * 5
    assert method.original.shape == (1, 8, 8)
    assert load("digits").train.labels[:5].tolist() != [3] * 5
