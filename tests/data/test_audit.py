"""The audit of data sets: each finding with its names and nothing else, by every route."""

import hashlib
import io
import os
import shutil
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, Dataset, from_arrays, from_texts, load
from drd_plugin.data.audit import audit, contents_of, in_pictures, in_words, list_contents

CLASSES = ("heron", "ibis", "stork")


@cache
def photo(seed, size=64):
    """A picture with large and small shapes, the larger the stronger, as photographs have them, and a little noise."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(128, 4, (size, size, 3))
    for grid, strength in ((3, 90), (6, 45), (12, 22)):
        for channel in range(3):
            shapes = Image.fromarray(strength * (2 * rng.random((grid, grid), np.float32) - 1))
            pixels[..., channel] += np.asarray(shapes.resize((size, size), Image.BICUBIC))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def content(image, form, **settings):
    file = io.BytesIO()
    image.save(file, form, **settings)
    return file.getvalue()


def tree(root, splits=(("train", 7), ("val", 3))):
    """A folder of different photographs."""
    seed = 0
    for split, n in splits:
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                photo(seed).save(root / split / name / f"{i}.png")
                seed += 1
    return root


@pytest.fixture
def root(tmp_path):
    return tree(tmp_path / "birds")


def checked(root, fractions=None, name="image_folder", **settings):
    return audit(list_contents(name, root, **settings), fractions, progress=False)


def named(audited):
    """The names of each finding: of examples, in groups, or of other things."""
    return {
        finding.name: [*(tuple(e.name for e in group) if len(group) > 1 else group[0].name for group in finding.groups)]
        or [*finding.lines]
        for finding in audited.findings
    }


def test_a_clean_set_has_no_findings(root):
    audited = checked(root)
    assert audited.findings == ()
    assert not audited.wrong
    assert "Nothing was found" in in_words(audited)


ORIENTATION = Image.Exif()
ORIENTATION[0x0112] = 6


def write(name, data):
    return lambda root: (root / name).write_bytes(data)


def copy(source, name):
    return lambda root: shutil.copy(root / source, root / name)


def save(name, make, **settings):
    return lambda root: make(root).save(root / name, **settings)


def alpha(root):
    image = photo(900).convert("RGBA")
    image.putalpha(Image.fromarray(np.tri(64, dtype=np.uint8) * 255))
    return image


def nested(root):
    (root / "train/ibis/more").mkdir()
    photo(901).save(root / "train/ibis/more/n.png")


DAMAGES = {
    "no image": (write("train/heron/x.jpg", b"no image"), {"unreadable": ["train/heron/x.jpg"]}),
    "empty file": (write("val/heron/x.png", b""), {"unreadable": ["val/heron/x.png"]}),
    "link": (lambda root: os.symlink("/nowhere", root / "train/ibis/x.png"), {"unreadable": ["train/ibis/x.png"]}),
    "wide range": (
        save("train/ibis/x.tif", lambda _: Image.fromarray(np.full((9, 9), 7e3, np.float32))),
        {"unreadable": ["train/ibis/x.tif"]},
    ),
    "cut JPEG": (
        write("train/stork/x.jpg", content(photo(902, 200), "JPEG")[:3000]),
        {"truncated": ["train/stork/x.jpg"]},
    ),
    "cut PNG": (write("val/stork/x.png", content(photo(902), "PNG")[:3000]), {"truncated": ["val/stork/x.png"]}),
    "cut BMP": (write("val/stork/x.bmp", content(photo(902), "BMP")[:3000]), {"truncated": ["val/stork/x.bmp"]}),
    "hidden": (write("train/heron/._0.png", b"x"), {"hidden": ["train/heron/._0.png"]}),
    "hidden folder": (
        lambda root: ((root / "train/ibis/.trash").mkdir(), photo(3).save(root / "train/ibis/.trash/0.png")),
        {"hidden": ["train/ibis/.trash/0.png"]},
    ),
    "ending": (write("train/heron/notes.txt", b"x"), {"others": ["train/heron/notes.txt"]}),
    "outside": (save("train/x.png", lambda _: photo(1)), {"outside": ["train/x.png"]}),
    "another test split": (
        lambda root: shutil.copytree(root / "val/ibis", root / "valid/ibis"),
        {"outside": [f"valid/ibis/{i}.png" for i in range(3)]},
    ),
    "nested": (nested, {"nested": ["train/ibis/more/n.png"]}),
    "turned": (
        save("train/stork/x.jpg", lambda _: photo(903), exif=ORIENTATION),
        {"turned": ["train/stork/x.jpg"]},
    ),
    "16 bits": (
        save("train/stork/x.png", lambda _: Image.fromarray(np.arange(4096, dtype=np.uint16).reshape(64, 64) * 16)),
        {"deep": ["train/stork/x.png"]},
    ),
    "floating point": (
        save("val/stork/x.tif", lambda _: Image.fromarray(np.random.default_rng(0).random((64, 64), np.float32))),
        {"deep": ["val/stork/x.tif"]},
    ),
    "transparent": (save("val/ibis/x.png", alpha), {"transparent": ["val/ibis/x.png"]}),
    "animated": (
        save("val/ibis/x.gif", lambda _: photo(904), save_all=True, append_images=[photo(905)]),
        {"animated": ["val/ibis/x.gif"]},
    ),
    "one colour": (
        save("train/ibis/x.png", lambda _: Image.new("RGB", (64, 64), "navy")),
        {"constant": ["train/ibis/x.png"]},
    ),
    "copy in test": (
        copy("train/ibis/0.png", "val/ibis/x.png"),
        {"in-both-splits": [("train/ibis/0.png", "val/ibis/x.png")]},
    ),
    "copy in another format": (
        save("val/ibis/x.bmp", lambda root: Image.open(root / "train/ibis/0.png")),
        {"in-both-splits": [("train/ibis/0.png", "val/ibis/x.bmp")]},
    ),
    "copy in training": (
        copy("train/ibis/0.png", "train/ibis/x.png"),
        {"equal-in-training": [("train/ibis/0.png", "train/ibis/x.png")]},
    ),
    "copy with another label": (
        copy("val/ibis/0.png", "val/stork/x.png"),
        {
            "different-labels": [("val/ibis/0.png", "val/stork/x.png")],
            "equal-in-test": [("val/ibis/0.png", "val/stork/x.png")],
        },
    ),
    "look-alike": (
        save("val/ibis/x.jpg", lambda root: Image.open(root / "train/ibis/0.png"), quality=70),
        {"near-between-splits": [("train/ibis/0.png", "val/ibis/x.jpg")]},
    ),
    "look-alike of another class": (
        save("train/stork/x.jpg", lambda root: Image.open(root / "train/ibis/0.png"), quality=70),
        {
            "near-with-different-labels": [("train/ibis/0.png", "train/stork/x.jpg")],
            "near-in-training": [("train/ibis/0.png", "train/stork/x.jpg")],
        },
    ),
    "no test class": (lambda root: shutil.rmtree(root / "val/stork"), {"no-test-example": ["stork"]}),
    "renamed class": (
        lambda root: (root / "val/stork").rename(root / "val/Stork"),
        {"no-test-example": ["stork"], "no-training-example": ["Stork"]},
    ),
    "no training image": (
        lambda root: [path.unlink() for path in (root / "train/stork").iterdir()],
        {"no-training-example": ["stork"]},
    ),
    "few": (
        lambda root: [(root / f"train/stork/{i}.png").unlink() for i in range(2)],
        {"small-classes": ["stork"]},
    ),
    "imbalance": (
        lambda root: [photo(1000 + i).save(root / f"train/ibis/{100 + i}.png") for i in range(14)],
        {"imbalance": ["heron (7)", "stork (7)", "ibis (21)"]},
    ),
}
HARMLESS = {
    "hidden", "others", "outside", "nested", "turned", "deep", "transparent", "animated", "constant", "small-classes",
    "equal-in-training", "equal-in-test", "near-between-splits", "near-in-training", "near-in-test", "imbalance",
    "near-with-different-labels",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_finding_has_its_names_and_nothing_else_is_found(root, damage):
    harm, expected = DAMAGES[damage]
    harm(root)
    audited = checked(root)
    assert named(audited) == expected
    assert audited.wrong == bool(expected.keys() - HARMLESS)
    page = in_words(audited)
    for finding in audited.findings:
        assert finding.text in page
        assert all(e.name in page for group in finding.groups for e in group)
        assert finding.count == 1 or finding.name in ("imbalance", "outside")


def test_findings_that_make_results_wrong_come_first(root):
    for harm in ("turned", "hidden", "no image", "copy in test"):
        DAMAGES[harm][0](root)
    audited = checked(root)
    assert [finding.name for finding in audited.findings] == ["unreadable", "in-both-splits", "turned", "hidden"]
    assert in_words(audited).index("What makes results wrong") < in_words(audited).index("What one should know")


def test_reasons_are_given(root):
    for harm in ("empty file", "link", "no image", "cut JPEG"):
        DAMAGES[harm][0](root)
    remarks = {e.name: e.remark for finding in checked(root).findings for (e,) in finding.groups}
    assert remarks["val/heron/x.png"] == "it is empty"
    assert remarks["train/ibis/x.png"] == "a link to a file that is not there"
    assert remarks["train/heron/x.jpg"] == "its content is of no format of images"
    assert "truncated" in remarks["train/stork/x.jpg"]


def test_the_audit_changes_nothing(root):
    for harm in ("no image", "turned", "16 bits", "hidden"):
        DAMAGES[harm][0](root)

    def state():
        return {p: (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).digest()) for p in root.rglob("*.*")}

    before = state()
    contents = list_contents("image_folder", root)
    in_pictures(audit(contents, progress=False), contents)
    assert state() == before


def test_the_order_in_which_files_were_written_does_not_matter(root, tmp_path):
    for harm in ("no image", "turned", "copy in test", "look-alike", "nested"):
        DAMAGES[harm][0](root)
    again = tmp_path / "again"
    for path in sorted(root.rglob("*.*"), reverse=True):
        (again / path.relative_to(root)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, again / path.relative_to(root))
    assert checked(again).findings == checked(root).findings


@pytest.mark.parametrize("few", [0, 10**9])
def test_processes_and_threads_find_the_same(root, monkeypatch, few):
    monkeypatch.setattr("drd_plugin.data.audit.reading.FEW", few)
    monkeypatch.setattr("drd_plugin.data.audit.reading.BLOCK", 5)
    for harm in ("no image", "turned", "copy in test", "look-alike"):
        DAMAGES[harm][0](root)
    expected = ["unreadable", "in-both-splits", "turned", "near-between-splits", "near-in-test"]
    assert [*named(checked(root))] == expected


@pytest.mark.parametrize("splits", [(("train", 7), ("val", 3)), (("train", 7),), (("", 7),)])
def test_the_examples_are_those_that_load_gives(tmp_path, splits):
    root = tree(tmp_path / "birds", splits)
    data, contents = load("image_folder", root, 16), list_contents("image_folder", root)
    assert contents.held_out == (len(splits) == 1)
    assert contents.classes == data.train.classes
    for split, part in ((data.train, contents.train), (data.test, contents.test)):
        assert part.labels.tolist() == split.labels.tolist()
        assert [str(path) for path in split.images.paths] == [str(root / name) for name in part.names]
    assert named(checked(root)).keys() <= {"small-classes"}


def test_a_relative_root_gives_the_same(root, monkeypatch):
    expected = checked(root)
    monkeypatch.chdir(root)
    assert checked(".") == expected


def test_a_class_of_one_example_cannot_be_held_out(tmp_path):
    root = tree(tmp_path / "birds", (("train", 7),))
    [(root / f"train/ibis/{i}.png").unlink() for i in range(1, 7)]
    audited = checked(root)
    assert named(audited)["cannot-be-held-out"] == ["ibis"]
    assert "no-test-example" not in named(audited)
    with pytest.raises(DataError, match="one example"):
        load("image_folder", root)


def test_images_without_class_folders_end_in_the_words_of_load(tmp_path):
    photo(0).save(tmp_path / "0.png")
    with pytest.raises(DataError, match="no images in class folders"):
        checked(tmp_path)
    with pytest.raises(DataError, match="needs a root"):
        list_contents("image_folder")
    with pytest.raises(UnknownName, match="unknown setting of image_folder 'label'"):
        list_contents("image_folder", tmp_path, label="x")


COPIES = {
    "shifted": lambda image: image.crop((max(1, image.width // 64), 0, image.width, image.height - 1)),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "duller": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "compressed": lambda image: Image.open(io.BytesIO(content(image, "JPEG", quality=30))),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2), Image.BOX),
    "double the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "grey": lambda image: image.convert("L"),
    "noisy": lambda image: Image.fromarray(
        np.clip(np.asarray(image) + np.random.default_rng(1).normal(0, 8, np.asarray(image).shape), 0, 255).astype("u1")
    ),
}


@pytest.mark.parametrize("size", [32, 64, 300])
@pytest.mark.parametrize("change", COPIES)
def test_changed_copies_look_the_same(root, change, size):
    photo(77, size).save(root / "train/ibis/x.png")
    if change == "grey":  # without colour it must be told by its shapes
        photo(77, size).convert("L").convert("RGB").save(root / "train/ibis/x.png")
        COPIES["brightened"](photo(77, size).convert("L")).save(root / "val/ibis/y.png")
    else:
        COPIES[change](photo(77, size)).save(root / "val/ibis/y.png")
    assert named(checked(root)) == {"near-between-splits": [("train/ibis/x.png", "val/ibis/y.png")]}


def in_memory(images, labels, test_images, test_labels, classes=None):
    pair = (from_arrays("m", images, labels, classes), from_arrays("m", test_images, test_labels, classes))
    return contents_of(Dataset(*pair))


def pixels(seeds, size=32):
    return np.stack([np.asarray(photo(seed, size)).transpose(2, 0, 1) for seed in seeds])


def test_arrays_are_named_by_their_positions():
    images, tests = pixels(range(24)), pixels(range(100, 108))
    images[[5, 17]], tests[3], tests[4] = images[3], images[8], 9
    labels, test_labels = np.arange(24) % 2, np.arange(8) % 2
    assert named(audit(in_memory(images, labels, tests, test_labels), progress=False)) == {
        "in-both-splits": [("train[8]", "test[3]")],
        "different-labels": [("train[8]", "test[3]")],
        "constant": ["test[4]"],
        "equal-in-training": [("train[3]", "train[5]", "train[17]")],
    }


@pytest.mark.parametrize("channels", [1, 2, 3, 13])
def test_arrays_of_any_number_of_channels(channels):
    images = np.random.default_rng(0).integers(0, 256, (24, channels, 12, 12)).astype(np.uint8)
    images[7] = images[4]
    contents = in_memory(images, np.arange(24) % 2, images[:2] // 2, [0, 1])
    audited = audit(contents, progress=False)
    assert named(audited)["equal-in-training"] == [("train[4]", "train[7]")]
    assert "data:image/png" in in_pictures(audited, contents)


def test_the_order_of_arrays_does_not_matter():
    images, labels = pixels([*range(20), 3, 3, 4]), np.arange(23) % 2
    tests = pixels([5, 50, 51])
    order = np.random.default_rng(0).permutation(23)
    one, other = (
        audit(in_memory(images[p], labels[p], tests, [0, 1, 1]), progress=False) for p in (np.arange(23), order)
    )
    assert [(f.name, f.count) for f in one.findings] == [(f.name, f.count) for f in other.findings]

    def equal(audited, places):
        return {
            frozenset(int(places[e.place]) if e.part == "train" else -e.place for e in group)
            for finding in audited.findings
            if "equal" in finding.name or finding.name == "in-both-splits"
            for group in finding.groups
        }

    assert equal(one, np.arange(23)) == equal(other, order)


def test_images_that_are_read_by_a_class_of_the_user():
    class Lazy:
        def __init__(self, pixels):
            self.pixels = torch.from_numpy(pixels)
            self.shape = self.pixels.shape

        def __len__(self):
            return len(self.pixels)

        def __getitem__(self, index):
            return self.pixels[index]

    from drd_plugin.data import Split

    train, test = (Split("lazy", Lazy(pixels(s)), np.arange(12) % 2, ("a", "b")) for s in (range(12), range(11, 23)))
    assert named(audit(contents_of(Dataset(train, test)), progress=False)) == {
        "in-both-splits": [("train[11]", "test[0]")],
        "different-labels": [("train[11]", "test[0]")],
    }


def test_a_rare_class_is_lost_at_one_percent():
    n = 501
    images = np.random.default_rng(0).integers(0, 256, (n, 1, 6, 6)).astype(np.uint8)
    labels = np.array([0] * 500 + [1])
    contents = in_memory(images, labels, images[-2:] // 3, [0, 1], ["usual", "rare"])
    audited = audit(contents, [0.01], progress=False)
    lost = next(finding for finding in audited.findings if finding.name == "lost-classes")
    assert audited.wrong
    assert lost.lines == ("rare: a share in proportion keeps none, 99 % of random subsets have none",)
    [share] = audited.shares
    assert (share.budget, share.smallest, share.emptied) == (5, 0, ("rare",))
    assert share.risks["rare"] == pytest.approx(1 - 5 / 501)
    silent = audit(contents, progress=False)
    assert "lost-classes" not in named(silent)
    assert "rare" in in_words(silent).split("What a fraction leaves")[1]


@pytest.mark.parametrize("fraction", [0, -1, 1.5, float("nan"), True, "0.1"])
def test_a_fraction_is_in_0_to_1(fraction):
    contents = in_memory(pixels(range(4)), [0, 1] * 2, pixels([9, 10]), [0, 1])
    with pytest.raises(ValueError, match="fraction"):
        audit(contents, [fraction], progress=False)


def test_a_fraction_that_keeps_nothing_is_said():
    audited = audit(in_memory(pixels(range(4)), [0, 1] * 2, pixels([9, 10]), [0, 1]), [0.01], progress=False)
    assert "0.01 keeps no example" in in_words(audited)
    assert audited.wrong


def test_texts():
    train = ["a cat sat", "A cat, sat!", "dogs run", "birds fly", "...", "fish swim"]
    splits = (from_texts("t", train, [0, 1, 0, 1, 0, 1], ["a", "b"]), ["Birds fly", "cows moo", ""])
    test = from_texts("t", splits[1], [1, 0, 1], ["a", "b"], splits[0].vocabulary)
    contents = contents_of(Dataset(splits[0], test))
    audited = audit(contents, progress=False)
    assert {name: names for name, names in named(audited).items() if name != "small-classes"} == {
        "in-both-splits": [("train[3]", "test[0]")],
        "different-labels": [("train[0]", "train[1]")],
        "empty": ["train[4]", "test[2]"],
        "equal-in-training": [("train[0]", "train[1]")],
    }
    page = in_pictures(audited, contents)
    assert "A cat, sat!" in page
    assert "<img" not in page


def test_the_page_of_pictures_needs_no_other_file_and_escapes_names(root):
    photo(3).save(root / "train/ibis/<b>&.png")
    DAMAGES["no image"][0](root)
    contents = list_contents("image_folder", root)
    audited = audit(contents, progress=False)
    page = in_pictures(audited, contents)
    assert "train/heron/x.jpg" in page
    assert "<b>&.png" not in page
    assert "&lt;b&gt;&amp;.png" in page
    assert page.count('src="data:image/png;base64,') == sum(
        len(group) for f in audited.findings for group in f.groups if f.name != "unreadable"
    )
    assert "http:" not in page
    assert "https:" not in page


def test_a_page_shows_some_dozens_of_a_finding(root):
    for i in range(60):
        photo(3).save(root / f"train/ibis/copy-{i}.png")
        (root / f"train/ibis/broken-{i}.png").write_bytes(b"")
    contents = list_contents("image_folder", root)
    page = in_pictures(audit(contents, progress=False), contents)
    assert page.count("<figure") < 80
    assert "And 24 more." in page
    assert "and 55 more" in page


datasets = pytest.importorskip("datasets")


def hub(folder, parts):
    """Saves rows (contents of image files and class names) by part."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=[*CLASSES, "unused"])})
    tables = {
        part: datasets.Dataset.from_dict(
            {"image": [c and {"bytes": c, "path": None} for c, _ in rows], "label": [label for _, label in rows]},
            features=features,
        )
        for part, rows in parts.items()
    }
    datasets.DatasetDict(tables).save_to_disk(folder)
    return folder


def rows(seeds):
    return [(content(photo(seed), "PNG"), CLASSES[seed % 3]) for seed in seeds]


def test_rows_of_a_hugging_face_set(tmp_path):
    train, test = rows(range(21)), rows(range(100, 109))
    train[7], train[8] = (b"x", train[7][1]), (None, train[8][1])
    train[9] = (content(photo(9), "JPEG", exif=ORIENTATION), train[9][1])
    test[2], test[5] = (train[5][0], train[5][1]), (test[5][0][:900], test[5][1])
    audited = checked(hub(tmp_path / "hub", {"train": train, "test": test}), name="hf:x")
    assert named(audited) == {
        "unreadable": ["train, row 7", "train, row 8"],
        "truncated": ["test, row 5"],
        "in-both-splits": [("train, row 5", "test, row 2")],
        "turned": ["train, row 9"],
    }
    reasons = [e.remark for (e,) in audited.findings[0].groups]
    assert reasons == ["its content is of no format of images", "has no image in the column image"]
    assert audited.sizes["train"].keys() == {*CLASSES}


def test_rows_of_a_held_out_fifth_keep_their_names(tmp_path):
    train = rows(range(30))
    train[10] = (b"x", train[10][1])
    folder = hub(tmp_path / "hub", {"train": train})
    audited = checked(folder, name="hf:x")
    assert audited.held_out
    assert named(audited) == {"unreadable": ["train, row 10"]}
    train[10] = train[13]
    expected = load("hf:x", hub(tmp_path / "whole", {"train": train}))
    sizes = [sum(audited.sizes[part].values()) for part in ("train", "test")]
    assert sizes == [len(expected.train), len(expected.test)]


def test_texts_of_a_held_out_fifth_keep_their_rows(tmp_path):
    texts = [f"word{i} word{i} and one more" for i in range(30)]
    texts[11], texts[22] = "", texts[20].upper()
    features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])}
    table = datasets.Dataset.from_dict(
        {"text": texts, "label": [i % 2 for i in range(30)]}, datasets.Features(features)
    )
    table.save_to_disk(tmp_path / "hub")
    audited = checked(tmp_path / "hub", name="hf:x")
    expected = {frozenset({"train, row 20", "train, row 22"}), frozenset({"train, row 11"})}
    assert {frozenset(e.name for e in group) for f in audited.findings for group in f.groups} == expected


def test_classes_that_rows_do_not_share(tmp_path):
    train = [(c, label) for c, label in rows(range(24)) if label != "ibis"]
    audited = checked(hub(tmp_path / "hub", {"train": train, "test": rows(range(100, 109))}), name="hf:x")
    assert named(audited) == {"no-training-example": ["ibis"]}


def test_the_same_pictures_give_the_same_findings_by_every_route(root, tmp_path):
    for harm in ("copy in test", "look-alike", "copy in training", "one colour"):
        DAMAGES[harm][0](root)
    contents = list_contents("image_folder", root)
    data = load("image_folder", root, 64)
    parts = {"train": (data.train, contents.train), "test": (data.test, contents.test)}
    saved = hub(
        tmp_path / "hub",
        {
            part: [(path.read_bytes(), CLASSES[label]) for path, label in zip(s.images.paths, s.labels, strict=True)]
            for part, (s, _) in parts.items()
        },
    )
    pair = [from_arrays("m", s.images[torch.arange(len(s))], s.labels, CLASSES) for s, _ in parts.values()]
    audits = [
        audit(contents, progress=False),
        checked(saved, name="hf:x"),
        audit(contents_of(Dataset(*pair)), progress=False),
        audit(contents_of(data), progress=False),
    ]
    places = [
        [(f.name, f.count, [[e.place for e in group] for group in f.groups]) for f in audited.findings]
        for audited in audits
    ]
    assert len(places[0]) == 4
    assert places[1:] == places[:1] * 3
