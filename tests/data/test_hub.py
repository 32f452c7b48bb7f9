"""Sets of the Hugging Face package as they come: rows, columns, parts, classes, Parquet files."""

import io
import logging

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, load

datasets = pytest.importorskip("datasets")


def picture(seed, mode="RGB"):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3)).astype(np.uint8)).convert(mode)


def cell(image, form="PNG"):
    file = io.BytesIO()
    image.save(file, form)
    return {"bytes": file.getvalue(), "path": None}


IMAGE, LABEL = datasets.Image(), datasets.ClassLabel(names=["a", "b"])


@pytest.fixture
def save(tmp_path):
    """Saves the rows of some parts, and returns the folder."""

    def write(parts, folder="hub", **features):
        features = datasets.Features(features or {"image": IMAGE, "label": LABEL})
        tables = {name: datasets.Dataset.from_dict(rows, features=features) for name, rows in parts.items()}
        datasets.DatasetDict(tables).save_to_disk(tmp_path / folder)
        return tmp_path / folder

    return write


def rows(n=10, first=0, **more):
    return {"image": [cell(picture(first + i)) for i in range(n)], "label": [i % 2 for i in range(n)]} | more


@pytest.mark.parametrize("place", [0, 4, 9])
@pytest.mark.parametrize("part", ["train", "test"])
def test_one_image_in_colour_makes_a_set_of_colour(save, place, part):
    grey = [cell(picture(i, "L")) for i in range(10)]
    mixed = [*grey[:place], cell(picture(place)), *grey[place + 1 :]]
    images = {"train": grey, "test": grey, part: mixed}
    data = load("hf:x", save({name: rows(image=cells) for name, cells in images.items()}))
    assert data.train.shape == data.test.shape == (3, 12, 12)
    assert load("hf:x", save({"train": rows(image=grey), "test": rows(image=grey)}, "grey")).train.shape == (1, 12, 12)


def broken_cells():
    whole = cell(picture(1), "JPEG")["bytes"]
    return {
        "nonsense": {"bytes": b"x", "path": None},
        "empty": {"bytes": b"", "path": None},
        "cut": {"bytes": whole[: len(whole) // 2], "path": None},
        "missing": None,
    }


@pytest.mark.parametrize("broken", broken_cells().values(), ids=broken_cells())
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("fifth", [False, True])
def test_an_image_that_cannot_be_read_is_named_by_its_row(save, broken, part, fifth):
    """Row 7 of the user's table, also where a fifth of it is held out."""
    parts = {"train": rows(), "test": rows()}
    if fifth:
        parts, part = {"train": rows()}, "train"
    parts[part]["image"][7] = broken
    with pytest.raises(DataError, match=f"hf:x, {part}: row 7 "):
        _ = load("hf:x", save(parts)).train.images[torch.arange(5)]


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("missing", [None, -1])
def test_a_missing_label_is_named_by_its_row(save, part, missing):
    parts = {"train": rows(), "test": rows()}
    parts[part]["label"][3] = missing
    with pytest.raises(DataError, match=rf"hf:x, {part}: 1 .*rows have no label \(the first: row 3\)"):
        load("hf:x", save(parts))


@pytest.mark.parametrize("missing", [None, -1])
@pytest.mark.parametrize("name", ["test", "validation", "valid", "val"])
def test_a_part_whose_labels_are_withheld_is_passed_over(save, missing, name):
    data = load("hf:x", save({"train": rows(), name: rows(4, label=[missing] * 4)}))
    assert (len(data.train), len(data.test)) == (8, 2)


def test_of_two_label_columns_one_must_be_chosen(save):
    table = rows(8, coarse=[0, 1] * 4, fine=[0, 1, 2, 3] * 2)
    del table["label"]
    fine = datasets.ClassLabel(names=list("cdef"))
    root = save({"train": table, "test": table}, image=IMAGE, coarse=LABEL, fine=fine)
    with pytest.raises(DataError, match="expected one column of labels, got coarse, fine: say which with --label"):
        load("hf:x", root)
    assert load("hf:x", root, label="fine").train.classes == ("c", "d", "e", "f")
    with pytest.raises(UnknownName, match="unknown column of hf:x 'fin': did you mean 'fine'"):
        load("hf:x", root, label="fin")


def test_a_column_called_label_goes_first_and_that_is_logged(save, caplog):
    """Noisy labels are chosen for training; the test part, which has none, takes its own."""
    table = rows(8, noisy=[1, 0] * 4)
    root = save({"train": table, "test": table}, image=IMAGE, label=LABEL, noisy=LABEL)
    with caplog.at_level(logging.WARNING):
        assert load("hf:x", root).train.labels.tolist() == [0, 1] * 4
    assert caplog.text.count("the labels are those of the column label, not of noisy (--label)") == 1
    assert load("hf:x", root, label="noisy").train.labels.tolist() == [1, 0] * 4


@pytest.mark.parametrize(
    ("values", "feature", "classes"),
    [
        (["stork", "heron"] * 4, datasets.Value("string"), ("heron", "stork")),
        ([10, 9] * 4, datasets.Value("int64"), ("9", "10")),
        ([True, False] * 4, datasets.Value("bool"), ("False", "True")),
    ],
)
def test_labels_of_other_types_by_their_column(save, values, feature, classes):
    table = {"image": rows(8)["image"], "kind": values}
    root = save({"train": table, "test": table}, image=IMAGE, kind=feature)
    with pytest.raises(DataError, match="no column of the type ClassLabel among image, kind"):
        load("hf:x", root)
    data = load("hf:x", root, label="kind")
    assert data.train.classes == data.test.classes == classes
    assert [classes[label] for label in data.train.labels] == [str(value) for value in values]


def test_of_two_image_columns_one_must_be_chosen(save):
    table = {"scan": rows(8)["image"], "mask": rows(8, 50)["image"], "label": [0, 1] * 4}
    root = save({"train": table, "test": table}, scan=IMAGE, mask=IMAGE, label=LABEL)
    with pytest.raises(DataError, match="expected one column of images, got scan, mask: say which with --image"):
        load("hf:x", root)
    assert torch.equal(load("hf:x", root, image="mask").train.images[0], pixels_of(picture(50)))
    with pytest.raises(DataError, match=r"the column label holds .*, expected images"):
        load("hf:x", root, image="label")


def pixels_of(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def test_classes_without_an_example_are_left_out_and_said(save, caplog):
    many = datasets.ClassLabel(names=["none", "a", "nothing", "b"])
    table = rows(8, label=[1, 3] * 4)
    with caplog.at_level(logging.WARNING):
        data = load("hf:x", save({"train": table, "test": table}, image=IMAGE, label=many))
    assert data.train.classes == ("a", "b")
    assert data.train.labels.tolist() == [0, 1] * 4
    assert "2 classes have no example (the first: none) and are left out" in caplog.text


@pytest.mark.parametrize("part", ["train", "test"])
def test_classes_that_one_part_lacks_are_named(save, part):
    parts = {"train": rows(), "test": rows()}
    parts[part]["label"] = [0] * 10
    with pytest.raises(DataError, match=f"hf:x, {part} has no example of b"):
        load("hf:x", save(parts))


def test_a_part_to_train_on_is_chosen(save):
    root = save({"clean": rows(), "noisy": rows(first=30), "test": rows(first=60)})
    with pytest.raises(DataError, match="called 'train', got clean, noisy, test: say which with --split"):
        load("hf:x", root)
    assert torch.equal(load("hf:x", root, split="noisy").train.images[0], pixels_of(picture(30)))


def parquet(folder, files):
    for name, first in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = datasets.Dataset.from_dict(
            rows(first=first), features=datasets.Features({"image": IMAGE, "label": LABEL})
        )
        table.to_parquet(path)
    return folder


@pytest.mark.parametrize(
    ("name", "files"),
    [
        (
            "birds",
            {"birds-train.parquet": 0, "birds-test.parquet": 20, "dogs-train.parquet": 40},
        ),
        ("x", {"data/train-00000-of-00002.parquet": 0, "data/test-00000-of-00001.parquet": 20}),
        ("x:birds", {"birds/train-0.parquet": 0, "birds/test-0.parquet": 20, "dogs/train-0.parquet": 40}),
        ("x", {"train.parquet": 0, "validation.parquet": 20}),
    ],
)
def test_folders_of_parquet_files(tmp_path, name, files):
    data = load(f"hf:{name}", parquet(tmp_path, files))
    assert (len(data.train), len(data.test)) == (10, 10)
    assert torch.equal(data.train.images[0], pixels_of(picture(0)))
    assert torch.equal(data.test.images[0], pixels_of(picture(20)))


def test_parts_may_have_other_columns_beside(tmp_path):
    for part, more in (("train", "noisy"), ("test", "votes")):
        features = datasets.Features({"image": IMAGE, "label": LABEL, more: datasets.Value("int64")})
        table = datasets.Dataset.from_dict(rows(**{more: [*range(10)]}), features=features)
        table.to_parquet(tmp_path / f"{part}.parquet")
    data = load("hf:x", tmp_path)
    assert (len(data.train), len(data.test)) == (10, 10)


def test_one_parquet_file_has_a_fifth_held_out(tmp_path):
    parquet(tmp_path, {"all.parquet": 0})
    data = load("hf:mine", tmp_path / "all.parquet")
    assert (len(data.train), len(data.test)) == (8, 2)


def test_damaged_parquet_and_no_data_at_all_are_named(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(DataError, match="hf:x cannot be loaded from"):
        load("hf:x", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="hf:x cannot be loaded from"):
        load("hf:x", tmp_path / "empty")


def test_large_sets_are_decoded_on_access_and_identified_by_their_contents(save, monkeypatch):
    monkeypatch.setattr("drd_plugin.data.hub.IN_MEMORY", 10)
    table = rows()
    one, again = (load("hf:x", save({"train": table, "test": table}, name)).train for name in ("one", "again"))
    assert not one.in_memory
    assert torch.equal(one.images[torch.arange(3, 6)], torch.stack([pixels_of(picture(i)) for i in range(3, 6)]))
    assert one.fingerprint == again.fingerprint
    changed = rows()
    changed["image"][4] = cell(picture(77))
    assert load("hf:x", save({"train": changed, "test": table}, "other")).train.fingerprint != one.fingerprint
    third, held_out = (load("hf:x", save({"train": table}, "fifth")).train for _ in range(2))
    assert third.fingerprint == held_out.fingerprint != one.fingerprint


@pytest.mark.parametrize("name", ["x", "stl"])
def test_of_several_data_sets_in_a_folder_one_must_be_named(tmp_path, name):
    files = {"cifar10-train.parquet": 0, "cifar10-test.parquet": 20, "cifar100-train.parquet": 40}
    parquet(tmp_path, files)
    with pytest.raises(DataError, match=r"Parquet files of several data sets \(cifar10, cifar100\): name one"):
        load(f"hf:{name}", tmp_path)
    data = load("hf:cifar10", tmp_path)
    assert (len(data.train), len(data.test)) == (10, 10)
    assert torch.equal(data.train.images[0], pixels_of(picture(0)))


def test_other_parts_stay_apart_and_can_be_trained_on(tmp_path):
    files = {"train-00000-of-00001.parquet": 0, "test-00000-of-00001.parquet": 20, "extra-00000-of-00001.parquet": 40}
    data = load("hf:x", parquet(tmp_path, files))
    assert (len(data.train), len(data.test)) == (10, 10)
    assert torch.equal(load("hf:x", tmp_path, split="extra").train.images[0], pixels_of(picture(40)))


def test_withheld_labels_in_a_column_of_numbers(save):
    table = {"image": rows(8)["image"], "kind": [3, 7] * 4}
    test = {"image": rows(4)["image"], "kind": [-1] * 4}
    data = load("hf:x", save({"train": table, "test": test}, image=IMAGE, kind=datasets.Value("int64")), label="kind")
    assert data.train.classes == ("3", "7")
    assert len(data.train) + len(data.test) == 8


@pytest.mark.parametrize(
    ("values", "feature", "message"),
    [
        ([0.0, 1.0, float("nan"), 1.0] * 2, datasets.Value("float32"), r"2 rows have no label \(the first: row 2\)"),
        ([[0], [1]] * 4, datasets.Sequence(datasets.Value("int64")), r"the column kind holds \[0\]: expected a text"),
    ],
)
def test_labels_that_are_none_are_refused(save, values, feature, message):
    table = {"image": rows(8)["image"], "kind": values}
    with pytest.raises(DataError, match=message):
        load("hf:x", save({"train": table}, image=IMAGE, kind=feature), label="kind")
