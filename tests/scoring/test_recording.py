"""One recorded pass: what the recorder refuses, and that a killed or a shared pass gives the same."""

import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Features, Scores
from drd_plugin.artifacts.files import load_tensors, save_tensors
from drd_plugin.core.job import Job
from drd_plugin.data import Split, load
from drd_plugin.scores import AUM, DUAL, EL2N, TDDS, DynUnc, Forgetting, Moderate
from drd_plugin.scoring import ScoreCache, fitting_folds, record_folds
from drd_plugin.scoring.recording import record_into
from drd_plugin.training import Checkpoint, Recipe, Recorder, features, train

CPU = torch.device("cpu")
QUIET = Job("cpu", progress=False)
FOLDS = [Forgetting(), EL2N(), AUM(), Moderate(), DynUnc(window=2), TDDS(window=3), DUAL(window=2, first_epochs=3)]
RECIPE = Recipe(net="lenet", epochs=4, batch_size=32, augment="shift", lr=0.05)


pytestmark = pytest.mark.usefixtures("every_epoch")


def quietly(split, folds=FOLDS, proxy=RECIPE, folder=None):
    return record_folds(split, folds, proxy, 0, QUIET.inside(folder))


def into(folder, split, folds, proxy=RECIPE, seed=0, **rest):
    return record_into(folder, split, folds, proxy, seed, QUIET, **rest)


class Killed(Exception):
    """What stands for a kill."""


def killed_after(monkeypatch, step):
    """Trainings stop with an exception after so many steps in all."""
    taken, advance = [0], torch.optim.SGD.step

    def counted(self, *args, **kwargs):
        taken[0] += 1
        if taken[0] > step:
            raise Killed
        return advance(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", counted)
    return taken


def test_a_killed_pass_goes_on_and_costs_an_epoch(few, tmp_path, monkeypatch):
    """150 examples make 5 steps an epoch; the kill comes in the last epoch."""
    whole = quietly(few)
    with monkeypatch.context() as patched:
        killed_after(patched, 18)
        with pytest.raises(Killed):
            quietly(few, folder=tmp_path)
    with monkeypatch.context() as patched:
        taken = killed_after(patched, 5)
        again = quietly(few, folder=tmp_path)
    assert taken[0] == 5
    for one, other in zip(whole, again, strict=True):
        assert np.array_equal(one.values, other.values), one.name


def test_a_second_proxy_is_not_paid_for_twice(few, tmp_path, monkeypatch):
    folds = [AUM(proxies=2), Forgetting()]
    whole = quietly(few, folds)
    with monkeypatch.context() as patched:
        killed_after(patched, 30)
        with pytest.raises(Killed):
            quietly(few, folds, folder=tmp_path)
    with monkeypatch.context() as patched:
        taken = killed_after(patched, 20)
        again = quietly(few, folds, folder=tmp_path)
    assert taken[0] == 10
    assert all(np.array_equal(a.estimates, b.estimates) for a, b in zip(whole, again, strict=True))


def test_batch_norm_momentum_and_adam_are_taken_up_too(few, tmp_path, monkeypatch):
    recipe = Recipe(epochs=3, batch_size=50, optimizer="adamw", lr=0.01)
    checkpoint = Checkpoint(tmp_path / "c.safetensors", "this one")
    whole = train(few, recipe, device="cpu")
    step, taken = torch.optim.AdamW.step, [0]

    def counted(self, *args, **kwargs):
        taken[0] += 1
        if taken[0] == 8:
            raise Killed
        return step(self, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(torch.optim.AdamW, "step", counted)
        with pytest.raises(Killed):
            train(few, recipe, checkpoint=checkpoint, device="cpu")
    again = train(few, recipe, checkpoint=checkpoint, device="cpu")
    for one, other in zip(whole.net.state_dict().values(), again.net.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert again.examples_seen == whole.examples_seen == 450


def test_a_checkpoint_of_another_pass_is_refused(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        killed_after(patched, 12)
        with pytest.raises(Killed):
            quietly(few, [AUM()], folder=tmp_path)
    with pytest.raises(ArtifactError, match="the checkpoint of a training with other settings"):
        quietly(few, [AUM()], RECIPE.for_epochs(5), folder=tmp_path)
    tensors, header = load_tensors(tmp_path / "proxy-0.safetensors")
    save_tensors(tensors, tmp_path / "proxy-0.safetensors", header.replace('"processes": 1', '"processes": 8'))
    with pytest.raises(ArtifactError, match="was begun by 8 processes, and now there are 1"):
        quietly(few, [AUM()], folder=tmp_path)
    (tmp_path / "proxy-0.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="damaged"):
        quietly(few, [AUM()], folder=tmp_path)


def test_another_score_that_joins_a_killed_pass_has_it_begin_again(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        killed_after(patched, 12)
        with pytest.raises(Killed):
            quietly(few, [AUM()], folder=tmp_path)
    joined = quietly(few, [AUM(), Forgetting()], folder=tmp_path)
    assert all(
        np.array_equal(a.values, b.values) for a, b in zip(joined, quietly(few, [AUM(), Forgetting()]), strict=True)
    )


def test_a_full_disk_between_two_scores_costs_no_training(few, tmp_path, monkeypatch):
    folds, save, saved = {"AUM": AUM(), "Forgetting": Forgetting()}, Scores.save, []

    def once(self, folder):
        if saved:
            raise OSError("No space left on device")
        saved.append(folder)
        save(self, folder)

    with monkeypatch.context() as patched:
        patched.setattr(Scores, "save", once)
        with pytest.raises(OSError, match="No space left"):
            into(tmp_path, few, folds)
    with monkeypatch.context() as patched:
        killed_after(patched, 0)
        recorded = into(tmp_path, few, folds)
    assert np.array_equal(recorded["Forgetting"].values, quietly(few, [Forgetting()])[0].values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AUM", "Forgetting"]


def test_features_that_are_wanted_later_are_made(few, tmp_path, monkeypatch):
    """The first proxy was finished without them before the kill."""
    folds = {"AUM": AUM(proxies=2)}
    with monkeypatch.context() as patched:
        killed_after(patched, 30)
        with pytest.raises(Killed):
            into(tmp_path, few, folds)
    into(tmp_path, few, folds, features="f.safetensors")
    expected = features(train(few, RECIPE, device="cpu").net, few, "cpu").numpy()
    assert np.allclose(Features.load(tmp_path / "f.safetensors").values, expected, atol=1e-5)
    with pytest.raises(ArtifactError, match="features of a proxy with another recipe or seed"):
        into(tmp_path, few, {"EL2N": EL2N()}, seed=5, features="f.safetensors")


KILLED = """
import sys
from drd_plugin import load, record
from drd_plugin.training import Checkpoint, Recipe
Checkpoint.due = True
proxy = Recipe(net="lenet", epochs=15)
record(load("digits").train, ["AUM", "Forgetting"], proxy=proxy, out=sys.argv[1], device="cpu", progress=False)
"""


def test_a_process_that_is_killed_goes_on(start, tmp_path):
    """A real SIGKILL, from outside, in the middle of a pass on the digits."""
    program = start(KILLED, tmp_path / "out")
    while not list((tmp_path / "out").glob("proxies-*/proxy-0.safetensors")):
        assert program.runs, program.output
        time.sleep(0.01)
    assert program.kill() == -9, program.output
    assert not list((tmp_path / "out" / "AUM").glob("*.parquet"))
    [checkpoint] = (tmp_path / "out").glob("proxies-*/proxy-0.safetensors")
    assert 0 < json.loads(load_tensors(checkpoint)[1])["step"] < 15 * 23
    for folder in ("out", "whole"):
        program = start(KILLED, tmp_path / folder)
        assert program.wait() == 0, program.output
    for name in ("AUM", "Forgetting"):
        one, other = (Scores.load(tmp_path / folder / name) for folder in ("out", "whole"))
        assert np.array_equal(one.values, other.values)
    assert not list((tmp_path / "out").glob("proxies-*"))


def test_a_pass_writes_statistics_of_length_n_and_no_logits(few, tmp_path, monkeypatch):
    """All that is on the disk after an epoch: the network, its momentum, and a few numbers for each example."""
    folds = [Forgetting(), EL2N(), AUM(), DynUnc(window=2), DUAL(window=2), TDDS(window=3, first_epochs=3)]
    with monkeypatch.context() as patched:
        killed_after(patched, 12)
        with pytest.raises(Killed):
            quietly(few, folds, RECIPE.for_epochs(6), folder=tmp_path)
    [path] = tmp_path.iterdir()
    tensors, header = load_tensors(path)
    statistics = {name: values for name, values in tensors.items() if name.startswith("recorder.")}
    assert '"step": 10' in header  # two epochs: TDDS still holds the probabilities of the last
    assert len(statistics) >= 8
    large = {name: values for name, values in statistics.items() if values.numel() > 2 * 150}
    assert {name: values.shape for name, values in large.items()} == {"recorder.5.before": (150, 10)}
    with monkeypatch.context() as patched:
        killed_after(patched, 8)
        with pytest.raises(Killed):
            quietly(few, folds, RECIPE.for_epochs(6), folder=tmp_path)
    tensors, header = load_tensors(path)
    assert '"step": 15' in header  # three: it is done, and lets go
    assert tensors["recorder.5.before"].numel() == 0
    again = quietly(few, folds, RECIPE.for_epochs(6), folder=tmp_path)[5]
    assert np.array_equal(again.values, quietly(few, folds, RECIPE.for_epochs(6))[5].values)


def test_a_folder_of_one_pass_is_finished_read_and_extended(few, tmp_path, monkeypatch):
    folds = {"AUM": AUM(), "EL2N[epoch=2]": EL2N(2)}
    recorded = into(tmp_path, few, folds, features="features.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AUM", "EL2N[epoch=2]", "features.safetensors"]
    with monkeypatch.context() as patched:
        killed_after(patched, 0)
        again = into(tmp_path, few, folds, features="features.safetensors")
    assert np.array_equal(recorded["AUM"].values, again["AUM"].values)
    more = into(tmp_path, few, {"DUAL": DUAL(window=2)})
    assert np.array_equal(more["DUAL"].values, quietly(few, [DUAL(window=2)])[0].values)
    with pytest.raises(ArtifactError, match=r"made with other settings \(score's margin: logits, not probabilities\)"):
        into(tmp_path, few, {"AUM": AUM("probabilities")})


def test_features_are_those_of_the_first_proxy(few, tmp_path):
    net = train(few, RECIPE, seed_init=3, seed_order=3, device="cpu").net
    expected = features(net, few, "cpu").numpy()
    into(tmp_path, few, {"AUM": AUM(proxies=2)}, seed=3, features="features.safetensors")
    stored = Features.load(tmp_path / "features.safetensors")
    assert np.allclose(stored.values, expected, atol=1e-5)
    cache = ScoreCache(few, RECIPE, together=[AUM()], features=True, job=QUIET.inside(tmp_path / "c"))
    cache.get(AUM(), 3)
    assert np.allclose(cache.features(3).values, expected, atol=1e-5)
    assert not list((tmp_path / "c").glob("proxies-*"))
    stored.check(150, few.fingerprint)
    with pytest.raises(ArtifactError, match="features of 150 examples and scores of 149"):
        stored.check(149, few.fingerprint)
    with pytest.raises(ArtifactError, match="file of features was made for the data set few:"):
        stored.check(150, "other:1")


def test_features_of_other_tools_and_broken_ones(tmp_path):
    np.save(tmp_path / "f.npy", np.eye(3))
    assert Features.load(tmp_path / "f.npy").values.tolist() == np.eye(3).tolist()
    np.save(tmp_path / "object.npy", np.array([{}], dtype=object))
    with pytest.raises(ArtifactError, match="holds no plain numbers"):
        Features.load(tmp_path / "object.npy")
    (tmp_path / "empty.npy").touch()
    with pytest.raises(ArtifactError, match="holds no plain numbers"):
        Features.load(tmp_path / "empty.npy")
    np.save(tmp_path / "nan.npy", np.array([[np.nan]]))
    with pytest.raises(ArtifactError, match="features of 1 examples are NaN"):
        Features.load(tmp_path / "nan.npy")
    save_tensors({"features": torch.ones(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(ArtifactError, match="holds no features as `drd-plugin record --features` writes them"):
        Features.load(tmp_path / "other.safetensors")
    for values in (np.ones(3), np.ones((3, 0)), np.array([["a"]]), np.ones((2, 2), complex)):
        with pytest.raises(ArtifactError, match=r"expected features, numbers of shape \[n, d\], got"):
            Features(values)
    with pytest.raises(ArtifactError, match=r"features of 1 examples are NaN or infinite \(the first: \[1\]\)"):
        Features(np.array([[0.0], [np.nan]]))
    with pytest.raises(ArtifactError, match="there is no file"):
        Features.load(tmp_path / "none.safetensors")


def recorder(n=4, num_classes=3, epochs=2, folds=(AUM(),)):
    return Recorder(folds, n, num_classes, epochs, CPU)


def test_broken_logits_name_the_example_and_the_epoch(monkeypatch):
    monkeypatch.setattr("drd_plugin.training.recorder.AT_ONCE", 1)
    watch = recorder()
    logits = torch.zeros(4, 3)
    watch.step(1, torch.arange(4), logits, torch.zeros(4, dtype=torch.int64))
    watch.end_epoch(1, lambda: iter(()))
    logits[1, 2] = torch.inf
    watch.step(2, torch.tensor([3, 2, 1, 0]), logits, torch.zeros(4, dtype=torch.int64))
    watch.step(2, torch.arange(4), torch.full((4, 3), torch.nan), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(FloatingPointError, match="logits for example 2 in epoch 2"):  # the first, not the lowest
        watch.end_epoch(2, lambda: iter(()))


def test_an_example_that_is_never_presented_is_named():
    watch = recorder()
    watch.step(1, torch.tensor([0, 3]), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64))
    watch.end_epoch(1, lambda: iter(()))
    with pytest.raises(ValueError, match=r"2 of 4 examples were never presented \(the first: \[1, 2\]\)"):
        watch.finish()


def test_a_run_of_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="a run of 3 classes, but the network gave logits for 5"):
        recorder().step(1, torch.arange(4), torch.zeros(4, 5), torch.zeros(4, dtype=torch.int64))


def test_scores_that_cannot_watch_so_short_a_proxy_are_left_out():
    assert list(fitting_folds(Recipe(epochs=2))) == ["Forgetting", "EL2N", "AUM", "Moderate", "Confidence"]
    assert {"DynUnc", "DUAL", "Confidence[early=true]"} < set(fitting_folds(Recipe(epochs=11)))
    assert "TDDS" not in fitting_folds(Recipe(epochs=100))


def test_a_streamed_folder_gives_the_scores_of_the_same_images_in_memory(few, tmp_path):
    for i, (image, label) in enumerate(zip(few.images[:60], few.labels[:60], strict=True)):
        (tmp_path / "train" / f"{label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(tmp_path / "train" / f"{label}" / f"{i:03}.png")
    (tmp_path / "val").symlink_to(tmp_path / "train")
    lazy = load("image_folder", tmp_path, 8).train
    memory = Split("copy", lazy.images[torch.arange(60)], lazy.labels, lazy.classes)
    for one, other in zip(quietly(lazy), quietly(memory), strict=True):
        assert np.allclose(one.values, other.values, atol=1e-4), one.name


def test_two_processes_give_the_scores_of_one(one_and_two):
    """Indices and logits are gathered: LeNet, which has no batch normalisation, is trained to the same network."""
    folders = [folder / "proxy" for folder in one_and_two]
    for name in ("AUM", "EL2N", "Forgetting", "Moderate", "TDDS[window=3]"):
        one, two = (Scores.load(folder / name) for folder in folders)
        assert np.allclose(one.values, two.values, atol=2e-3), name
    one, two = (Features.load(folder / "features.safetensors").values for folder in folders)
    assert np.allclose(one, two, atol=1e-3)
