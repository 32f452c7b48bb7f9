"""Folders as they come: what is read, what is passed over, in which order, and by what a folder is identified."""

import logging
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.data import DataError, load


def picture(seed, size=12):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8))


@pytest.fixture
def tree(tmp_path):
    """train/ and val/ with two classes of three images of the same size in bytes."""
    seed = iter(range(100))
    for part in ("train", "val"):
        for name in ("heron", "stork"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                picture(next(seed), 40).save(tmp_path / part / name / f"{i}.bmp")
    return tmp_path


def fingerprints(root):
    data = load("image_folder", root, 8)
    return data.train.fingerprint, data.test.fingerprint


def replaced(tree, part):
    path = tree / part / "stork" / "1.bmp"
    content = path.read_bytes()
    path.write_bytes(content[:54] + content[54:][::-1])


def swapped(tree, part):
    one, other = (tree / part / "heron" / f"{i}.bmp" for i in (0, 2))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def swapped_classes(tree, part):
    one, other = tree / part / "heron" / "0.bmp", tree / part / "stork" / "0.bmp"
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


@pytest.mark.parametrize("change", [replaced, swapped, swapped_classes])
@pytest.mark.parametrize("part", [0, 1])
def test_other_images_are_other_data(tree, change, part):
    before = fingerprints(tree)
    change(tree, ("train", "val")[part])
    after = fingerprints(tree)
    assert after[part] != before[part]
    assert after[1 - part] == before[1 - part]


def test_a_copy_at_another_time_is_the_same_data(tree, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copies") / "copy"
    shutil.copytree(tree, copy)
    for path in copy.rglob("*.bmp"):
        os.utime(path, (0, 0))
    assert fingerprints(copy) == fingerprints(tree)


@pytest.mark.parametrize("place", ["", "train"])
def test_the_working_folder_is_the_same_data(tree, place, monkeypatch):
    expected = fingerprints(tree / place)
    monkeypatch.chdir(tree / place)
    assert fingerprints(".") == expected


def test_another_background_or_mode_is_other_data(tree):
    prints = {
        load("image_folder", tree, 8, **settings).train.fingerprint
        for settings in ({}, {"background": "black"}, {"mode": "grey"}, {"background": "black", "mode": "grey"})
    }
    assert len(prints) == 4


@pytest.mark.parametrize("hidden", ["._0.bmp", ".DS_Store", ".thumbnails/0.png"])
def test_hidden_files_are_no_images(tree, hidden):
    before = fingerprints(tree)
    path = tree / "train" / "heron" / hidden
    path.parent.mkdir(exist_ok=True)
    picture(1).save(path.with_suffix(".png")) if "thumb" in hidden else path.write_bytes(bytes(100))
    assert fingerprints(tree) == before


@pytest.mark.parametrize("ending", ["jfif", "jpe", "JPG", "tif", "webp", "ppm", "pgm", "avif", "jp2", "tga"])
def test_every_ending_of_an_image_counts(tree, ending):
    picture(1).convert("L").save(tree / "train" / "heron" / f"9.{ending}")
    data = load("image_folder", tree, 8)
    assert len(data.train) == 7
    assert data.train.images[torch.arange(7)].shape == (7, 3, 8, 8)


@pytest.mark.parametrize("part", ["train", "val"])
def test_what_is_passed_over_or_nested_is_logged(tree, part, caplog):
    for name in ("notes.txt", "Thumbs.db"):
        (tree / part / "heron" / name).write_text("x")
    (tree / part / "stork" / "more").mkdir()
    for i in range(4):
        picture(i).save(tree / part / "stork" / "more" / f"{i}.png")
    with caplog.at_level(logging.WARNING):
        data = load("image_folder", tree, 8)
    assert len(data.train if part == "train" else data.test) == 10
    nested, others = caplog.messages
    assert nested.startswith("4 images lie in folders inside those of their classes")
    assert nested.endswith("more/0.png)")
    assert others.startswith("2 files have no ending of an image, and are passed over")
    assert others.endswith("Thumbs.db)")


@pytest.mark.parametrize("part", ["train", "val"])
def test_links_that_lead_nowhere_are_named(tree, part):
    (tree / part / "heron" / "9.png").symlink_to("/nowhere/x.png")
    with pytest.raises(DataError, match=r"heron/9\.png cannot be read \(a link to a file that is not there\)"):
        load("image_folder", tree, 8)


def test_a_name_that_is_no_utf8_is_read_and_can_be_named(tree):
    os.rename(os.fsencode(tree) + b"/train/heron/0.bmp", os.fsencode(tree) + b"/train/heron/caf\xe9.bmp")
    train = load("image_folder", tree, 8).train
    assert len(train) == 6
    assert train.images[torch.arange(6)].shape == (6, 3, 8, 8)
    (tree / "train" / "heron" / os.fsdecode(b"caf\xe9.bmp")).write_bytes(b"")
    with pytest.raises(DataError, match=r"caf\\xe9\.bmp cannot be read as an image"):
        _ = load("image_folder", tree, 8).train.images[torch.arange(6)]


def test_two_spellings_of_one_class(tmp_path):
    """Refused beside each other; taken for the same between train and val."""
    for part, names in (("train", ["caf\u00e9", "b"]), ("val", ["cafe\u0301", "b"])):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            picture(1).save(tmp_path / part / name / "0.png")
    data = load("image_folder", tmp_path, 8)
    assert data.train.classes == data.test.classes == ("b", "caf\u00e9")
    (tmp_path / "train" / "cafe\u0301").mkdir()
    with pytest.raises(DataError, match="two folders called caf\u00e9, in two spellings of Unicode"):
        load("image_folder", tmp_path, 8)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["0", "1", "10", "2"], ("0", "1", "2", "10")),
        (["10", "9", "007"], ("007", "9", "10")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["n02", "n10", "n1"], ("n02", "n1", "n10")),
    ],
)
def test_whole_numbers_are_classes_in_their_order(tmp_path, names, order):
    for i, name in enumerate(names):
        (tmp_path / name).mkdir()
        for j in range(5):
            picture(10 * i + j).save(tmp_path / name / f"{j}.png")
    data = load("image_folder", tmp_path, 8)
    assert data.train.classes == order
    places = [path.parent.name for path in data.train.images.paths]
    assert [order[label] for label in data.train.labels] == places


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("val", None, "val lacks stork"),
        ("val", "Stork", "train lacks Stork and .*val lacks stork"),
        ("train", None, "train lacks stork"),
    ],
)
def test_classes_that_one_part_lacks_are_named(tree, part, change, message):
    folder = tree / part / "stork"
    folder.rename(folder.with_name(change)) if change else shutil.rmtree(folder)
    with pytest.raises(DataError, match=message):
        load("image_folder", tree, 8)


def test_a_flat_test_folder_beside_val_is_passed_over(tree):
    (tree / "test").mkdir()
    picture(1).save(tree / "test" / "0.png")
    assert len(load("image_folder", tree, 8).test) == 6


@pytest.mark.parametrize("name", ["imagenette", "imagewoof", "imagenet"])
def test_imagenets_family_is_read_alike(tree, name, caplog):
    (tree / "train" / "heron" / "notes.txt").write_text("x")
    data = load(name, tree, 8, mode="grey")
    assert data.train.shape == (1, 8, 8)
    assert "notes.txt" in caplog.text
    shutil.rmtree(tree / "val" / "stork")
    with pytest.raises(DataError, match="val lacks stork"):
        load(name, tree, 8)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("digits", {"mode": "grey"}, "digits has no settings beside its root and size, got mode"),
        ("image_folder", {"label": "x"}, "unknown setting of image_folder 'label'"),
        ("image_folder", {"size": 0}, "size: expected a whole number of pixels, at least 1, got 0"),
        ("image_folder", {"size": -3}, "size: .*got -3"),
        ("image_folder", {"size": "x"}, "size: .*got 'x'"),
        ("image_folder", {"background": "wite"}, "background: expected a colour"),
        ("digits", {"size": 0}, "size: .*got 0"),
        ("digits", {"size": 9}, "digits has images of 8 pixels and is not resized"),
    ],
)
def test_settings_that_cannot_be(tree, name, settings, message):
    with pytest.raises(ValueError, match=message):
        load(name, None if name == "digits" else tree, **settings)


def test_linked_folders_are_followed_once_and_loose_images_are_logged(tree, tmp_path_factory, caplog):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    picture(1).save(elsewhere / "far.png")
    (tree / "train" / "heron" / "more").symlink_to(elsewhere)
    (tree / "train" / "heron" / "again").symlink_to(tree / "train" / "heron")
    picture(2).save(tree / "train" / "lost.png")
    with caplog.at_level(logging.WARNING):
        train = load("image_folder", tree, 8).train
    assert [path.name for path in train.images.paths if path.suffix == ".png"] == ["far.png"]
    assert len(train) == 7
    assert "1 images lie in" in caplog.text
    assert "beside the folders of the classes, and are passed over (the first: lost.png)" in caplog.text


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_class_that_is_a_link_to_nowhere_is_named(tree, part):
    (tree / part / "ibis").symlink_to("/nowhere/ibis")
    with pytest.raises(DataError, match="ibis is a link to a place that is not there"):
        load("image_folder", tree, 8)


def test_two_names_of_one_background_are_the_same_data(tree):
    assert load("image_folder", tree, 8, background="#ffffff").train.fingerprint == fingerprints(tree)[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_what_is_no_regular_file_is_named_and_not_waited_for(tree):
    os.mkfifo(tree / "train" / "heron" / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png cannot be read \(it is no regular file\)"):
        load("image_folder", tree, 8)


@pytest.mark.parametrize("place", [60, 2400, 4850])
def test_a_change_in_any_block_of_a_file_is_noticed(tree, place):
    """At the beginning, in the middle and at the end of 4,854 bytes."""
    before = fingerprints(tree)
    path = tree / "train" / "stork" / "1.bmp"
    content = bytearray(path.read_bytes())
    content[place] ^= 255
    path.write_bytes(content)
    assert fingerprints(tree)[0] != before[0]
