"""Scores from other tools, and subsets for them."""

import hashlib
import json
import pickle
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Scores, Subset
from drd_plugin.cli import main
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, Split, load
from drd_plugin.data.decoding import Decoding
from drd_plugin.data.folders import FolderImages
from drd_plugin.exchange import as_hf, as_torch, export_subset, import_scores
from drd_plugin.scores import SCORES
from drd_plugin.selection import select


@pytest.fixture(scope="module")
def values(digits):
    """A float32 for each digit, no two alike, in no order."""
    rng = np.random.default_rng(0)
    return (rng.permutation(len(digits.train)) / 7).astype(np.float32)


@pytest.fixture(scope="module")
def ccs(digits, values):
    """A dictionary as CCS makes it."""
    whole = torch.from_numpy(np.arange(len(values))).int()
    return {
        "targets": torch.from_numpy(digits.train.labels).int(),
        "correctness": whole % 37,
        "forgetting": whole % 11,
        "el2n": torch.from_numpy(values),
        "accumulated_margin": torch.from_numpy(values * 3),
        "entropy": torch.from_numpy(values + 1),
    }


@pytest.fixture
def table(digits, values):
    """The rows of a CSV, shuffled."""
    frame = pd.DataFrame({"index": np.arange(len(values)), "score": values, "label": digits.train.labels})
    return frame.sample(frac=1, random_state=1)


def of_csv(table, tmp_path, split, **options):
    table.to_csv(tmp_path / "s.csv", index=False)
    return import_scores(tmp_path / "s.csv", split, **{"name": "AUM"} | options)


def of_npy(array, tmp_path, split, **options):
    np.save(tmp_path / "s.npy", array)
    return import_scores(tmp_path / "s.npy", split, **{"name": "AUM"} | options)


def of_torch(content, tmp_path, split, **options):
    torch.save(content, tmp_path / "s.pt")
    return import_scores(tmp_path / "s.pt", split, **{"name": "AUM"} | options)


def check_imported(scores, path, split, values, **origin):
    """Scores are the values of a file in the order of the split, and say so."""
    assert scores.estimates.dtype == np.float32
    assert scores.estimates.shape == (len(split), 1)
    assert np.array_equal(scores.values, values)
    assert np.array_equal(scores.labels, split.labels)
    assert scores.fingerprint == split.fingerprint
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert scores.provenance == {
        "imported": {"file": path.name, "sha256": sha256, **origin},
        "score": {"name": scores.name},
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


def test_a_csv_comes_into_the_order_of_the_data_set(digits, values, table, tmp_path):
    assert not np.array_equal(table["index"], np.arange(len(table)))
    scores = of_csv(table, tmp_path, digits.train)
    check_imported(scores, tmp_path / "s.csv", digits.train, values, format="csv", column="score")


def test_columns_have_any_names_and_labels_may_be_left_out(digits, values, table, tmp_path):
    other = table.drop(columns="label").rename(columns={"index": "id", "score": "x y"}).assign(score=0.5, index=7)
    scores = of_csv(other, tmp_path, digits.train, column="x y", index="id")
    check_imported(scores, tmp_path / "s.csv", digits.train, values, format="csv", column="x y")


def test_an_array_is_in_the_order_of_the_data_set(digits, values, tmp_path):
    scores = of_npy(values.astype(np.float64), tmp_path, digits.train)
    check_imported(scores, tmp_path / "s.npy", digits.train, values, format="npy")
    assert np.array_equal(of_npy(np.arange(1437) // 2, tmp_path, digits.train).values, np.arange(1437) // 2)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pickle", ".pkl", ".PT"])
def test_a_dictionary_that_torch_saved_has_any_of_the_endings(digits, values, ccs, tmp_path, suffix):
    path = tmp_path / f"s{suffix}"
    torch.save(ccs, path)
    scores = import_scores(path, digits.train, name="EL2N")
    check_imported(scores, path, digits.train, values, format="torch", key="el2n")


@pytest.mark.parametrize(
    ("name", "key", "entry"),
    [
        ("AUM", None, "accumulated_margin"),
        ("EL2N", None, "el2n"),
        ("Forgetting", None, "forgetting"),
        ("entropy", None, "entropy"),
        ("AUM", "entropy", "entropy"),
        ("Mine", "correctness", "correctness"),
    ],
)
def test_the_entry_follows_from_the_name_or_is_said(digits, ccs, tmp_path, name, key, entry):
    scores = of_torch(ccs, tmp_path, digits.train, name=name, key=key, higher_is_harder=True)
    check_imported(scores, tmp_path / "s.pt", digits.train, ccs[entry].float().numpy(), format="torch", key=entry)


def test_a_dictionary_without_targets_is_taken_as_it_is(digits, values, ccs, tmp_path):
    assert np.array_equal(of_torch({"el2n": ccs["el2n"]}, tmp_path, digits.train, name="EL2N").values, values)
    half = {"el2n": torch.arange(1437).bfloat16().requires_grad_()}
    exact = half["el2n"].detach().float().numpy()
    assert np.array_equal(of_torch(half, tmp_path, digits.train, name="EL2N").values, exact)


@pytest.mark.parametrize(
    ("name", "direction", "harder"),
    [("AUM", None, False), ("EL2N", None, True), ("AUM", True, True), ("EL2N", False, False), ("Mine", False, False)],
)
def test_the_direction_is_the_registered_one_unless_it_is_said(digits, values, tmp_path, name, direction, harder):
    assert of_npy(values, tmp_path, digits.train, name=name, higher_is_harder=direction).higher_is_harder is harder


def test_the_direction_of_a_new_score_must_be_said(digits, values, tmp_path):
    with pytest.raises(ValueError, match=r"Mine is none of .*EL2N.*higher_is_harder \(--harder higher, or lower\)"):
        of_npy(values, tmp_path, digits.train, name="Mine")


def test_scores_of_this_library_survive_a_spreadsheet(digits, values, tmp_path):
    ours = Scores("AUM", values[:, None] / 3, digits.train.labels, False, digits.train.fingerprint)
    ours.save(tmp_path / "ours")
    table = pd.read_parquet(tmp_path / "ours" / "part-00000-of-00001.parquet").drop(columns="estimates")
    assert np.array_equal(of_csv(table, tmp_path, digits.train).values, ours.values)


def replaced(table, column, at, value):
    """The table with another value at one index, which is left in any row."""
    changed = table.astype({column: object})
    changed.loc[table["index"] == at, column] = value
    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: replaced(t, "index", 30, 2.5), r"got 1437 rows; 1 indices are no integers \(the first: \[2.5\]\)"),
        (lambda t: replaced(t, "index", 30, "x"), r"1 indices are no integers \(the first: \['x'\]\)"),
        (lambda t: replaced(t, "index", 30, np.nan), r"1 indices are no integers \(the first: \[nan\]\)"),
        (lambda t: replaced(t, "index", 30, -1), r"in 0\.\.1436 once.*1 indices are out of range \(the first: \[-1\]"),
        (lambda t: replaced(t, "index", 30, 1437), r"1 indices are out of range \(the first: \[1437\]\)"),
        (lambda t: replaced(t, "index", 30, "inf"), r"1 indices are out of range \(the first: \['?inf"),
        (lambda t: replaced(t, "index", 30, 31), r"1 indices come more than once \(the first: \[31\]\)"),
        (lambda t: t[~t["index"].isin([30, 7])], r"got 1435 rows; 2 indices are missing \(the first: \[7, 30\]\)"),
        (lambda t: t.assign(index=t["index"] + 1), r"1 indices are out of range \(the first: \[1437\]\)"),
        (lambda t: t[:0], r"got 0 rows; 1437 indices are missing \(the first: \[0, 1, 2, 3, 4\]\)"),
        (lambda t: replaced(t, "score", 30, np.nan), r"1 of 1437 scores are NaN.*the first at the indices \[30\]\)"),
        (lambda t: replaced(t, "score", 30, "inf"), r"1 of 1437 scores are NaN.*the first at the indices \[30\]\)"),
        (lambda t: replaced(t, "score", 30, "high"), r"1 of 1437 scores are NaN.*the first at the indices \[30\]\)"),
        (lambda t: replaced(t, "score", 30, 1e300), r"1 of 1437 scores are NaN.*the first at the indices \[30\]\)"),
        (lambda t: t.drop(columns="score"), "has no column score, only index, label: say which column"),
        (lambda t: t.drop(columns="index"), "has no column index, only score, label: say which column"),
        (lambda t: t[["label"]], "has no column index and no column score, only label"),
        (lambda t: t.assign(label=(t["label"] + (t["index"] == 30)) % 10), "1 of 1437 labels are not those of digits"),
        (lambda t: replaced(t, "label", 30, "cat"), "1 of 1437 labels .* first at index 30: expected 5, got 'cat'"),
        (lambda t: replaced(t, "label", 30, 99), "1 of 1437 labels .* first at index 30: expected 5, got 99"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused(digits, table, tmp_path, change, message):
    assert digits.train.labels[30] == 5
    with pytest.raises(ArtifactError, match=message):
        of_csv(change(table), tmp_path, digits.train)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(1436), r"expected 1437 numbers.*got float64 values of shape \(1436,\)"),
        (np.zeros(1438), r"expected 1437 numbers.*got float64 values of shape \(1438,\)"),
        (np.zeros((1437, 1)), r"got float64 values of shape \(1437, 1\)"),
        (np.full(1437, "x"), "got <U1 values"),
        (np.zeros(1437, complex), "got complex128 values"),
        (np.zeros(1437, [("index", "i8"), ("score", "f8")]), r"several arrays \(index, score\): np.save the one"),
        (np.where(np.arange(1437) % 700 == 5, np.nan, 0), r"3 of 1437 .*first at the indices \[5, 705, 1405\]"),
        (np.where(np.arange(1437) == 9, -np.inf, 0), r"1 of 1437 scores .*first at the indices \[9\]"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(digits, tmp_path, array, message):
    with pytest.raises(ArtifactError, match=message):
        of_npy(array, tmp_path, digits.train)


def test_several_arrays_under_the_name_of_one_are_refused(digits, tmp_path):
    with (tmp_path / "s.npy").open("wb") as file:
        np.savez(file, a=np.zeros(1437), b=np.zeros(1437))
    with pytest.raises(ArtifactError, match=r"holds several arrays \(a, b\)"):
        import_scores(tmp_path / "s.npy", digits.train, name="AUM")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {key: value[:1436] for key, value in c.items()}, r"expected 1437 numbers.*shape \(1436,\)"),
        (lambda c: c | {"targets": c["targets"][:9]}, r"expected 1437 labels, got \(9,\)"),
        (lambda c: c | {"targets": c["targets"].roll(1)}, "labels are not those of digits, the first at index 0: exp"),
        (
            lambda c: c | {"targets": torch.where(torch.arange(1437) == 30, 3, c["targets"])},
            "1 of 1437 labels are not those of digits, the first at index 30: expected 5, got 3. The file is for other",
        ),
        (lambda c: c | {"accumulated_margin": c["el2n"].log().log()}, "scores are NaN"),
        (lambda c: c["el2n"], "expected a dictionary of tensors, as CCS has it, got a Tensor"),
        (lambda c: {}, "expected a dictionary of tensors, as CCS has it, got a dict"),
        (lambda c: {"el2n": c["el2n"].numpy()}, "holds more than tensors; torch.save a dictionary of nothing but"),
    ],
)
def test_a_dictionary_that_does_not_fit_is_refused(digits, ccs, tmp_path, change, message):
    with pytest.raises(ArtifactError, match=message):
        of_torch(change(ccs), tmp_path, digits.train)


def test_an_unknown_entry_lists_what_there_is(digits, ccs, tmp_path):
    entries = "accumulated_margin, correctness, el2n, entropy, forgetting, targets"
    with pytest.raises(UnknownName, match=rf"unknown entry of s.pt 'el2': did you mean 'el2n'.* Known: {entries}"):
        of_torch(ccs, tmp_path, digits.train, key="el2")
    with pytest.raises(UnknownName, match=r"unknown entry of s.pt 'DRD'"):
        of_torch(ccs, tmp_path, digits.train, name="DRD")


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.parametrize("suffix", [".pickle", ".pt", ".npy"])
def test_a_raw_pickle_is_never_run(digits, ccs, tmp_path, protocol, suffix):
    path, sprung = tmp_path / f"s{suffix}", tmp_path / "sprung"
    path.write_bytes(pickle.dumps(ccs | {"trap": Trap(sprung)}, protocol))
    with pytest.raises(ArtifactError, match="weights-only" if suffix != ".npy" else "no plain numbers"):
        import_scores(path, digits.train, name="AUM")
    assert not sprung.exists()
    pickle.loads(path.read_bytes())
    assert sprung.exists(), "the trap works"


def test_a_trap_that_torch_saved_is_never_run(digits, ccs, tmp_path):
    with pytest.raises(
        ArtifactError, match=r"s.pt cannot be read weights-only \(UnpicklingError\): it is damaged, or h"
    ):
        of_torch(ccs | {"trap": Trap(tmp_path / "sprung")}, tmp_path, digits.train)
    assert not (tmp_path / "sprung").exists()


def test_the_advice_for_a_raw_pickle_helps(digits, ccs, tmp_path):
    path = tmp_path / "data score.pickle"
    path.write_bytes(pickle.dumps(ccs))
    with pytest.raises(ArtifactError, match=r"which may run code when it is read. If you trust it") as refused:
        import_scores(path, digits.train, name="AUM")
    command = shlex.split(str(refused.value).split("rewrite it: ")[1])
    assert command[:2] == ["python", "-c"]
    exec(command[2], {})
    scores = import_scores(tmp_path / "data score-tensors.pt", digits.train, name="AUM")
    assert np.array_equal(scores.values, ccs["accumulated_margin"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.csv", b"", r"s.csv cannot be read as CSV \(No columns"),
        ("s.csv", b"\xff\xfe\x00", "s.csv cannot be read as CSV"),
        ("s.npy", b"", r"s.npy is damaged or holds no plain numbers \(No data"),
        ("s.npy", b"no array", "s.npy is damaged or holds no plain numbers"),
        ("s.pt", b"", r"s.pt cannot be read weights-only \(EOFError\): it is damaged"),
        ("s.pt", b"no dictionary", "s.pt cannot be read weights-only .*: it is damaged"),
    ],
)
def test_a_damaged_file_is_refused(digits, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        import_scores(tmp_path / name, digits.train, name="AUM")


def test_a_file_cut_short_is_refused(digits, values, ccs, tmp_path):
    np.save(tmp_path / "s.npy", values)
    torch.save(ccs, tmp_path / "s.pt")
    for path in (tmp_path / "s.npy", tmp_path / "s.pt"):
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ArtifactError, match="damaged"):
            import_scores(path, digits.train, name="AUM")


def test_what_is_no_file_of_scores_is_refused(digits, values, tmp_path):
    for suffix in (".csv", ".npy", ".pt"):
        with pytest.raises(ArtifactError, match=f"there is no file .*nowhere{suffix}"):
            import_scores(tmp_path / f"nowhere{suffix}", digits.train, name="AUM")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ArtifactError, match="there is no file"):
        import_scores(tmp_path / "folder.csv", digits.train, name="AUM")
    with pytest.raises(
        UnknownName, match=r"unknown format of scores '.cvs': did you mean '.csv'.* Known: .csv, .json, .npy"
    ):
        import_scores(tmp_path / "s.cvs", digits.train, name="AUM")
    with pytest.raises(DataError, match=r"give its .train"):
        of_npy(values, tmp_path, digits)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"key": "el2n"}, "`column` goes with .csv files, and `key` with dictionaries"),
        ({"column": "x"}, "`column` goes with .csv files, and `key` with dictionaries"),
        ({"labels": "x"}, "`labels` goes with .csv files and dictionaries"),
        ({"index": "x"}, "there is no file x: the index of a .npy file is another one, with its positions"),
        ({"order": True, "ranks": True}, "from the lowest score to the highest, so it goes without `ranks`"),
        ({"order": True, "index": "x"}, "from the lowest score to the highest, so it goes without `index`"),
    ],
)
def test_arguments_of_another_format_are_refused(digits, values, tmp_path, argument, message):
    with pytest.raises(ValueError, match=message):
        of_npy(values, tmp_path, digits.train, **argument)


def test_imported_scores_are_scores(digits, ccs, tmp_path):
    of_torch(ccs, tmp_path, digits.train).save(tmp_path / "aum")
    back = Scores.load(tmp_path / "aum")
    timeless = replace(back, provenance={key: back.provenance[key] for key in back.provenance if key != "seconds"})
    values, origin = ccs["accumulated_margin"].numpy(), {"format": "torch", "key": "accumulated_margin"}
    check_imported(timeless, tmp_path / "s.pt", digits.train, values, **origin)
    subset = select(digits.train, "AUM", 0.1, scores=[back], progress=False)
    assert np.array_equal(subset.indices, np.sort(np.argsort(back.values)[:144]))


# subsets


@pytest.fixture
def subset(digits):
    indices = np.random.default_rng(3).permutation(1437)[:100]
    return Subset(indices, 1437, "Mine", digits.train.fingerprint)


def test_a_torch_subset_gives_the_selected_examples(digits, subset):
    whole = torch.utils.data.TensorDataset(digits.train.images, torch.from_numpy(digits.train.labels))
    part = as_torch(subset, whole)
    assert isinstance(part, torch.utils.data.Subset)
    assert len(part) == 100
    images, labels = next(iter(torch.utils.data.DataLoader(part, batch_size=100)))
    assert torch.equal(images, digits.train.images[subset.indices])
    assert np.array_equal(labels, digits.train.labels[subset.indices])


def test_a_hugging_face_subset_gives_the_same_examples(digits, subset):
    datasets = pytest.importorskip("datasets")
    images = digits.train.images.flatten(1).tolist()
    rows = datasets.Dataset.from_dict({"label": digits.train.labels.tolist(), "image": images})
    part = as_hf(subset, rows)
    assert isinstance(part, datasets.Dataset)
    assert part["label"][:] == digits.train.labels[subset.indices].tolist()
    assert part["image"][:] == digits.train.images[subset.indices].flatten(1).tolist()


def test_a_data_set_of_another_length_is_refused(digits, subset):
    datasets = pytest.importorskip("datasets")
    labels = digits.train.labels.tolist()[:-1]
    for convert, whole in ((as_torch, labels), (as_hf, datasets.Dataset.from_dict({"label": labels}))):
        with pytest.raises(ArtifactError, match=r"by Mine was selected from 1437 examples, .* has 1436"):
            convert(subset, whole)


def test_indices_for_other_tools(subset, tmp_path):
    export_subset(subset, tmp_path / "s.json", "json")
    assert json.loads((tmp_path / "s.json").read_text()) == subset.indices.tolist()
    export_subset(subset, tmp_path / "s.npy", "npy")
    array = np.load(tmp_path / "s.npy", allow_pickle=False)
    assert array.dtype == np.int64
    assert np.array_equal(array, subset.indices)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.json", "s.npy"]


def test_weights_go_beside_the_array_and_with_it(subset, tmp_path):
    weights = np.random.default_rng(0).random(100).astype(np.float32)
    weighted = Subset(subset.indices[::-1], 1437, "Mine", subset.fingerprint, weights)
    for out, beside in (("s.npy", "s.weights.npy"), ("s-0.1", "s-0.1.weights.npy")):
        export_subset(weighted, tmp_path / out, "npy")
        assert np.array_equal(np.load(tmp_path / beside), weights[::-1])
        assert np.load(tmp_path / beside).dtype == np.float32
        assert np.array_equal(np.load(tmp_path / out), subset.indices)
    export_subset(subset, tmp_path / "s.npy", "npy")
    assert not (tmp_path / "s.weights.npy").exists(), "an older subset's weights are not left to a newer one"
    export_subset(weighted, tmp_path / "s.json", "json")
    assert json.loads((tmp_path / "s.json").read_text()) == subset.indices.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-0.1", "s-0.1.weights.npy", "s.json", "s.npy"]


@pytest.fixture
def pictures(digits, tmp_path):
    """A folder of 20 images of each of three digits, of which image_folder holds out a fifth."""
    for c in range(3):
        (tmp_path / "pictures" / f"digit {c}").mkdir(parents=True)
        for number, i in enumerate(np.flatnonzero(digits.train.labels == c)[:20]):
            image = Image.fromarray(digits.train.images[i, 0].numpy())
            image.save(tmp_path / "pictures" / f"digit {c}" / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def files(pictures):
    return load("image_folder", pictures, 8).train


@pytest.fixture
def chosen(files):
    """Half of the images of two classes, none of the first."""
    indices = np.flatnonzero(files.labels > 0)[::-2]
    return Subset(indices, len(files), "Mine", files.fingerprint)


def test_a_list_has_the_paths_of_the_images_in_order(files, chosen, tmp_path):
    export_subset(chosen, tmp_path / "list.txt", "list", files)
    paths = (tmp_path / "list.txt").read_text().splitlines()
    assert len(paths) == len(chosen) == 16
    for path, i in zip(paths, chosen.indices, strict=True):
        assert Path(path).is_absolute()
        assert np.array_equal(np.asarray(Image.open(path)), files.images[torch.tensor([i])][0, 0])


def test_a_folder_of_links_is_a_data_set_of_the_selected_images(pictures, files, chosen, tmp_path):
    (tmp_path / "other" / "train").mkdir(parents=True)
    export_subset(chosen, tmp_path / "other" / "train", "links", files)
    shutil.copytree(pictures, tmp_path / "other" / "val", ignore=shutil.ignore_patterns("digit 0"))
    part = load("image_folder", tmp_path / "other", 8).train
    assert part.classes == ("digit 1", "digit 2")
    assert np.array_equal(part.labels + 1, files.labels[chosen.indices])
    assert torch.equal(part.images[torch.arange(16)], files.images[torch.from_numpy(chosen.indices)])
    assert all(path.is_symlink() and path.readlink().is_absolute() for path in part.images.paths)
    assert [path.name for path in part.images.paths] == [files.images.paths[i].name for i in chosen.indices]


def test_a_folder_of_links_can_be_loaded_alone(files, chosen, tmp_path):
    export_subset(chosen, tmp_path / "links", "links", files)
    both = load("image_folder", tmp_path / "links", 8)
    loaded = {path.resolve() for part in (both.train, both.test) for path in part.images.paths}
    assert loaded == {files.images.paths[i].resolve() for i in chosen.indices}


def test_paths_hold_from_anywhere(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    split = load("image_folder", Path("pictures"), 8).train
    whole = Subset(np.arange(len(split)), len(split), "Full", split.fingerprint)
    export_subset(whole, "list.txt", "list", split)
    export_subset(whole, "links", "links", split)
    monkeypatch.chdir("/")
    listed = [Path(line) for line in (tmp_path / "list.txt").read_text().splitlines()]
    assert [path.parent.parent for path in listed] == [pictures] * 48
    assert all(path.is_file() for path in listed)
    assert {path.resolve() for path in (tmp_path / "links").glob("*/*.png")} == {path.resolve() for path in listed}


def test_images_of_the_same_name_are_all_linked(pictures, tmp_path):
    """The class "odd" has two folders with the same names in them, the class "even" one."""
    paths = sorted(pictures.glob("*/?.png"))
    (pictures / "digit 0" / "00000010-0.png").symlink_to(pictures / "digit 1" / "9.png")
    paths.append(pictures / "digit 0" / "00000010-0.png")
    labels = np.array([0 if path.parent.name == "digit 2" else 1 for path in paths])
    split = Split("mixed", FolderImages(paths, Decoding(8)), labels, ("even", "odd"), content="mixed")
    export_subset(Subset(np.arange(31), 31, "Full", split.fingerprint), tmp_path / "links", "links", split)
    linked = [path.readlink() for path in (tmp_path / "links").glob("*/*")]
    assert sorted(linked) == sorted(paths)
    assert sorted(path.name for path in (tmp_path / "links" / "even").iterdir()) == [f"{i}.png" for i in range(10)]
    odd = sorted((tmp_path / "links" / "odd").iterdir())
    assert [path.readlink() for path in odd] == [path for path, label in zip(paths, labels, strict=True) if label == 1]


def test_a_folder_that_holds_something_is_refused(files, chosen, tmp_path):
    out = tmp_path / "links"
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with pytest.raises(ArtifactError, match="links is there already, and no empty folder"):
        export_subset(chosen, out, "links", files)
    with pytest.raises(ArtifactError, match="is there already"):
        export_subset(chosen, out / "mine.txt", "links", files)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert (out / "mine.txt").read_text() == "kept"


def test_without_symbolic_links_nothing_is_left(files, chosen, tmp_path, monkeypatch):
    def refused(self, target, target_is_directory=False):
        raise OSError("no symbolic links here")

    monkeypatch.setattr(Path, "symlink_to", refused)
    with pytest.raises(OSError, match="no symbolic links here"):
        export_subset(chosen, tmp_path / "out" / "links", "links", files)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("form", ["list", "links"])
def test_images_that_are_no_files_cannot_be_listed(digits, subset, tmp_path, form):
    with pytest.raises(DataError, match="those of digits are in memory or in a table: export npy or json"):
        export_subset(subset, tmp_path / "x", form, digits.train)
    with pytest.raises(DataError, match="no split was given: export npy or json"):
        export_subset(subset, tmp_path / "x", form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "a/b", "..", ".hidden"])
def test_classes_that_are_no_folders_are_refused(files, tmp_path, name):
    split = replace(files, classes=(name, "b", "c"))
    with pytest.raises(DataError, match=f"the class '{name}' cannot be a folder"):
        export_subset(Subset([0], len(split), "x", split.fingerprint), tmp_path / "out" / "links", "links", split)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["json", "npy", "list", "links"])
def test_a_subset_of_another_split_is_refused(files, chosen, tmp_path, form):
    other = Split("other", files.images, files.labels, files.classes)
    with pytest.raises(ArtifactError, match="the subset by Mine was made for the data set image_folder:"):
        export_subset(chosen, tmp_path / "x", form, other)
    assert not (tmp_path / "x").exists()


def test_an_unknown_form_is_refused(subset, tmp_path):
    with pytest.raises(UnknownName, match="unknown form of a subset 'link': did you mean 'links'"):
        export_subset(subset, tmp_path / "x", "link")


# the command line


def run(*args):
    main([str(arg) for arg in args])


def fails(*args):
    with pytest.raises(SystemExit) as stopped:
        run(*args)
    return str(stopped.value.code)


def test_from_a_foreign_file_to_a_foreign_file(values, table, tmp_path, capsys):
    table.rename(columns={"index": "id", "score": "hard"}).to_csv(tmp_path / "s.csv", index=False)
    scores, chosen, out = tmp_path / "scores", tmp_path / "subset.json", tmp_path / "indices.npy"
    scores.mkdir()
    command = ["import-scores", tmp_path / "s.csv", "--dataset", "digits", "--name", "Mine", "--harder", "lower"]
    run(*command, "--column", "hard", "--index", "id", "--out", scores)
    text = capsys.readouterr().out
    assert f"Mine of 1437 examples of digits:a2bec4f78cc38cdc, 0 to 205.1 (1437 distinct values), in {scores}" in text
    assert Scores.load(scores).provenance["imported"]["column"] == "hard"
    run("show", scores)
    text = capsys.readouterr().out
    assert "Mine" in text
    assert "harder is            lower" in text
    run("select", "--scores", scores, "--strategy", "Hardest", "--fraction", "0.1", "--out", chosen)
    run("export-subset", chosen, "--to", "npy", "--out", out)
    assert f"144 of 1437 examples by Mine+Hardest, in {out}" in capsys.readouterr().out
    assert np.array_equal(np.load(out), np.sort(np.argsort(values)[:144]))


def test_a_dictionary_from_the_command_line(ccs, tmp_path):
    torch.save(ccs, tmp_path / "s.pt")
    command = ["import-scores", tmp_path / "s.pt", "--dataset", "digits", "--name", "AUM"]
    run(*command, "--out", tmp_path / "aum")
    run(*command, "--out", tmp_path / "entropy", "--key", "entropy", "--harder", "higher")
    aum, entropy = Scores.load(tmp_path / "aum"), Scores.load(tmp_path / "entropy")
    assert np.array_equal(aum.values, ccs["accumulated_margin"])
    assert np.array_equal(entropy.values, ccs["entropy"])
    assert (aum.higher_is_harder, entropy.higher_is_harder) == (False, True)


def test_a_folder_of_scores_is_not_imported_into_again(values, tmp_path):
    np.save(tmp_path / "s.npy", values)
    command = ["import-scores", tmp_path / "s.npy", "--dataset", "digits", "--out", tmp_path / "out", "--name"]
    assert fails(*command, "Mine") == "drd-plugin: " + (
        f"Mine is none of this library's scores ({', '.join(SCORES)}), so which way is "
        "hard must be said: give higher_is_harder (--harder higher, or lower)."
    )
    assert not (tmp_path / "out").exists()
    run(*command, "AUM")
    before = (tmp_path / "out" / "part-00000-of-00001.parquet").read_bytes()
    np.save(tmp_path / "s.npy", -values)
    assert "out is there already, and no empty folder: give another one" in fails(*command, "AUM")
    assert (tmp_path / "out" / "part-00000-of-00001.parquet").read_bytes() == before


def test_images_are_listed_and_linked_from_the_command_line(pictures, files, chosen, tmp_path):
    provenance = {"score": {"name": "Mine", "provenance": {"dataset": "image_folder"}}}
    replace(chosen, provenance=provenance).save(tmp_path / "s.json")
    command = ["export-subset", tmp_path / "s.json", "--root", pictures, "--size", "8", "--to"]
    run(*command, "list", "--out", tmp_path / "list.txt")
    run(*command, "links", "--out", tmp_path / "links")
    paths = [files.images.paths[i] for i in chosen.indices]
    assert (tmp_path / "list.txt").read_text().splitlines() == list(map(str, paths))
    assert sorted(path.readlink() for path in (tmp_path / "links").glob("*/*")) == sorted(paths)
    assert "was made for the data set" in fails(*command[:4], "--to", "list", "--out", tmp_path / "other.txt")


def test_the_data_set_is_said_where_the_subset_does_not(pictures, chosen, tmp_path):
    chosen.save(tmp_path / "s.json")
    command = ["export-subset", tmp_path / "s.json", "--root", pictures, "--size", "8", "--to", "list", "--out"]
    assert "does not say which data set it was selected from: give it with --dataset" in fails(*command, tmp_path / "l")
    run(*command, tmp_path / "l", "--dataset", "image_folder")
    assert len((tmp_path / "l").read_text().splitlines()) == len(chosen)


def test_indices_are_exported_without_the_data(chosen, tmp_path, capsys):
    weighted = replace(chosen, weights=np.ones(len(chosen)))
    weighted.save(tmp_path / "s.json")
    run("export-subset", tmp_path / "s.json", "--to", "json", "--out", tmp_path / "i.json")
    assert json.loads((tmp_path / "i.json").read_text()) == chosen.indices.tolist()
    assert f"weights stay in {tmp_path / 's.json'}; --to npy writes weights too" in capsys.readouterr().out
    assert "is the subset itself" in fails(
        "export-subset", tmp_path / "s.json", "--to", "json", "--out", tmp_path / "s.json"
    )
    assert len(Subset.load(tmp_path / "s.json")) == len(chosen)
