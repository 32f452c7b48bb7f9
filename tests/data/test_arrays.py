"""Images, labels and class names as users give them: taken alike whatever their type, or refused in words; owned."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drd_plugin.data import DataError, Dataset, Split, from_arrays, from_texts, plant, stratified, take
from drd_plugin.data.text import TextSplit, Vocabulary

LABELS = np.arange(12) % 3
BYTES = np.random.default_rng(0).integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)
BYTES[0, 0, 0, :2] = 0, 255
SHARES = BYTES / 255


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


SAME = {
    "uint8": BYTES,
    "read-only": frozen(BYTES),
    "without channels": BYTES[:, 0],
    "list": BYTES.tolist(),
    "list of arrays": [*BYTES],
    "list of tensors": [*torch.from_numpy(BYTES)],
    "list of pictures": [Image.fromarray(image[0]) for image in BYTES],
    "column order": np.asfortranarray(BYTES),
    "16 bits": BYTES.astype(np.uint16) * 257,
    "16 bits, big-endian": (BYTES.astype(np.uint16) * 257).astype(">u2"),
    "16-bit tensor": torch.from_numpy(BYTES.astype(np.int32) * 257).to(torch.uint16),
    "float64": SHARES,
    "float32": SHARES.astype(np.float32),
    "read-only floats": frozen(SHARES),
    "big-endian floats": SHARES.astype(">f4"),
    "longdouble": SHARES.astype(np.longdouble),
    "tensor with a gradient": torch.tensor(SHARES, requires_grad=True),
} | {f"{kind} in 0..255": BYTES.astype(kind) for kind in ("u2", ">u2", "i2", ">i4", "u4", "i8", ">i8", "u8")}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_pixels_of_any_type_make_the_same_split(kind, caplog):
    split = from_arrays("x", SAME[kind], LABELS)
    assert split.fingerprint == from_arrays("x", BYTES, LABELS).fingerprint
    assert ("the high byte is taken" in caplog.text) == kind.startswith("16")


@pytest.mark.parametrize("view", [np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[:, :, :, ::-1], np.s_[:, :, ::2, ::2]])
def test_views_are_taken_as_they_look(view):
    images = np.random.default_rng(1).integers(0, 256, (12, 3, 8, 8)).astype(np.uint8)[view]
    for scale in (1, 255):
        assert np.array_equal(from_arrays("x", images / scale if scale > 1 else images, LABELS).images, images)


@pytest.mark.parametrize("masks", [BYTES > 99, torch.from_numpy(BYTES) > 99, [*(BYTES > 99)]])
def test_truth_values_are_black_and_white(masks):
    assert np.array_equal(from_arrays("x", masks, LABELS).images, 255 * (BYTES > 99))


def test_zeros_and_ones_in_bytes_are_taken_and_remarked_on(caplog):
    assert from_arrays("x", (BYTES > 99).astype(np.uint8), LABELS).images.max() == 1
    assert "no pixel is above 1 of 255" in caplog.text


def broken(value, *place):
    images = SHARES.copy()
    images[place] = value
    return images


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((12, 64, 64, 13)), r"\[n, H, W, C\].*transpose"),
        (np.zeros((12, 9, 9, 2), np.uint8), r"\[n, H, W, C\].*transpose"),
        (np.zeros((12, 8, 8, 3)), r"\[n, H, W, C\].*transpose"),
        ([Image.new("RGB", (8, 8))] * 12, r"\[n, H, W, C\].*transpose"),
        (np.zeros((12, 1, 0, 0), np.uint8), "with pixels"),
        (np.zeros((12, 0, 8, 8)), "with pixels"),
        (np.zeros((12, 8)), "expected images of shape"),
        (SHARES * 255, "divide them by 255"),
        (torch.from_numpy(SHARES * 255).half(), "divide them by 255"),
        (SHARES * 2 - 1, r"give \(images \+ 1\) / 2"),
        (broken(np.nan, 3, 0, 2, 1), r"1 images hold NaN .*first: \[3\]; images\[3, 0, 2, 1\] is nan"),
        (broken(-np.inf, 11, 0, 7, 7)[:, 0], r"images\[11, 7, 7\] is -inf"),
        (SHARES * np.nan, "12 images hold NaN"),
        (BYTES.astype(np.int16) - 1, r"integer pixels in 0\.\.255, got -1 to 254"),
        (BYTES.astype(np.int32) * 257, r"integer pixels in 0\.\.255, got 0 to 65535"),
        (np.full((12, 1, 1, 1), 2**64 - 1, np.uint64), r"integer pixels in 0\.\.255"),
        (SHARES.astype(complex), "got an array of complex128"),
        (torch.complex(*[torch.from_numpy(SHARES)] * 2), "got an array of torch.complex128"),
        (SHARES.astype(object), r"got an array of object: give one array of all, np\.stack"),
        (SHARES.astype("S3"), r"got an array of \|S3"),
        ([np.zeros((1, 8, 8)), np.zeros((1, 9, 9))] * 6, "images of one shape"),
        ("pictures", "got str"),
        (None, "got NoneType"),
        (np.ma.array(BYTES, mask=BYTES > 250), "masked"),
    ],
)
def test_images_that_cannot_be_meant_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        from_arrays("x", images, LABELS)


def test_many_channels_of_oblong_images_are_remarked_on(caplog):
    assert from_arrays("x", np.zeros((12, 48, 64, 13)), LABELS).shape == (48, 64, 13)
    assert "48 channels of 64 x 13 pixels: where the channels come last" in caplog.text
    caplog.clear()
    assert from_arrays("x", np.zeros((12, 64, 7, 7)), LABELS).shape == (64, 7, 7)
    assert from_arrays("x", np.zeros((12, 3, 8, 12)), LABELS).shape == (3, 8, 12)
    assert not caplog.records


NAMES = ["dog", "cat", "emu"]
NUMBERS = {
    "list": LABELS.tolist(),
    "column": LABELS[:, None],
    "lists": [[label] for label in LABELS],
    "floats": LABELS.astype(np.float32),
    "mixed": [0, 1.0, np.int8(2)] * 4,
    "big-endian": LABELS.astype(">i4"),
    "unsigned": LABELS.astype(np.uint64),
    "objects": LABELS.astype(object),
    "tensor": torch.from_numpy(LABELS),
    "tensor of floats": torch.from_numpy(LABELS).bfloat16(),
    "list of tensors": [*torch.from_numpy(LABELS)],
    "series": pd.Series(LABELS),
    "nullable series": pd.Series(LABELS, dtype="Int64"),
    "names": [NAMES[label] for label in LABELS],
    "array of names": np.array(NAMES)[LABELS],
    "column of names": np.array(NAMES)[LABELS, None],
    "series of names": pd.Series(np.array(NAMES)[LABELS]),
    "categories": pd.Series(np.array(NAMES)[LABELS], dtype="category"),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_same_labels_of_any_type_make_the_same_split(kind):
    expected = from_arrays("x", BYTES, LABELS, NAMES)
    texts = [str(i) for i in range(12)]
    for split in (
        from_arrays("x", BYTES, NUMBERS[kind], NAMES),
        Split("x", torch.from_numpy(BYTES), NUMBERS[kind], NAMES),
        from_texts("x", texts, NUMBERS[kind], NAMES),
    ):
        assert split.labels.dtype == np.int64
        assert split.labels.tolist() == LABELS.tolist()
        assert split.classes == expected.classes


def test_truth_values_are_the_classes_0_and_1():
    split = from_arrays("x", BYTES, LABELS > 0)
    assert (split.labels.tolist(), split.classes) == ((LABELS > 0).astype(int).tolist(), ("0", "1"))


def test_names_alone_are_sorted_and_whole_numbers_by_value():
    assert from_arrays("x", BYTES, [NAMES[label] for label in LABELS]).classes == ("cat", "dog", "emu")
    split = from_texts("x", ["a"] * 12, [str(i) for i in range(12)])
    assert split.classes == tuple(map(str, range(12)))
    assert split.labels.tolist() == [*range(12)]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.eye(3, dtype=int)[LABELS], r"shape \(12, 3\): if they are one-hot.*argmax\(1\)"),
        (torch.eye(3)[LABELS], "one-hot"),
        (np.eye(3)[LABELS].tolist(), "one-hot"),
        (LABELS[None], r"shape \(1, 12\)"),
        ([0, 1, None, 1] * 3, "got NoneType values: None at position 2"),
        ([0, 1, float("nan"), 1] * 3, "got float values: nan at position 2"),
        (np.where(LABELS == 2, np.nan, LABELS), "got float64 values: nan at position 2"),
        (pd.Series([0, 1, None] * 4, dtype="Int64"), "nan at position 2"),
        (np.ma.array(LABELS, mask=LABELS == 1), "None at position 1"),
        (LABELS + 0.5, "got float64 values: 0.5 at position 0"),
        (LABELS - 1, "labels must be in .* got -1 at position 0"),
        (LABELS + 1, r"no example of 0 \(1 empty classes; labels count from 0\)"),
        ([2**70] * 12, "expected integer labels"),
        (np.full(12, 2**63, np.uint64), "expected integer labels"),
        (["a", 1] * 6, "expected class names as labels, got 1 at position 1"),
        ([1, "a"] * 6, "got str values: 'a' at position 1"),
        (["a", None] * 6, "expected class names as labels, got None at position 1"),
        ([b"a", b"b"] * 6, "got bytes values: b'a' at position 0"),
        ([[0], [1, 2]] * 6, r"got list values: \[0\] at position 0"),
        (np.array([1j] * 12), "got complex128 values"),
        (np.array(["2026-01-01"] * 12, "M8[D]"), r"got datetime64\[D\] values"),
        (["", "b"] * 6, "name of class 0, got ''"),
        (["a", "a "] * 6, "classes 0 and 1 are both named"),
        (["\u00e9", "e\u0301"] * 6, "classes 0 and 1 are both named"),
        ("012012012012", "got a str"),
        ({0, 1, 2}, "got a set"),
        ((label for label in LABELS), "got a generator"),
        (None, "got a NoneType"),
        (0, "got a int"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(labels, message):
    with pytest.raises(DataError, match=message):
        from_arrays("x", BYTES, labels)


@pytest.mark.parametrize("make", [from_arrays, lambda *fields: Split(fields[0], torch.from_numpy(BYTES), *fields[2:])])
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("abc", "list of class names in order, got the str 'abc'"),
        ({0: "a", 1: "b", 2: "c"}, "got the dict"),
        ({"a", "b", "c"}, "got the set"),
        (3, "got the int 3"),
        (["a", "b", "a"], "the classes 0 and 2 are both named 'a'"),
        (["a", "b", "b\n"], "the classes 1 and 2 are both named"),
        (["a", "", "c"], "name of class 1, got ''"),
        (["a", " ", "c"], "name of class 1, got ' '"),
        (["a", None, "c"], "name of class 1, got None"),
        (["a", float("nan"), "c"], "name of class 1, got nan"),
        ([b"a", b"b", b"c"], "name of class 0, got b'a'"),
        (["a", "b"], r"labels must be in 0\.\.1 for 2 classes, got 2 at position 2"),
        (["a", "b", "c", "d"], "no example of d"),
    ],
)
def test_class_names_that_cannot_be_meant_are_refused(make, classes, message):
    with pytest.raises(DataError, match=message):
        make("x", BYTES, LABELS, classes)


def test_labels_by_name_must_be_among_the_classes():
    with pytest.raises(DataError, match=r"'emu' at position 2 is none of the classes dog, cat, cow \(4 such labels\)"):
        from_arrays("x", BYTES, [NAMES[label] for label in LABELS], ["dog", "cat", "cow"])


def test_numbers_as_class_names_are_texts():
    assert from_arrays("x", BYTES, LABELS, [7, np.int64(8), True]).classes == ("7", "8", "True")
    assert from_arrays("x", BYTES, LABELS, map(str, range(3))).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (BYTES, r"expected uint8 images, got numpy\.uint8: build the split with from_arrays"),
        (torch.from_numpy(SHARES), r"got torch\.float64: build the split with from_arrays"),
        (torch.from_numpy(BYTES[:, 0]), r"shape \[n, C, H, W\] with pixels, got \(12, 8, 8\)"),
        (torch.zeros(12, 1, 0, 8, dtype=torch.uint8), "with pixels"),
    ],
)
def test_a_split_of_other_tensors_is_refused(images, message):
    with pytest.raises(DataError, match=message):
        Split("x", images, LABELS, NAMES)


ROUTES = {
    "array": lambda images, labels: from_arrays("x", images, labels),
    "tensor": lambda images, labels: from_arrays("x", torch.from_numpy(images), labels),
    "labels in a tensor": lambda images, labels: from_arrays("x", images, torch.from_numpy(labels)),
    "split": lambda images, labels: Split("x", torch.from_numpy(images), labels, ("0", "1", "2")),
    "replaced images": lambda images, labels: replace(
        from_arrays("x", SHARES, labels), images=torch.from_numpy(images)
    ),
    "replaced labels": lambda images, labels: replace(from_arrays("x", images, LABELS), labels=labels),
    "planted": lambda images, labels: plant(from_arrays("x", images, labels)).split,
    "part": lambda images, labels: from_arrays("x", images, labels).part(np.arange(12)),
}


@pytest.mark.parametrize("route", ROUTES)
def test_a_split_does_not_change_with_what_it_was_made_from(route):
    images, labels = BYTES.copy(), LABELS.copy()
    split = ROUTES[route](images, labels)
    expected = from_arrays("x", BYTES, LABELS).fingerprint
    images[:], labels[:] = 0, 0
    assert split.fingerprint == expected
    assert pickle.loads(pickle.dumps(split)).fingerprint == expected


def test_texts_do_not_change_with_the_list_that_they_came_in():
    texts = ["red ball", "blue box"] * 6
    split = from_texts("x", texts, LABELS)
    fields = {"texts": texts, "vocabulary": split.vocabulary}
    numbers = split.images.clone()
    other = TextSplit("x", numbers, LABELS, ("0", "1", "2"), **fields)
    texts[0] = "green"
    numbers[:] = 0
    assert other.fingerprint == split.fingerprint
    assert torch.equal(other.images, split.images)


def test_what_a_split_owns_is_not_copied_again():
    split = from_arrays("x", BYTES, LABELS)
    assert replace(split, name="y").images is split.images
    assert plant(split, wrong_labels=0.5).split.images is split.images
    assert Split("y", split.images, LABELS, split.classes).images is split.images


@pytest.mark.parametrize(
    "index", [[1, 3, 5], np.isin(np.arange(12), [1, 3, 5]), torch.tensor([1, 3, 5]), np.array([1.0, 3.0, 5.0])]
)
def test_a_part_takes_positions_and_masks(index):
    split = from_arrays("x", BYTES, [0, 0, 0, 1, 0, 2] * 2)
    part = split.part(index)
    assert part.labels.tolist() == [0, 1, 2]
    assert torch.equal(part.images, split.images[torch.tensor([1, 3, 5])])


def test_texts_in_one_string_are_refused():
    for texts in ("a ripe apple", b"a ripe apple", {"a": 1}, {"a", "b"}, 3, None):
        with pytest.raises(DataError, match="expected a list of texts, got a"):
            from_texts("x", texts, LABELS)
        with pytest.raises(DataError, match="expected a list of texts, got a"):
            Vocabulary.from_texts(texts)
        with pytest.raises(DataError, match="expected a list of texts, got a"):
            Vocabulary(("a",), 2).numbers(texts)
    with pytest.raises(DataError, match="expected a Vocabulary"):
        from_texts("x", ["a"] * 12, LABELS, vocabulary=["a"])
    with pytest.raises(DataError, match="length of at least 1"):
        Vocabulary(("a",), 2.5)


def test_classes_that_train_and_test_do_not_share_are_named():
    def split(classes):
        return from_arrays("x", BYTES, LABELS, classes)

    message = r"only the training split has stork; only the test split has Stork"
    with pytest.raises(DataError, match=message):
        Dataset(split(["heron", "stork", "ibis"]), split(["heron", "Stork", "ibis"]))
    with pytest.raises(DataError, match="the same in another order"):
        Dataset(split(["heron", "stork", "ibis"]), split(["heron", "ibis", "stork"]))


@given(st.lists(st.integers(2, 12), min_size=1, max_size=8), st.floats(0.01, 0.99), st.integers(0, 9))
def test_both_parts_have_an_example_of_each_class(sizes, share, seed):
    """And are those of scikit-learn wherever its own have one."""
    from sklearn.model_selection import train_test_split

    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rest, part = stratified(labels, share, seed)
    assert sorted([*rest, *part]) == [*range(len(labels))]
    assert {*labels[rest]} == {*labels[part]} == {*labels}
    try:
        theirs = train_test_split(np.arange(len(labels)), test_size=share, stratify=labels, random_state=seed)
    except ValueError:
        return
    assert len(part) == len(theirs[1])
    if all({*labels[one]} == {*labels} for one in theirs):
        assert np.array_equal(np.sort(theirs[0]), rest)
        assert np.array_equal(np.sort(theirs[1]), part)


def test_a_class_of_one_is_named_with_the_remedy():
    labels = np.array([0, 0, 1, 2, 2, 2])
    message = r"the class rare has one example, .*\(1 such classes\).*test/ or val/"
    with pytest.raises(DataError, match=message):
        stratified(labels, 0.5, classes=("usual", "rare", "common"))
    with pytest.raises(DataError, match="the class 1 has one example"):
        stratified(labels, 0.5)
    with pytest.raises(DataError, match=message):
        take(from_arrays("x", BYTES[:6], labels, ("usual", "rare", "common")), 4)


def test_a_part_of_nearly_all_has_as_many_as_were_asked_for():
    split = from_arrays("x", BYTES, LABELS)
    assert [len(take(split, n)) for n in (3, 6, 10, 11, 12)] == [3, 6, 10, 11, 12]
    for wrong in (2, 13, 6.5, "6"):
        with pytest.raises(DataError, match="12 examples of 3 classes, got"):
            take(split, wrong)


def test_a_label_that_is_no_class_number_is_named_before_names_are_made():
    with pytest.raises(DataError, match=r"the label 2000000000 at position 2 is no class number"):
        from_arrays("m", np.zeros((3, 1, 4, 4)), np.array([0, 1, 2 * 10**9]))
