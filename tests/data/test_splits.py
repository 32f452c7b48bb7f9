"""Splits of images: identity, arrays, idx files, folders, Hugging Face sets and CIFAR."""

import gzip
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DATASETS, DataError, Dataset, Split, from_arrays, load
from drd_plugin.data.catalog import read_idx


def test_digits_have_a_fixed_fingerprint(digits):
    assert digits.train.shape == (1, 8, 8)
    assert (len(digits.train), len(digits.test)) == (1437, 360)
    assert digits.train.fingerprint == "digits:a2bec4f78cc38cdc"
    shares = digits.train.class_counts / len(digits.train) - digits.test.class_counts / len(digits.test)
    assert np.abs(shares).max() < 0.003


def test_train_and_test_share_no_image(digits):
    train, test = ({bytes(image) for image in part.images.flatten(1).numpy()} for part in (digits.train, digits.test))
    assert not train & test


def test_the_fingerprint_sees_pixels_labels_and_classes():
    images, labels = np.zeros((4, 2, 2), np.uint8), np.array([0, 1, 0, 1])
    one = from_arrays("x", images, labels)
    assert one.fingerprint == from_arrays("x", images, labels).fingerprint
    changed = images.copy()
    changed[3, 1, 1] = 1
    assert one.fingerprint != from_arrays("x", changed, labels).fingerprint
    assert one.fingerprint != from_arrays("x", images, labels[::-1].copy()).fingerprint


def test_statistics_are_those_of_the_pixels(digits):
    mean, std = digits.train.statistics
    pixels = digits.train.images.double() / 255
    assert mean[0] == pytest.approx(float(pixels.mean()), abs=1e-5)
    assert std[0] == pytest.approx(float(pixels.std()), abs=1e-4)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.full((2, 3, 3), np.nan), [0, 1], "2 images hold NaN"),
        (np.full((2, 3, 3), 1.5), [0, 1], r"outside \[0, 1\]"),
        (np.zeros((2, 3)), [0, 1], "expected images of shape"),
        (np.zeros((2, 3, 3), np.uint8), [0, 1, 1], "as many labels as images"),
        (np.zeros((2, 3, 3), np.uint8), [0, -1], "labels must be in"),
        (np.zeros((2, 3, 3), np.uint8), [0, 2], "no example of 1"),
        (np.zeros((2, 3, 3), np.uint8), [b"a", b"b"], r"expected integer labels, got \|S1"),
        (np.zeros((2, 8, 8, 3), np.uint8), [0, 1], r"look like \[n, H, W, C\]"),
    ],
)
def test_unusable_arrays_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        from_arrays("x", images, np.array(labels))


def test_a_split_holds_bytes():
    with pytest.raises(DataError, match="expected uint8 images"):
        Split("x", torch.zeros(2, 1, 3, 3), np.array([0, 1]), ("a", "b"))


def test_train_and_test_must_agree(tiny):
    other = from_arrays("other", np.zeros((3, 9, 9), np.uint8), np.arange(3))
    with pytest.raises(DataError, match="must agree"):
        Dataset(tiny, other)


def test_unknown_data_sets_and_roots():
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        load("digit")
    with pytest.raises(DataError, match="does not exist"):
        load("digits", "/nowhere/at/all")
    with pytest.raises(DataError, match="needs a root"):
        load("image_folder")
    assert set(DATASETS) >= {"digits", "fashion_mnist", "cifar10", "cifar100", "image_folder"}


def _idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


@pytest.fixture
def fashion_root(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 40), ("t10k", 20)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(_idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)))
        labels = (np.arange(n) % 10).astype(np.uint8)
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(labels)))
    return tmp_path


def test_fashion_mnist_from_idx_files_plain_and_gzipped(fashion_root):
    data = load("fashion_mnist", fashion_root)
    assert (len(data.train), data.train.shape, data.train.classes[9]) == (40, (1, 28, 28), "Ankle boot")
    raw = (fashion_root / "train-images-idx3-ubyte").read_bytes()
    assert data.train.images.numpy().tobytes() == raw[16:]


def test_missing_and_damaged_idx_files(fashion_root):
    with pytest.raises(DataError, match="found no nothing"):
        read_idx(fashion_root, "nothing")
    path = fashion_root / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="damaged"):
        load("fashion_mnist", fashion_root)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 6), ("val", 2)):
        for name, shade in (("dark", 40), ("light", 200)):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = np.clip(rng.normal(shade, 9, (20 + i, 30, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
    return tmp_path


def test_a_folder_is_decoded_lazily_at_the_size_asked_for(folder):
    data = load("image_folder", folder, 16)
    assert data.train.shape == (3, 16, 16)
    assert not data.train.in_memory
    batch = data.train.images[torch.tensor([0, 6, 11])]
    assert batch.shape == (3, 3, 16, 16)
    assert batch.dtype == torch.uint8
    assert [round(float(image.float().mean()), -1) for image in batch] == [40, 200, 200]
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6


def test_one_tree_gets_a_fixed_stratified_test_split(folder):
    once, again = (load("image_folder", folder / "train", 16) for _ in range(2))
    assert once.train.fingerprint == again.train.fingerprint
    assert once.test.class_counts.min() >= 1
    assert len(once.train) + len(once.test) == 12


def test_a_training_folder_alone_is_split(folder):
    shutil.rmtree(folder / "val")
    data = load("image_folder", folder, 16)
    assert data.train.classes == ("dark", "light")
    assert len(data.train) + len(data.test) == 12


@pytest.mark.parametrize(("old", "new"), [("val", "testing"), ("train", "training")])
def test_folders_of_unclear_meaning_are_refused(folder, old, new):
    (folder / old).rename(folder / new)
    with pytest.raises(DataError, match=r"holds the folders .*: expected train/ with one of test, val"):
        load("image_folder", folder, 16)


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies(folder):
    before = load("image_folder", folder, 16).train.fingerprint
    assert load("image_folder", folder.rename(folder.parent / "moved"), 16).train.fingerprint == before


def test_classes_with_folders_inside_are_refused(folder):
    (folder / "deep" / "train").mkdir(parents=True)
    (folder / "train").rename(folder / "deep" / "train" / "dark")
    with pytest.raises(DataError, match="holds folders but no images"):
        load("image_folder", folder / "deep", 16)


def test_pixels_and_labels_of_the_wrong_kind(tiny):
    images = tiny.images.numpy().astype(np.int64)
    assert torch.equal(from_arrays("whole", images, tiny.labels).images, tiny.images)
    with pytest.raises(DataError, match=r"integer pixels in 0\.\.255, got 0 to 300"):
        from_arrays("bright", np.array([0, 300]).reshape(2, 1, 1), np.arange(2))
    with pytest.raises(DataError, match="expected integer labels, got float64"):
        from_arrays("half", images, tiny.labels + 0.5)


def test_an_unreadable_image_is_named(folder):
    (folder / "train" / "dark" / "3.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"dark/3\.png cannot be read as an image"):
        load("image_folder", folder, 16).train.images[torch.arange(6)]


def test_folders_without_images_or_classes(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="holds no images in class folders"):
        load("image_folder", tmp_path)


def test_hugging_face_sets_from_disk(tmp_path, tiny):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"picture": datasets.Image(), "kind": datasets.ClassLabel(names=["a", "b", "c"])})
    rows = {"picture": [Image.fromarray(i[0].numpy()) for i in tiny.images], "kind": tiny.labels.tolist()}
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table}).save_to_disk(tmp_path / "saved")
    data = load("hf:saved", tmp_path / "saved")
    assert data.train.classes == ("a", "b", "c")
    assert data.train.shape == (1, 8, 8)
    assert (len(data.train), len(data.test)) == (48, 12)
    ours = {bytes(i) for i in tiny.images.flatten(1).numpy()}
    assert {bytes(i) for i in data.train.images.flatten(1).numpy()} <= ours


def test_withheld_test_labels_are_passed_over(tiny, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    pictures = [Image.fromarray(image[0].numpy()) for image in tiny.images]

    def part(column, positions):
        rows = {"image": [pictures[i] for i in positions], "label": [column[i] for i in positions]}
        return datasets.Dataset.from_dict(rows, features=features)

    labels, withheld = tiny.labels.tolist(), [-1] * len(tiny)
    parts = {
        "train": part(labels, range(30)),
        "test": part(withheld, range(30, 50)),
        "validation": part(labels, [57, 58, 59]),
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    assert load("hf:saved", tmp_path / "saved").test.labels.tolist() == labels[57:]


def test_a_hugging_face_set_without_labels_is_refused(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.DatasetDict({"train": datasets.Dataset.from_dict({"x": [1, 2]})}).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError, match="no column of the type ClassLabel"):
        load("hf:saved", tmp_path / "saved")


def test_cifar_comes_from_torchvision(monkeypatch, tmp_path):
    class Cifar:
        classes = ("a", "b")

        def __init__(self, root, train, download):
            assert (root, download) == (tmp_path, False)
            self.data = np.arange(4 * 32 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(4, 32, 32, 3)
            self.targets = [0, 1, 1, 0]

    monkeypatch.setattr("torchvision.datasets.CIFAR10", Cifar)
    data = load("cifar10", tmp_path)
    assert data.train.shape == (3, 32, 32)
    assert data.train.images[1, 2, 3, 4] == Cifar(tmp_path, True, False).data[1, 3, 4, 2]
    with pytest.raises(DataError, match="is not resized"):
        load("cifar10", tmp_path, 64)


def test_a_missing_cifar_says_how_to_get_it(tmp_path):
    with pytest.raises(DataError, match="or no root to download it"):
        load("cifar100", tmp_path)
