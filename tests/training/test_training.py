"""Training: recipes, networks, augmentation, the loop and what the recorder is shown of it."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.core.device import resolve_device
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, Split, load
from drd_plugin.training import AUGMENTATIONS, NETS, Loader, Recipe, Recorder, build, features, predict, train
from drd_plugin.training.net import kind_of

CPU = torch.device("cpu")
SHORT = Recipe(steps=6, batch_size=32, evaluations=2)


class Update(NamedTuple):
    """What a fold is shown at once."""

    epoch: int
    index: list[int]
    logits: Tensor
    labels: list[int]


class Spectator:
    """A fold that notes what it is shown."""

    def __init__(self, mode="train"):
        self.mode, self.updates = mode, list[Update]()

    def observes(self, epoch, epochs):
        return self.mode

    def begin(self, n, num_classes, device):
        return {}

    def update(self, state, outputs):
        self.updates.append(
            Update(outputs.epoch, outputs.index.tolist(), outputs.logits.clone(), outputs.labels.tolist())
        )

    def release(self, state, epoch, epochs):
        pass


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def run(split, recipe, init=0, order=0, **options):
    return train(split, recipe, seed_init=init, seed_order=order, device="cpu", **options)


@pytest.fixture(scope="module")
def weights(tiny):
    """The weights after a short training on the tiny images with the seeds 0."""
    return weights_of(run(tiny, SHORT).net)


def test_a_training_learns_and_reports(digits):
    trained = run(digits.train, Recipe(steps=60), test=digits.test)
    assert trained.acc_last > 90
    assert trained.acc_best >= trained.acc_last
    assert (trained.steps, trained.examples_seen) == (60, 2 * 1437 + 11 * 63 + 3 * 62)
    predicted = predict(trained.net, digits.test, "cpu", digits.train.statistics).argmax(1).numpy()
    assert 100 * np.mean(predicted == digits.test.labels) == pytest.approx(trained.acc_last)


def test_equal_seeds_give_equal_networks_and_leave_the_global_state_alone(tiny, weights):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert torch.equal(weights_of(run(tiny, SHORT).net), weights)
    assert torch.equal(before, torch.get_rng_state())


def test_initialisation_and_order_have_seeds_of_their_own(tiny, weights):
    base = build("convnet", 1, 8, 3, 0)
    assert not torch.equal(weights_of(base), weights_of(build("convnet", 1, 8, 3, 1)))
    assert not torch.equal(weights, weights_of(run(tiny, SHORT, init=1, order=0).net))
    assert not torch.equal(weights, weights_of(run(tiny, SHORT, init=0, order=1).net))


def test_every_epoch_presents_each_example_once(tiny, monkeypatch):
    monkeypatch.setattr("drd_plugin.training.recorder.AT_ONCE", 1)  # the folds see each step by itself
    spectator = Spectator()
    indices = np.array([1, 4, 5, 9, 20, 33, 47])
    recorder = Recorder([spectator], len(tiny), 3, 3, CPU)
    run(tiny, Recipe(epochs=3, batch_size=3), subset=indices, recorder=recorder)
    for epoch in (1, 2, 3):
        presented = [i for update in spectator.updates if update.epoch == epoch for i in update.index]
        assert sorted(presented) == indices.tolist()
    assert [len(update.index) for update in spectator.updates] == [3, 2, 2] * 3
    assert all(tiny.labels[update.index].tolist() == update.labels for update in spectator.updates)


def test_the_evaluation_pass_sees_the_whole_set_in_eval_mode(tiny):
    spectator = Spectator("eval")
    recorder = Recorder([spectator], len(tiny), 3, 2, CPU)
    trained = run(tiny, Recipe(epochs=2, augment="shift"), recorder=recorder)
    assert [update.epoch for update in spectator.updates] == [1, 2]
    assert spectator.updates[-1].index == list(range(60))
    assert torch.allclose(spectator.updates[-1].logits, predict(trained.net, tiny, "cpu"), atol=1e-5)


def test_watching_does_not_change_the_training(tiny):
    recipe = Recipe(epochs=2, augment="shift")
    recorder = Recorder([Spectator(), Spectator("eval")], len(tiny), 3, 2, CPU)
    assert torch.equal(weights_of(run(tiny, recipe).net), weights_of(run(tiny, recipe, recorder=recorder).net))


def test_one_weighted_step_by_hand(tiny):
    recipe = Recipe(net="lenet", steps=1, batch_size=60, momentum=0, weight_decay=0, warmup=0, lr=0.5)
    indices, example_weights = np.arange(10, 30), np.arange(20) + 1.0
    net, loader = build("lenet", 1, 8, 3, 0), Loader(tiny, CPU)
    [(index, images)] = loader.over([torch.from_numpy(indices)])
    losses = F.cross_entropy(net(images), loader.labels[index], reduction="none")
    (losses * torch.from_numpy(example_weights / example_weights.mean())).mean().backward()
    expected = torch.cat([(p - 0.5 * p.grad).detach().flatten() for p in net.parameters()])
    trained = run(tiny, recipe, subset=Subset(indices, 60, "made", tiny.fingerprint, example_weights))
    assert torch.allclose(weights_of(trained.net), expected, atol=1e-6)
    assert not torch.allclose(weights_of(run(tiny, recipe, subset=indices).net), expected, atol=1e-4)


@pytest.mark.parametrize("indices", [[1, 1, 2], [-1, 3], [0, 60]])
def test_impossible_positions_are_refused(tiny, indices):
    with pytest.raises(ArtifactError, match=r"distinct indices in 0..59"):
        run(tiny, Recipe(steps=1), subset=np.array(indices))


def test_a_test_split_of_other_images_is_refused(tiny, digits):
    with pytest.raises(DataError, match="they must agree"):
        train(tiny, Recipe(steps=1), test=digits.test)


def test_a_subset_of_another_data_set_is_refused(tiny):
    with pytest.raises(ArtifactError, match="made for the data set other:1"):
        run(tiny, Recipe(steps=1), subset=Subset(np.arange(5), 60, "made", "other:1"))


def test_dropout_follows_the_seed_and_leaves_the_global_state_alone():
    images = torch.randint(256, (8, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split("grey", images, np.arange(8) % 2, ("a", "b"))
    before = torch.random.get_rng_state()
    recipe = Recipe(net="efficientnet_b0", steps=2, batch_size=4, lr=1e-3)
    one, two, other = (weights_of(run(split, recipe, order=order).net) for order in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_bfloat16_learns_too(tiny):
    assert run(tiny, Recipe(steps=20, precision="bfloat16", evaluations=1), test=tiny).acc_last > 90


def test_a_broken_image_is_named_by_the_worker_that_met_it(tmp_path):
    for i in range(12):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)).save(folder / f"{i}.png")
    split = load("image_folder", tmp_path, 8).train
    _ = split.statistics
    broken = split.images.paths[3]
    broken.write_bytes(b"no image")
    with pytest.raises(DataError) as error:
        run(split, Recipe(epochs=1))
    assert str(error.value).startswith(f"{broken} cannot be read as an image")


def test_unknown_devices_are_refused():
    with pytest.raises(ValueError, match="unknown device 'gpu': expected auto, cpu"):
        resolve_device("gpu")
    with pytest.raises(ValueError, match=r"torch sees \d+ GPUs, but the device 'cuda:99'"):
        resolve_device("cuda:99")


def test_a_divergence_is_an_error(tiny):
    with pytest.raises(FloatingPointError, match="lower"):
        run(tiny, Recipe(steps=5, lr=1e30, warmup=0))


def test_nan_logits_name_the_epoch(tiny):
    recorder = Recorder([Spectator()], len(tiny), 3, 5, CPU)
    with pytest.raises(FloatingPointError, match=r"in epoch \d"):
        run(tiny, Recipe(epochs=5, lr=1e30, warmup=0), recorder=recorder)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "step", "constant"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_all_schedules_and_optimisers_learn(tiny, schedule, optimizer):
    lr = 0.1 if optimizer == "sgd" else 0.01
    recipe = Recipe(steps=20, schedule=schedule, optimizer=optimizer, lr=lr, evaluations=1)
    assert run(tiny, recipe, test=tiny).acc_last > 80


@pytest.mark.parametrize("name", [name for name in NETS if kind_of(NETS[name]) == "images"])
def test_every_net_gives_logits_and_features(name):
    size = 32 if name.startswith(("vit", "eff", "resnet")) else 8
    net = build(name, 1, size, 5, seed=0).eval()
    images = torch.randn(2, 1, size, size)
    with torch.no_grad():
        penultimate = net.backbone(images)
        assert net(images).shape == (2, 5)
        assert torch.allclose(net(images), net.head(penultimate))
    assert penultimate.shape == (2, net.head[1].in_features)


def test_unknown_and_unfit_nets():
    with pytest.raises(UnknownName, match="'resnet18'"):
        build("resnet-18", 3, 32, 10, 0)
    with pytest.raises(ValueError, match="16 divides, got 30"):
        build("vit_b_16", 3, 30, 10, 0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_keeps_shape_and_range_and_follows_its_generator(name):
    images = torch.rand(6, 3, 16, 16)
    one, two = (AUGMENTATIONS[name](images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert one.shape == images.shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, two)
    assert (name == "none") == torch.equal(one, images)


def test_shift_translates_each_image_as_a_whole():
    images = torch.arange(8.0).expand(20, 1, 8, 8)
    shifted = AUGMENTATIONS["shift"](images, torch.Generator().manual_seed(0))
    middle = shifted[:, 0, 3, 1:7] - images[:, 0, 3, 1:7]
    assert set(middle.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert all(len(set(row.tolist())) == 1 for row in middle)


def test_a_folder_trains_like_the_same_images_in_memory(tmp_path, tiny):
    for i, (image, label) in enumerate(zip(tiny.images, tiny.labels, strict=True)):
        (tmp_path / "train" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(tmp_path / "train" / str(label) / f"{i:03}.png")
    (tmp_path / "val").symlink_to(tmp_path / "train")
    lazy = load("image_folder", tmp_path, 8).train
    memory = Split("copy", lazy.images[torch.arange(60)], lazy.labels, lazy.classes)
    net = run(memory, SHORT).net
    assert torch.equal(weights_of(run(lazy, SHORT).net), weights_of(net))
    assert torch.allclose(features(net, lazy, "cpu"), features(net, memory, "cpu"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 3, "epochs": 3}, "either steps or epochs"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"lr": 0}, "lr > 0"),
        ({"warmup": 1.0}, "warmup"),
    ],
)
def test_impossible_recipes_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**wrong)


def test_a_recipe_counts_its_steps():
    assert Recipe().total_steps(1000) == 300
    assert Recipe(epochs=3, batch_size=64).total_steps(65) == 6
    assert Recipe().for_epochs(2).total_steps(64) == 2
