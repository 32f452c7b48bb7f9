"""What a recipe cannot train on is found out before the training: images too small, one class, masks and positions."""

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.data import DataError, from_arrays
from drd_plugin.diffusion.distance import critic
from drd_plugin.dynamic import dynamic_sampler
from drd_plugin.scoring import record, score
from drd_plugin.selection import select
from drd_plugin.training import NETS, Recipe, train
from drd_plugin.training.check import check_recipe
from drd_plugin.training.net import kind_of

ONE_STEP = Recipe(net="convnet_small", steps=1)
PROXY = Recipe(net="convnet_small", epochs=2)


def split(height, width=None, n=12, classes=3, channels=1):
    images = np.random.default_rng(0).random((n, channels, height, height if width is None else width))
    return from_arrays("mine", images, np.arange(n) % classes, [f"class {i}" for i in range(classes)])


@pytest.fixture(scope="module")
def one_class():
    return split(8, classes=1)


def refusal(recipe, on, **options):
    """The message of the refusal; empty if the recipe is taken."""
    try:
        check_recipe(recipe, on, **options)
    except ValueError as error:
        return str(error)
    return ""


IMAGE_NETS = [name for name in NETS if kind_of(NETS[name]) == "images" and name != "vit_b_16"]
SIZES = [(1, 1), (5, 9)]
SMALL = [(name, size) for name in ("convnet", "lenet") for size in [(2, 2), (3, 3), (4, 4), (16, 16)]]


@pytest.mark.parametrize(("name", "size"), [*((name, size) for name in IMAGE_NETS for size in SIZES), *SMALL])
def test_what_is_not_refused_trains(name, size):
    recipe, on = Recipe(net=name, steps=1), split(*size)
    message = refusal(recipe, on)
    if not message:
        assert train(on, recipe, device="cpu").steps == 1
        return
    assert f"{name} cannot take images of {size[0]} x {size[1]} pixels, as in mine" in message
    assert ("at least 4 x 4" in message) == (min(size) < 4)
    assert ("load them square" in message) == (min(size) >= 4)
    with pytest.raises(DataError, match="cannot take images"):
        train(on, recipe, device="cpu")


def test_all_images_of_eight_pixels_are_taken():
    for name in ("convnet", "convnet_small", "lenet", "resnet18_small", "resnet18"):
        assert not refusal(Recipe(net=name), split(8))


def test_a_transformer_says_which_sizes_it_takes():
    assert "expected a size that 16 divides, got 8" in refusal(Recipe(net="vit_b_16"), split(8))


def test_a_batch_of_one_image_is_refused_where_it_cannot_be_normalised():
    for recipe, positions in ((Recipe(net="resnet18", steps=1), [3]), (Recipe(net="resnet18", batch_size=1), None)):
        with pytest.raises(
            DataError, match=r"resnet18 cannot train on a batch of one image of 8 x 8 pixels.*batch_size"
        ):
            train(split(8), recipe, subset=positions, device="cpu")
    assert train(split(8), ONE_STEP, subset=[3], device="cpu").examples_seen == 1


def test_an_augmentation_that_needs_larger_images_is_refused():
    with pytest.raises(DataError, match="augmentation shift cannot take images of 1 x 1 pixels"):
        train(split(1), Recipe(net="resnet18_small", steps=1, augment="shift"), device="cpu")


def test_only_a_recipe_is_one():
    with pytest.raises(ValueError, match="expected a Recipe, got 'convnet'"):
        train(split(8), "convnet")


def test_a_record_on_images_too_small_is_refused_before_it_begins(tmp_path):
    with pytest.raises(DataError, match="convnet_small cannot take images of 2 x 2"):
        record(split(2), ["AUM"], proxy=PROXY, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "use",
    [
        lambda on: train(on, ONE_STEP),
        lambda on: record(on, ["AUM"], proxy=PROXY, progress=False),
        lambda on: record(on, ["EL2N"], proxy=PROXY, progress=False),
        lambda on: score(on, "Moderate", proxy=PROXY, progress=False),
        lambda on: select(on, "Forgetting", 0.5, proxy=PROXY, progress=False),
        lambda on: select(on, "Uniform+BestWindow", 0.5, recipe=ONE_STEP, proxy=PROXY, progress=False),
        lambda on: select(on, "Uniform+ClassQuotas", 0.5, recipe=ONE_STEP, proxy=PROXY, progress=False),
        lambda on: dynamic_sampler(on, "FactorCurriculum", 0.5, epochs=2, proxy=PROXY, progress=False),
    ],
)
def test_what_trains_a_classifier_needs_two_classes(use, one_class):
    with pytest.raises(DataError, match=r"mine has one class, class 0, and .* needs at least two classes"):
        use(one_class)


def test_what_trains_none_takes_one_class(one_class):
    assert len(score(one_class, "Uniform", progress=False)) == 12
    assert len(select(one_class, "Random", 0.5, progress=False)) == 6
    for name in ("RS2", "RandomDynamic", "InfoBatch", "EpsilonGreedy", "UCB", "RCAP"):
        sampler = dynamic_sampler(one_class, name, 0.5, epochs=2)
        sampler.set_epoch(0)
        assert len({*sampler}) == len(sampler) > 0
    assert critic(one_class, 0, "cpu").head[1].out_features == 1


@pytest.mark.parametrize(
    ("subset", "count"),
    [(np.arange(12) < 5, 5), ([True] * 3 + [False] * 9, 3), ([0.0, 4.0], 2), (None, 12), (np.array([3], np.uint8), 1)],
)
def test_a_training_takes_positions_and_masks(subset, count):
    assert train(split(8), ONE_STEP, subset=subset, device="cpu").examples_seen == count


@pytest.mark.parametrize(
    ("subset", "message"),
    [
        (np.array([0.2, 1.7, 2.9]), "expected integer positions"),
        (np.array([[1, 2], [3, 4]]), r"an array of the shape \(2, 2\)"),
        (np.arange(13) < 5, "a mask of 12 truth values"),
        ("subset.json", "got a str"),
    ],
)
def test_a_training_refuses_what_are_no_positions(subset, message):
    with pytest.raises(ArtifactError, match=message):
        train(split(8), ONE_STEP, subset=subset, device="cpu")


def test_a_mask_and_a_subset_train_the_same():
    on, mask = split(8), np.arange(12) % 4 < 2
    one, two = (
        train(on, Recipe(net="convnet_small", steps=3), subset=subset, device="cpu").net
        for subset in (mask, Subset(np.flatnonzero(mask), 12, "mine", on.fingerprint))
    )
    assert all((a == b).all() for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("seeds", [{"seed_init": -1}, {"seed_order": -1}, {"seed_init": 1.5}])
def test_seeds_are_checked_before_the_training(seeds):
    with pytest.raises(ValueError, match="a seed is a non-negative integer"):
        train(split(8), ONE_STEP, **seeds)
