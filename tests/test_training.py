import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.core.device import resolve_device
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, Split, load
from drd_plugin.training.augment import AUGMENTATIONS
from drd_plugin.training.loader import Loader
from drd_plugin.training.loop import features, predict, train
from drd_plugin.training.net import kind_of
from drd_plugin.training.nets import NETS, build
from drd_plugin.training.recipe import Recipe
from drd_plugin.training.recorder import Recorder


class Spectator:
    """A fold that writes down what it is shown."""

    def __init__(self, mode="train"):
        self.mode, self.seen = mode, []

    def observes(self, epoch, epochs):
        return self.mode

    def begin(self, n, num_classes, device):
        return {}

    def update(self, state, outputs):
        self.seen.append((outputs.epoch, outputs.index.tolist(), outputs.logits.clone(), outputs.labels.tolist()))

    def release(self, state, epoch, epochs):
        pass


def weights_of(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def run(split, recipe, init=0, order=0, **rest):
    return train(split, recipe, seed_init=init, seed_order=order, device="cpu", **rest)


def test_a_training_learns_and_reports(digits):
    done = run(digits.train, Recipe(steps=60), test=digits.test)
    assert done.acc_last > 90
    assert done.acc_best >= done.acc_last
    assert (done.steps, done.examples_seen) == (60, 2 * 1437 + 11 * 63 + 3 * 62)
    said = predict(done.net, digits.test, "cpu", digits.train.statistics).argmax(1).numpy()
    assert 100 * np.mean(said == digits.test.labels) == pytest.approx(done.acc_last)


def test_equal_seeds_give_equal_networks_and_the_global_state_is_left_alone(tiny, recipe):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two = (weights_of(run(tiny, recipe).net) for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())


def test_initialisation_and_order_have_seeds_of_their_own(tiny, recipe):
    base = build("convnet", 1, 8, 3, 0)
    assert not torch.equal(weights_of(base), weights_of(build("convnet", 1, 8, 3, 1)))
    one = weights_of(run(tiny, recipe, init=0, order=0).net)
    assert not torch.equal(one, weights_of(run(tiny, recipe, init=1, order=0).net))
    assert not torch.equal(one, weights_of(run(tiny, recipe, init=0, order=1).net))


def test_every_epoch_presents_each_example_once(tiny, monkeypatch):
    monkeypatch.setattr("drd_plugin.training.recorder.AT_ONCE", 1)  # the folds see each step by itself
    watcher = Spectator()
    indices = np.array([1, 4, 5, 9, 20, 33, 47])
    recorder = Recorder([watcher], len(tiny), 3, 3, torch.device("cpu"))
    run(tiny, Recipe(epochs=3, batch_size=3), subset=indices, recorder=recorder)
    for epoch in (1, 2, 3):
        shown = [i for e, index, _, _ in watcher.seen if e == epoch for i in index]
        assert sorted(shown) == indices.tolist()
    assert [len(index) for _, index, _, _ in watcher.seen] == [3, 2, 2] * 3
    assert all(tiny.labels[index].tolist() == labels for _, index, _, labels in watcher.seen)


def test_the_evaluation_pass_sees_the_whole_set_in_eval_mode(tiny):
    watcher = Spectator("eval")
    recorder = Recorder([watcher], len(tiny), 3, 2, torch.device("cpu"))
    done = run(tiny, Recipe(epochs=2, augment="shift"), recorder=recorder)
    assert [e for e, *_ in watcher.seen] == [1, 2]
    assert watcher.seen[-1][1] == list(range(60))
    assert torch.allclose(watcher.seen[-1][2], predict(done.net, tiny, "cpu"), atol=1e-5)


def test_watching_does_not_change_the_training(tiny):
    recipe = Recipe(epochs=2, augment="shift")
    recorder = Recorder([Spectator(), Spectator("eval")], len(tiny), 3, 2, torch.device("cpu"))
    assert torch.equal(weights_of(run(tiny, recipe).net), weights_of(run(tiny, recipe, recorder=recorder).net))


def test_one_weighted_step_by_hand(tiny):
    recipe = Recipe(net="lenet", steps=1, batch_size=60, momentum=0, weight_decay=0, warmup=0, lr=0.5)
    indices, weights = np.arange(10, 30), np.arange(20) + 1.0
    net, loader = build("lenet", 1, 8, 3, 0), Loader(tiny, torch.device("cpu"))
    [(index, images)] = loader.over([torch.from_numpy(indices)])
    losses = F.cross_entropy(net(images), loader.labels[index], reduction="none")
    (losses * torch.from_numpy(weights / weights.mean())).mean().backward()
    expected = torch.cat([(p - 0.5 * p.grad).detach().flatten() for p in net.parameters()])
    done = run(tiny, recipe, subset=Subset(indices, 60, "made", tiny.fingerprint, weights))
    assert torch.allclose(weights_of(done.net), expected, atol=1e-6)
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


def test_dropout_follows_the_seed_and_leaves_the_global_state_alone(tiny):
    images = torch.randint(256, (8, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split = Split("grey", images, np.arange(8) % 2, ("a", "b"))
    before = torch.random.get_rng_state()
    recipe = Recipe(net="efficientnet_b0", steps=2, batch_size=4, lr=1e-3)
    one, two, other = (weights_of(run(split, recipe, order=order).net) for order in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_bfloat16_learns_too(tiny):
    done = run(tiny, Recipe(steps=30, precision="bfloat16"), test=tiny)
    assert done.acc_last > 90


def test_a_broken_image_is_named_by_the_worker_that_met_it(tmp_path):
    for i in range(12):
        (tmp_path / "ab"[i % 2]).mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * i, np.uint8)).save(tmp_path / "ab"[i % 2] / f"{i}.png")
    split = load("image_folder", tmp_path, 8).train
    _ = split.statistics
    broken = split.images.paths[3]
    broken.write_bytes(b"no image")
    with pytest.raises(DataError) as error:
        run(split, Recipe(epochs=1))
    assert str(error.value).startswith(f"{broken} cannot be read as an image")


def test_devices_that_are_not_there():
    with pytest.raises(ValueError, match="unknown device 'gpu': expected auto, cpu"):
        resolve_device("gpu")
    with pytest.raises(ValueError, match=r"torch sees \d+ GPUs, but the device 'cuda:99'"):
        resolve_device("cuda:99")


def test_a_divergence_is_an_error(tiny):
    with pytest.raises(FloatingPointError, match="lower"):
        run(tiny, Recipe(steps=30, lr=1e30, warmup=0))


def test_nan_logits_name_the_epoch(tiny):
    recorder = Recorder([Spectator()], len(tiny), 3, 30, torch.device("cpu"))
    with pytest.raises(FloatingPointError, match="in epoch"):
        run(tiny, Recipe(epochs=30, lr=1e30, warmup=0), recorder=recorder)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "step", "constant"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_all_schedules_and_optimisers_learn(tiny, schedule, optimizer):
    recipe = Recipe(steps=40, schedule=schedule, optimizer=optimizer, lr=0.1 if optimizer == "sgd" else 0.01)
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


def test_a_folder_trains_like_the_same_images_in_memory(tmp_path, tiny, recipe):
    for i, (image, label) in enumerate(zip(tiny.images, tiny.labels, strict=True)):
        (tmp_path / "train" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(tmp_path / "train" / str(label) / f"{i:03}.png")
    (tmp_path / "val").symlink_to(tmp_path / "train")
    lazy = load("image_folder", tmp_path, 8).train
    memory = Split("copy", lazy.images[torch.arange(60)], lazy.labels, lazy.classes)
    assert torch.equal(weights_of(run(lazy, recipe).net), weights_of(run(memory, recipe).net))
    net = run(memory, recipe).net
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
