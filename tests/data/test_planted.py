"""Planted noise: which examples, and what happens to them."""

import numpy as np
import pytest
import torch

from drd_plugin.data import DataError, Split, plant, take
from drd_plugin.data.planted import CORRUPTIONS
from drd_plugin.diffusion import denoiser_folder


def test_labels_are_wrong_where_planted_and_nowhere_else(digits):
    split = digits.train
    planted = plant(split, wrong_labels=0.2)
    assert planted.wrong.sum() == round(0.2 * len(split))
    assert np.array_equal(planted.split.labels != split.labels, planted.wrong)
    assert not planted.corrupted.any()
    assert planted.split.images is split.images
    moved = (planted.split.labels - split.labels)[planted.wrong] % 10
    assert set(moved) == set(range(1, 10))
    assert np.bincount(moved)[1:].min() > 287 / 9 / 2


def test_images_are_corrupted_where_planted_and_nowhere_else(digits):
    split = digits.train
    planted = plant(split, corrupted=0.4)
    changed = (planted.split.images != split.images).flatten(1).any(1).numpy()
    assert planted.corrupted.sum() == round(0.4 * len(split))
    assert not (changed & ~planted.corrupted).any()
    assert changed[planted.corrupted].mean() > 0.99
    assert np.array_equal(planted.split.labels, split.labels)
    assert planted.split.images.dtype == torch.uint8


def test_a_smaller_share_is_a_part_of_a_larger_one(digits):
    few, many = (plant(digits.train, share, share) for share in (0.1, 0.4))
    for one, other in ((few.wrong, many.wrong), (few.corrupted, many.corrupted)):
        assert other[one].all()
    assert np.array_equal(few.split.labels[few.wrong], many.split.labels[few.wrong])
    assert torch.equal(few.split.images[few.corrupted], many.split.images[few.corrupted])
    assert few.split.fingerprint != many.split.fingerprint != digits.train.fingerprint


def test_the_same_seed_plants_the_same(digits):
    one, same, other = (plant(digits.train, 0.1, 0.1, seed=seed).split for seed in (0, 0, 1))
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("channels", [1, 3])
def test_more_images_change_nothing_for_the_first(name, channels):
    images = torch.randint(0, 256, (9, channels, 28, 28), dtype=torch.uint8)
    before = images.clone()
    few, many = (CORRUPTIONS[name](images[:count], np.random.default_rng(0)) for count in (4, 9))
    assert torch.equal(few, many[:4])
    assert torch.equal(images, before)
    assert few.shape == (4, channels, 28, 28)
    assert (few != images[:4]).flatten(1).any(1).all()


def test_a_part_has_the_shares_of_the_whole_and_its_denoiser(digits):
    split = digits.train
    part = take(split, 500)
    assert len(part) == 500
    assert np.abs(part.class_counts / 500 - split.class_counts / len(split)).max() < 0.01
    assert part.made_from == split.fingerprint
    assert take(split, len(split)) is split
    planted = plant(part, 0.1).split
    assert planted.made_from == split.fingerprint
    assert denoiser_folder("auto", planted) == denoiser_folder("auto", split)


@pytest.mark.parametrize(
    ("plant_it", "message"),
    [
        (lambda split: plant(split, wrong_labels=1.0), r"wrong_labels is the share .* in \[0, 1\), got 1\.0"),
        (lambda split: plant(split, corrupted=-0.1), r"corrupted is the share .*got -0\.1"),
        (lambda split: take(split, 100_000), "has 1437 examples of 10 classes, got 100000"),
        (lambda split: take(split, 3), "of 10 classes, got 3"),
    ],
)
def test_impossible_shares_are_refused(digits, plant_it, message):
    with pytest.raises(DataError, match=message):
        plant_it(digits.train)


def test_images_decoded_as_needed_are_neither_corrupted_nor_cut(digits):
    class Lazy:
        shape = (4, 1, 8, 8)

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return digits.train.images[index]

    split = Split("lazy", Lazy(), np.array([0, 1, 0, 1]), ("a", "b"), content="four")
    assert (plant(split, wrong_labels=0.5).split.labels != split.labels).sum() == 2
    with pytest.raises(DataError, match="only images in memory can be corrupted"):
        plant(split, corrupted=0.5)
    with pytest.raises(DataError, match="is not cut"):
        take(split, 2)
    one = Split("one", digits.train.images[:3], np.zeros(3, int), ("a",))
    with pytest.raises(DataError, match="no label can be wrong"):
        plant(one, wrong_labels=0.5)
