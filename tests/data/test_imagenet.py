"""ImageNet's family as its archives unpack, and ADM's crop."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from drd_plugin.data import DataError, load
from drd_plugin.data.crops import adm_crop

WNIDS = ("n01440764", "n01443537", "n02102040")


def fill(folder, count, start=0):
    folder.mkdir(parents=True)
    for i in range(start, start + count):
        Image.fromarray(np.full((30, 40, 3), 10 * i, np.uint8)).save(folder / f"{i:03d}.JPEG")


@pytest.mark.parametrize("name", ["imagenette", "imagewoof"])
def test_the_archives_of_fastai(tmp_path, name):
    for part, count in (("train", 3), ("val", 2)):
        for wnid in WNIDS:
            fill(tmp_path / f"{name}2-160" / part / wnid, count)
    data = load(name, tmp_path, 16)
    assert data.train.classes == data.test.classes == WNIDS
    assert (data.train.name, data.train.shape, len(data.train), len(data.test)) == (name, (3, 16, 16), 9, 6)
    assert load(name, tmp_path / f"{name}2-160", 16).train.fingerprint == data.train.fingerprint
    with pytest.raises(DataError, match=f"found no {name}2"):
        load(name, tmp_path / f"{name}2-160" / "val")


def test_imagewoof_and_imagenet_need_a_root():
    for name in ("imagewoof", "imagenet"):
        with pytest.raises(DataError, match=f"{name} needs a root"):
            load(name)


def test_imagenet_in_class_folders(tmp_path):
    for part, count in (("train", 3), ("val", 1)):
        for wnid in WNIDS:
            fill(tmp_path / part / wnid, count)
    data = load("imagenet", tmp_path, 16)
    assert (data.train.name, len(data.train), len(data.test)) == ("imagenet", 9, 3)


def test_imagenet_as_the_official_archives_unpack(tmp_path):
    """The validation images lie in one folder; the development kit says their classes, by its own numbers."""
    for wnid in WNIDS:
        fill(tmp_path / "train" / wnid, 2)
    fill(tmp_path / "val", 4)
    kit = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    with pytest.raises(DataError, match="unpack the development kit"):
        load("imagenet", tmp_path, 16)
    kit.mkdir(parents=True)
    synsets = np.zeros(4, dtype=[("ILSVRC2012_ID", "i4"), ("WNID", "O")])
    synsets["ILSVRC2012_ID"] = [1, 2, 3, 1001]
    synsets["WNID"] = [WNIDS[2], WNIDS[0], WNIDS[1], "n00001740"]
    savemat(kit / "meta.mat", {"synsets": synsets})
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n1\n3\n2\n")
    data = load("imagenet", tmp_path, 16)
    assert data.test.labels.tolist() == [2, 2, 1, 0]
    (kit / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n1\n3\n")
    with pytest.raises(DataError, match=r"holds 4 images, but .* has 3 classes"):
        load("imagenet", tmp_path, 16)


def test_adms_crop_halves_by_boxes_and_keeps_the_centre():
    """A step: white on the left half, black on the right, whose middle stays in the middle."""
    pixels = np.zeros((64, 100, 3), np.uint8)
    pixels[:, :50] = 255
    cropped = np.asarray(adm_crop(Image.fromarray(pixels), 16))
    assert cropped.shape == (16, 16, 3)
    assert (cropped[:, :7] > 240).all()
    assert (cropped[:, 9:] < 15).all()


def test_adms_crop_is_exact_where_boxes_are():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64)).astype(np.uint8)
    expected = pixels.reshape(16, 4, 16, 4).mean((1, 3))
    assert np.abs(np.asarray(adm_crop(Image.fromarray(pixels), 16)) - expected).max() <= 2.5
    whole = adm_crop(Image.fromarray(pixels), 64)
    assert np.array_equal(whole, pixels)


def test_adms_crop_takes_any_shape():
    for width, height in ((16, 16), (17, 31), (200, 33), (15, 40)):
        assert adm_crop(Image.new("RGB", (width, height)), 16).size == (16, 16)
