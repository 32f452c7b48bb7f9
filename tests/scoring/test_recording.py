"""One recorded pass: what the recorder refuses, and that a killed or a shared pass gives the same."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Features, Scores
from drd_plugin.artifacts.files import save_tensors
from drd_plugin.data import Split, load
from drd_plugin.scores import AUM, DUAL, EL2N, TDDS, DynUnc, Forgetting, Moderate
from drd_plugin.scoring.cache import ScoreCache
from drd_plugin.scoring.recording import fitting_folds, record, record_into
from drd_plugin.training import checkpoint
from drd_plugin.training.loop import features, train
from drd_plugin.training.recipe import Recipe
from drd_plugin.training.recorder import Recorder

CPU = torch.device("cpu")
FOLDS = [Forgetting(), EL2N(), AUM(), Moderate(), DynUnc(window=2), TDDS(window=3), DUAL(window=2, first_epochs=3)]
RECIPE = Recipe(net="lenet", epochs=4, batch_size=32, augment="shift", lr=0.05)


def quietly(split, folds=FOLDS, recipe=RECIPE, **rest):
    return record(split, folds, recipe, device="cpu", progress=False, **rest)


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    monkeypatch.setattr(checkpoint.Checkpoint, "due", True)


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
            quietly(few, work=tmp_path)
    with monkeypatch.context() as patched:
        taken = killed_after(patched, 5)
        again = quietly(few, work=tmp_path)
    assert taken[0] == 5
    for one, other in zip(whole, again, strict=True):
        assert np.array_equal(one.values, other.values), one.name


def test_a_second_proxy_is_not_paid_for_twice(few, tmp_path, monkeypatch):
    folds = [AUM(proxies=2), Forgetting()]
    whole = quietly(few, folds)
    with monkeypatch.context() as patched:
        killed_after(patched, 30)
        with pytest.raises(Killed):
            quietly(few, folds, work=tmp_path)
    with monkeypatch.context() as patched:
        taken = killed_after(patched, 20)
        again = quietly(few, folds, work=tmp_path)
    assert taken[0] == 10
    assert all(np.array_equal(a.estimates, b.estimates) for a, b in zip(whole, again, strict=True))


def test_batch_norm_momentum_and_adam_are_taken_up_too(few, tmp_path, monkeypatch):
    recipe = Recipe(epochs=3, batch_size=50, optimizer="adamw", lr=0.01)
    where = checkpoint.Checkpoint(tmp_path / "c.safetensors", "this one")
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
            train(few, recipe, checkpoint=where, device="cpu")
    again = train(few, recipe, checkpoint=where, device="cpu")
    for one, other in zip(whole.net.state_dict().values(), again.net.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert again.examples_seen == whole.examples_seen == 450


def test_a_checkpoint_of_another_pass_is_refused(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        killed_after(patched, 12)
        with pytest.raises(Killed):
            quietly(few, [AUM()], work=tmp_path)
    with pytest.raises(ArtifactError, match="the checkpoint of a training with other settings"):
        quietly(few, [AUM()], RECIPE.for_epochs(5), work=tmp_path)
    tensors, header = checkpoint.load_tensors(tmp_path / "proxy-0.safetensors")
    save_tensors(tensors, tmp_path / "proxy-0.safetensors", header.replace('"processes": 1', '"processes": 8'))
    with pytest.raises(ArtifactError, match="was begun by 8 processes, and now there are 1"):
        quietly(few, [AUM()], work=tmp_path)
    (tmp_path / "proxy-0.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="damaged"):
        quietly(few, [AUM()], work=tmp_path)


def test_another_score_that_joins_a_killed_pass_has_it_begin_again(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        killed_after(patched, 12)
        with pytest.raises(Killed):
            quietly(few, [AUM()], work=tmp_path)
    joined = quietly(few, [AUM(), Forgetting()], work=tmp_path)
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
            record_into(tmp_path, few, folds, RECIPE, device="cpu", progress=False)
    with monkeypatch.context() as patched:
        killed_after(patched, 0)
        found = record_into(tmp_path, few, folds, RECIPE, device="cpu", progress=False)
    assert np.array_equal(found["Forgetting"].values, quietly(few, [Forgetting()])[0].values)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AUM", "Forgetting"]


def test_features_that_are_wanted_later_are_made(few, tmp_path, monkeypatch):
    """The first proxy was finished without them before the kill."""
    folds = {"AUM": AUM(proxies=2)}
    with monkeypatch.context() as patched:
        killed_after(patched, 30)
        with pytest.raises(Killed):
            record_into(tmp_path, few, folds, RECIPE, device="cpu", progress=False)
    record_into(tmp_path, few, folds, RECIPE, features="f.safetensors", device="cpu", progress=False)
    expected = features(train(few, RECIPE, device="cpu").net, few, "cpu").numpy()
    assert np.allclose(Features.load(tmp_path / "f.safetensors").values, expected, atol=1e-5)
    with pytest.raises(ArtifactError, match="features of a proxy with another recipe or seed"):
        record_into(
            tmp_path, few, {"EL2N": EL2N()}, RECIPE, seed=5, features="f.safetensors", device="cpu", progress=False
        )


def test_a_process_that_is_killed_goes_on(digits, tmp_path):
    """A real SIGKILL, from outside, in the middle of a pass on the digits."""
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from drd_plugin import load
        from drd_plugin.scoring.recording import record_into
        from drd_plugin.scores import AUM, Forgetting
        from drd_plugin.training import checkpoint
        from drd_plugin.training.recipe import Recipe
        checkpoint.Checkpoint.due = True
        folds = {"AUM": AUM(), "Forgetting": Forgetting()}
        record_into(Path(sys.argv[1]), load("digits").train, folds, Recipe(net="lenet", epochs=30), device="cpu")
    """)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path / "out"], env=env, stderr=subprocess.DEVNULL)
    while not list((tmp_path / "out").glob("proxies-*/proxy-0.safetensors")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not list((tmp_path / "out" / "AUM").glob("*.parquet"))
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "out"], env=env, capture_output=True)
    assert done.returncode == 0
    subprocess.run([sys.executable, "-c", script, tmp_path / "whole"], env=env, capture_output=True, check=True)
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
            quietly(few, folds, RECIPE.for_epochs(6), work=tmp_path)
    [path] = tmp_path.iterdir()
    tensors, said = checkpoint.load_tensors(path)
    statistics = {name: of for name, of in tensors.items() if name.startswith("recorder.")}
    assert '"step": 10' in said  # two epochs: TDDS still holds the probabilities of the last
    assert len(statistics) >= 8
    held = {name: of for name, of in statistics.items() if of.numel() > 2 * 150}
    assert {name: of.shape for name, of in held.items()} == {"recorder.5.before": (150, 10)}
    with monkeypatch.context() as patched:
        killed_after(patched, 8)
        with pytest.raises(Killed):
            quietly(few, folds, RECIPE.for_epochs(6), work=tmp_path)
    tensors, said = checkpoint.load_tensors(path)
    assert '"step": 15' in said  # three: it is done, and lets go
    assert tensors["recorder.5.before"].numel() == 0
    again = quietly(few, folds, RECIPE.for_epochs(6), work=tmp_path)[5]
    assert np.array_equal(again.values, quietly(few, folds, RECIPE.for_epochs(6))[5].values)


def test_a_folder_of_one_pass_is_finished_read_and_extended(few, tmp_path, monkeypatch):
    folds = {"AUM": AUM(), "EL2N[epoch=2]": EL2N(2)}
    found = record_into(tmp_path, few, folds, RECIPE, features="features.safetensors", device="cpu", progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["AUM", "EL2N[epoch=2]", "features.safetensors"]
    with monkeypatch.context() as patched:
        killed_after(patched, 0)
        again = record_into(tmp_path, few, folds, RECIPE, features="features.safetensors", device="cpu", progress=False)
    assert np.array_equal(found["AUM"].values, again["AUM"].values)
    more = record_into(tmp_path, few, {"DUAL": DUAL(window=2)}, RECIPE, device="cpu", progress=False)
    assert np.array_equal(more["DUAL"].values, quietly(few, [DUAL(window=2)])[0].values)
    with pytest.raises(ArtifactError, match=r"made with other settings \(score's margin: logits, not probabilities\)"):
        record_into(tmp_path, few, {"AUM": AUM("probabilities")}, RECIPE, device="cpu", progress=False)


def test_features_are_those_of_the_first_proxy(few, tmp_path):
    net = train(few, RECIPE, seed_init=3, seed_order=3, device="cpu").net
    expected = features(net, few, "cpu").numpy()
    record_into(
        tmp_path,
        few,
        {"AUM": AUM(proxies=2)},
        RECIPE,
        seed=3,
        features="features.safetensors",
        device="cpu",
        progress=False,
    )
    kept = Features.load(tmp_path / "features.safetensors")
    assert np.allclose(kept.values, expected, atol=1e-5)
    cache = ScoreCache(
        few, RECIPE, together=[AUM()], features=True, folder=tmp_path / "c", device="cpu", progress=False
    )
    cache.get(AUM(), 3)
    assert np.allclose(cache.features(3).values, expected, atol=1e-5)
    assert not list((tmp_path / "c").glob("proxies-*"))
    kept.check(150, few.fingerprint)
    with pytest.raises(ArtifactError, match="features of 150 examples and scores of 149"):
        kept.check(149, few.fingerprint)
    with pytest.raises(ArtifactError, match="file of features was made for the data set few:"):
        kept.check(150, "other:1")


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


SHARED = """
import sys
from pathlib import Path
import torch
from drd_plugin import load
from drd_plugin.data import Split
from drd_plugin.scoring.recording import record_into
from drd_plugin.scores import AUM, EL2N, Forgetting, Moderate, TDDS
from drd_plugin.training import checkpoint
from drd_plugin.training.recipe import Recipe
checkpoint.Checkpoint.due = True
whole = load("digits").train
split = Split("few", whole.images[:151], whole.labels[:151], whole.classes)
folds = {"AUM": AUM(), "EL2N": EL2N(), "Forgetting": Forgetting(), "Moderate": Moderate(), "TDDS": TDDS(window=3)}
recipe = Recipe(net="lenet", epochs=4, batch_size=32, lr=0.05)
record_into(Path(sys.argv[1]), split, folds, recipe, features="features.safetensors", device="cpu", progress=False)
"""


def test_two_processes_give_the_scores_of_one(tmp_path):
    """Indices and logits are gathered: LeNet, which has no batch normalisation, is trained to the same network."""
    (tmp_path / "script.py").write_text(SHARED)
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    alone = [sys.executable, tmp_path / "script.py", tmp_path / "one"]
    shared = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone",
        tmp_path / "script.py", tmp_path / "two",
    ]  # fmt: skip
    for command in (alone, shared):
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in ("AUM", "EL2N", "Forgetting", "Moderate", "TDDS"):
        one, two = (Scores.load(tmp_path / folder / name) for folder in ("one", "two"))
        assert np.allclose(one.values, two.values, atol=2e-3), name
    one, two = (Features.load(tmp_path / folder / "features.safetensors").values for folder in ("one", "two"))
    assert np.allclose(one, two, atol=1e-3)
