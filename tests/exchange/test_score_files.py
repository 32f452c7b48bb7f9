"""Score files as other tools write them: each is read rightly, or refused in words."""

import json
import os
import unicodedata
from decimal import Decimal

import numpy as np
import pytest
import torch
from PIL import Image

from drd_plugin.artifacts import ArtifactError, Scores, Subset
from drd_plugin.cli import main
from drd_plugin.core.registry import UnknownName
from drd_plugin.data import DataError, from_arrays, load
from drd_plugin.exchange import export_subset, import_scores

N = 30
RNG = np.random.default_rng(7)
VALUES = RNG.permutation(N) / 8 + 0.125
ORDER = np.argsort(VALUES)
SHUFFLED = RNG.permutation(N)
CLASSES = ("golden retriever", "caf\u00e9", "Kite")


@pytest.fixture(scope="module")
def split():
    return from_arrays("mine", np.zeros((N, 1, 4, 4)), np.arange(N) % 3, CLASSES)


def of(path, split, **options):
    return import_scores(path, split, **{"name": "Mine", "higher_is_harder": True} | options)


def of_text(text, tmp_path, split, encoding="utf-8", name="s.csv", **options):
    (tmp_path / name).write_bytes(text.encode(encoding, "surrogateescape"))
    return of(tmp_path / name, split, **options)


def of_array(array, tmp_path, split, **options):
    np.save(tmp_path / "s.npy", array)
    return of(tmp_path / "s.npy", split, **options)


def lists(content):
    """Arrays as lists, for JSON."""
    return {name: getattr(entry, "tolist", lambda entry=entry: entry)() for name, entry in content.items()}


def tensors(content):
    return {name: torch.from_numpy(e.copy()) if isinstance(e, np.ndarray) else e for name, e in content.items()}


DICTIONARIES = {
    ".pt": lambda content, path: torch.save(tensors(content), path),
    ".npz": lambda content, path: np.savez(path, **content),
    ".json": lambda content, path: path.write_text(json.dumps(lists(content))),
}


def of_dictionary(content, ending, tmp_path, split, **options):
    DICTIONARIES[ending](content, tmp_path / f"s{ending}")
    return of(tmp_path / f"s{ending}", split, **options)


def rows(line, head="index,score\n", end="\n"):
    return head + "".join(line(i) + end for i in SHUFFLED)


def comma(number):
    return str(number).replace(".", ",")


# tables


PLAIN = rows(lambda i: f"{i},{VALUES[i]}")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_any_unicode_is_read(split, tmp_path, encoding):
    assert np.array_equal(of_text(PLAIN, tmp_path, split, encoding).values, VALUES)
    assert np.array_equal(of_text(json.dumps(VALUES.tolist()), tmp_path, split, encoding, "s.json").values, VALUES)


@pytest.mark.parametrize(
    "text",
    [
        rows(lambda i: f"{i};{VALUES[i]}", "index;score\n"),
        rows(lambda i: f"{i};{comma(VALUES[i])}", "index;score\n"),
        rows(lambda i: f"{i}\t{VALUES[i]}", "index\tscore\n"),
        rows(lambda i: f"{i}\t{comma(VALUES[i])}", "index\tscore\n"),
        rows(lambda i: f"{i}|{VALUES[i]}", "index|score\n"),
        rows(lambda i: f'"{i}","{VALUES[i]}"', '"index","score"\n'),
        rows(lambda i: f'{i},"{comma(VALUES[i])}"'),
        rows(lambda i: f"{i} , {VALUES[i]:+.3e}", "index , score\n"),
        rows(lambda i: f"{i},{VALUES[i]},"),
        rows(lambda i: f"{i},{VALUES[i]},", "index,score,\n"),
        rows(lambda i: f"{i},{VALUES[i]}" + ",," * (i % 2)),
        rows(lambda i: f"{i}.0,{VALUES[i]}"),
        rows(lambda i: f"{i},{VALUES[i]}", ",score\n"),
        rows(lambda i: f"{i},{VALUES[i]}", "index,score\r\n", "\r\n"),
        rows(lambda i: f"{i},{VALUES[i]}", "index,score\r", "\r"),
        rows(lambda i: f"{i},{VALUES[i]}", "\n\nindex,score\n \n", "\n\n,\n"),
        rows(lambda i: f"{i},{VALUES[i]},x,y", "index,score,note,note\n"),
        rows(lambda i: f'{i},{VALUES[i]},"two\nlines"', "index,score,note\n"),
        rows(lambda i: f"{i},{VALUES[i]}", "index,score\n").rstrip(),
    ],
)
def test_a_table_has_any_separator_decimals_quotes_and_line_ends(split, tmp_path, text):
    assert np.array_equal(of_text(text, tmp_path, split).values, VALUES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(lambda i: f"{i},{i},{i}", "index,score,score\n"), "has the column 'score' twice"),
        (rows(lambda i: f"{i},{i},{i}", "index,score, score\n"), "has the column 'score' twice"),
        (rows(lambda i: f"{i},{i},{i}", "index,index,score\n"), "has the column 'index' twice"),
        (rows(lambda i: f"{i},{i / 7},0,0", "index,score,label,label\n"), "has the column 'label' twice"),
        (rows(lambda i: f"{i},{VALUES[i]},7"), r"line 2 has 3 fields, but the line of names has 2 \(index, score\)"),
        (rows(lambda i: f"{i},{comma(VALUES[i])}"), "line 2 has 3 fields.*decimal comma need quotes, or semicolons"),
        (PLAIN + "0,1,2\n", f"line {N + 2} has 3 fields"),
        (rows(lambda i: f"{i},{VALUES[i]}", ""), "its first line looks like a row, and should be a line of names"),
        (rows(lambda i: f'{i},"{i + 1},234"'), "'1,234' in line .*separators of thousands"),
        (rows(lambda i: f'{i},"{i + 1},234.5"'), "'1,234.5' in line"),
        (rows(lambda i: f"{i};{i + 1}.234,5", "index;score\n"), "'1.234,5' in line"),
        (
            rows(lambda i: f"{i};{comma(VALUES[i]) if i else '0.5'}", "index;score\n"),
            "scores are .*no numbers.* in line",
        ),
        (rows(lambda i: f"{i},{i + 1} 234"), "'1 234' in line"),
        (rows(lambda i: f"{i},1_{i:03}"), "'1_000' in line"),
        (rows(lambda i: f"{i},{i}%"), "'0%' in line"),
        (
            rows(lambda i: f"{i},{'high' if i == 9 else i / 7}"),
            rf"\[9\]\): 'high' in line {2 + SHUFFLED.tolist().index(9)}",
        ),
        (rows(lambda i: f"{i},{'' if i == 9 else i / 7}"), r"1 of 30 scores are NaN.*\[9\]\): nan in line"),
        (rows(lambda i: f"{i},{'1e39' if i == 9 else i / 7}"), r"1 of 30 scores are .*beyond 3.4e38.*\[9\]\)"),
        (rows(lambda i: f"{i + 1},{i / 7}"), r"1 indices are out of range \(the first: \[30\]\) in line .* from 0"),
        (rows(lambda i: f"{i},{i / 7}").replace("3,", "x3,", 1), "are no integers .* in line"),
        (rows(lambda i: f"a/{i}.png,{i / 7}"), "called by names .*, but the images of mine are no files"),
        (PLAIN[:12] + '"' + PLAIN[12:], r"cannot be read as CSV \("),
        ("", r"cannot be read as CSV \(No columns"),
        ("\ufeff\n\n", r"cannot be read as CSV \(No columns"),
        ("index,score\0\n0,1", "cannot be read as CSV .*zero bytes"),
    ],
)
def test_a_table_that_is_not_clear_is_refused_with_its_place(split, tmp_path, text, message):
    with pytest.raises(ArtifactError, match=message):
        of_text(text, tmp_path, split)


def test_a_binary_file_is_no_table(split, tmp_path):
    for content in (bytes(range(256)) * 5, b"PK\3\4" + bytes(50), b"\xff\xfe\x00"):
        (tmp_path / "s.csv").write_bytes(content)
        with pytest.raises(ArtifactError, match=r"s.csv (cannot be read as CSV|has no column)"):
            of(tmp_path / "s.csv", split)


@pytest.mark.parametrize("ending", [".tsv", ".TSV"])
def test_a_table_with_tabs_has_an_ending_of_its_own(split, tmp_path, ending):
    text = rows(lambda i: f"{i}\t{VALUES[i]}", "index\tscore\n")
    assert np.array_equal(of_text(text, tmp_path, split, name=f"s{ending}").values, VALUES)


# permutations, and scores that were sorted


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float64", "float32", "float16", ">f8"])
@pytest.mark.parametrize("start", [0, 1])
def test_a_permutation_is_no_score_unless_it_is_said_to_be_ranks_or_an_order(split, tmp_path, dtype, start):
    permutation = (SHUFFLED + start).astype(dtype)
    with pytest.raises(ArtifactError, match=r"'score' is a permutation of [01] to .*, an order .*--order.*--ranks"):
        of_array(permutation, tmp_path, split)
    ranks = of_array(permutation, tmp_path, split, ranks=True)
    assert np.array_equal(ranks.values, SHUFFLED + start)
    assert ranks.provenance["imported"]["ranks"] is True
    if start:
        with pytest.raises(ArtifactError, match=r"out of range \(the first: \[30\]\)"):
            of_array(permutation, tmp_path, split, order=True)
    else:
        scores = of_array(permutation, tmp_path, split, order=True)
        assert np.array_equal(np.argsort(scores.values), SHUFFLED)
        assert scores.provenance["imported"]["order"] is True


@pytest.mark.parametrize("ending", DICTIONARIES)
def test_nor_is_one_in_a_dictionary(split, tmp_path, ending):
    content = {"Mine": SHUFFLED.astype(float), "targets": split.labels}
    with pytest.raises(ArtifactError, match="'Mine' is a permutation of 0 to 29"):
        of_dictionary(content, ending, tmp_path, split)
    assert np.array_equal(of_dictionary(content, ending, tmp_path, split, ranks=True).values, SHUFFLED)
    content["targets"] = split.labels[SHUFFLED]
    assert np.array_equal(np.argsort(of_dictionary(content, ending, tmp_path, split, order=True).values), SHUFFLED)


def test_nor_is_one_in_a_table(split, tmp_path):
    text = "index,score\n" + "".join(f"{i},{rank}\n" for i, rank in enumerate(SHUFFLED))
    with pytest.raises(ArtifactError, match="'score' is a permutation of 0 to 29"):
        of_text(text, tmp_path, split)
    assert np.array_equal(of_text(text, tmp_path, split, ranks=True).values, SHUFFLED)
    listed = of_text("best\n" + "".join(f"{i}\n" for i in SHUFFLED), tmp_path, split, order=True, column="best")
    assert np.array_equal(np.argsort(listed.values), SHUFFLED)


@pytest.mark.parametrize("bad", [SHUFFLED // 2, SHUFFLED[:9], SHUFFLED - 1, SHUFFLED + 0.5, VALUES > 1])
def test_an_order_has_each_example_once(split, tmp_path, bad):
    with pytest.raises(ArtifactError, match=r"expected each index in 0\.\.29 once|expected 30 indices"):
        of_array(bad, tmp_path, split, order=True)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (VALUES > 1, "got bool values .*; a mask says which examples a subset has"),
        (SHUFFLED[:9], r"got int64 values of shape \(9,\); these may be the indices of a subset"),
        (np.arange(9) / 7, r"got float64 values of shape \(9,\)\.$"),
    ],
)
def test_masks_and_subsets_are_called_what_they_are(split, tmp_path, array, message):
    with pytest.raises(ArtifactError, match=message):
        of_array(array, tmp_path, split)


@pytest.mark.parametrize("ending", DICTIONARIES)
@pytest.mark.parametrize("name", ["indices", "Idx", "sorted examples"])
@pytest.mark.parametrize("step", [1, -1])
def test_sorted_scores_are_put_in_place_by_their_indices(split, tmp_path, caplog, ending, name, step):
    content = {name: ORDER[::step], "forgetting counts": VALUES[ORDER][::step]}
    scores = of_dictionary(content, ending, tmp_path, split, name="Forgetting", key="forgetting counts")
    assert np.array_equal(scores.values, VALUES)
    assert caplog.messages == [f"{tmp_path}/s{ending}: the scores are put in place by their positions in {name!r}."]


@pytest.mark.parametrize("ending", DICTIONARIES)
def test_a_ranking_beside_scores_in_order_moves_nothing(split, tmp_path, caplog, ending):
    scores = of_dictionary({"Mine": VALUES, "indices": ORDER}, ending, tmp_path, split)
    assert np.array_equal(scores.values, VALUES)
    assert "'indices' is the ranking of the scores, which stay" in caplog.text


@pytest.mark.parametrize("ending", DICTIONARIES)
def test_rows_in_any_order_are_put_in_place(split, tmp_path, ending):
    content = {"idx": SHUFFLED, "Mine": VALUES[SHUFFLED], "labels": split.labels[SHUFFLED]}
    assert np.array_equal(of_dictionary(content, ending, tmp_path, split).values, VALUES)
    content["labels"] = np.roll(split.labels, 1)
    with pytest.raises(ArtifactError, match="labels are not those of mine"):
        of_dictionary(content, ending, tmp_path, split)


@pytest.mark.parametrize("bad", [ORDER + 1, ORDER // 2, np.where(ORDER == 3, -1, ORDER)])
def test_indices_that_are_none_are_refused(split, tmp_path, bad):
    with pytest.raises(ArtifactError, match=r"expected each index in 0\.\.29 once"):
        of_dictionary({"Mine": VALUES[ORDER], "indices": bad}, ".pt", tmp_path, split)


def test_of_two_lists_of_indices_one_must_be_named(split, tmp_path):
    content = {"Mine": VALUES[ORDER], "index": ORDER, "idx": SHUFFLED}
    with pytest.raises(ArtifactError, match="'index' and 'idx' may be the positions of the scores: say which"):
        of_dictionary(content, ".pt", tmp_path, split)
    assert np.array_equal(of_dictionary(content, ".pt", tmp_path, split, index="index").values, VALUES)
    with pytest.raises(UnknownName, match=r"unknown entry of s.pt 'indx': did you mean"):
        of_dictionary(content, ".pt", tmp_path, split, index="indx")


def test_the_two_arrays_of_tdds_belong_together(split, tmp_path, caplog):
    np.save(tmp_path / "mask.npy", ORDER)
    scores = of_array(VALUES[ORDER], tmp_path, split, index=str(tmp_path / "mask.npy"))
    assert np.array_equal(scores.values, VALUES)
    assert scores.provenance["imported"]["index"] == "mask.npy"
    assert len(scores.provenance["imported"]["index_sha256"]) == 64
    assert np.array_equal(of_array(VALUES, tmp_path, split, index=tmp_path / "mask.npy").values, VALUES)  # of DUAL
    caplog.clear()
    assert np.array_equal(of_array(VALUES[ORDER], tmp_path, split).values, VALUES[ORDER])
    assert "the scores are sorted, and nothing proves" in caplog.text


def test_what_proves_the_order_needs_no_word(split, tmp_path, caplog):
    of_dictionary({"Mine": VALUES[ORDER], "labels": split.labels}, ".pt", tmp_path, split)
    of_text("index,score\n" + "".join(f"{i},{i / 7}\n" for i in range(N)), tmp_path, split)
    of_array(VALUES, tmp_path, split)
    of_array(np.ones(N), tmp_path, split)
    assert not caplog.messages


# dictionaries


@pytest.mark.parametrize("ending", [".pt", ".json"])
def test_a_dictionary_from_positions(split, tmp_path, ending):
    content = {int(i): float(VALUES[i]) for i in SHUFFLED}
    if ending == ".json":
        content = {str(i): value for i, value in content.items()}
    labels = {i: int(split.labels[int(i)]) for i in reversed(content)}
    for entries, key in ((content, None), ({"Mine": content, "label": labels}, None), ({"x": content}, "x")):
        assert np.array_equal(of_dictionary(entries, ending, tmp_path, split, key=key).values, VALUES)
    del content[next(iter(content))]
    with pytest.raises(ArtifactError, match=rf"1 indices are missing \(the first: \[{SHUFFLED[0]}\]\)"):
        of_dictionary(content, ending, tmp_path, split)


def test_json_is_a_list_or_a_list_of_rows(split, tmp_path):
    plain = [VALUES.tolist(), {"scores": VALUES.tolist(), "seed": 3, "classes": list(CLASSES)}]
    table = [{"index": int(i), "score": VALUES[i], "label": CLASSES[split.labels[i]]} for i in SHUFFLED]
    for content in (*plain, table):
        assert np.array_equal(of_text(json.dumps(content), tmp_path, split, name="s.json").values, VALUES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('{"0": 1, "0": 2}', r"cannot be read as JSON \('0' is there twice\)"),
        ("3", "expected a dictionary of lists, as CCS has it, got a str"),
        ("{}", "expected a dictionary of lists"),
        ("[]", "expected 30 numbers"),
        (json.dumps(["x"] * N), r"30 of 30 scores are .*'x'"),
        (json.dumps([None] * N), "got object values"),
        (json.dumps([[1, 2]] * N), r"of shape \(30, 2\)"),
        (json.dumps([[1], [1, 2]]), "expected a dictionary of lists"),
        ("[" + "NaN," * (N - 1) + "1]", r"29 of 30 scores are NaN"),
        (json.dumps([True] * N), "a mask says"),
    ],
)
def test_json_that_does_not_fit_is_refused(split, tmp_path, text, message):
    with pytest.raises(ArtifactError, match=message):
        of_text(text, tmp_path, split, name="s.json")


def test_lists_of_numbers_are_columns_too(split, tmp_path):
    torch.save({"Mine": VALUES.tolist(), "targets": split.labels.tolist()}, tmp_path / "s.pt")
    assert np.array_equal(of(tmp_path / "s.pt", split).values, VALUES)
    torch.save({"Mine": torch.from_numpy(VALUES).to_sparse()}, tmp_path / "s.pt")
    with pytest.raises(ArtifactError, match="expected a dictionary of tensors"):
        of(tmp_path / "s.pt", split)


def test_a_damaged_archive_is_refused(split, tmp_path):
    for name in ("s.npz", "s.npy"):
        (tmp_path / name).write_bytes(b"PK\3\4 no archive")
        with pytest.raises(ArtifactError, match=f"{name} is damaged"):
            of(tmp_path / name, split)
    np.savez(tmp_path / "s.npz", Mine=np.array([{}] * N), other=VALUES)
    with pytest.raises(UnknownName, match=r"Known: other\."):
        of(tmp_path / "s.npz", split)


# labels


LABELS = ["label", "labels", "Label", "target", "Targets", "class", "CLASS_ID", "class name", "y", "true_label"]


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_checked_whatever_they_are_called(split, tmp_path, caplog, name):
    def table(labels):
        return rows(lambda i: f"{i},{VALUES[i]},{labels[i]}", f"index,score,{name}\n")

    names, wrong = np.array(CLASSES)[split.labels], (split.labels + 1) % 3
    spelt = [unicodedata.normalize("NFD", each).upper().replace(" ", "_") for each in names]
    for labels in (split.labels, split.labels.astype(float), names, spelt):
        assert np.array_equal(of_text(table(labels), tmp_path, split).values, VALUES)
    assert not caplog.messages
    for labels in (wrong, np.array(CLASSES)[wrong], ["?"] * N):
        with pytest.raises(ArtifactError, match=f"30 of 30 labels are not those of mine.*if '{name}' holds anything"):
            of_text(table(labels), tmp_path, split)


@pytest.mark.parametrize("ending", DICTIONARIES)
@pytest.mark.parametrize("name", ["labels", "Target", "y"])
def test_and_in_dictionaries(split, tmp_path, ending, name):
    names, wrong = np.array(CLASSES)[split.labels], (split.labels + 1) % 3
    for labels in (split.labels, split.labels.tolist(), names.tolist()):
        assert np.array_equal(of_dictionary({"Mine": VALUES, name: labels}, ending, tmp_path, split).values, VALUES)
    for labels in (wrong, names[::-1].tolist()):
        with pytest.raises(ArtifactError, match="labels are not those of mine"):
            of_dictionary({"Mine": VALUES, name: labels}, ending, tmp_path, split)
    with pytest.raises(ArtifactError, match=r"expected 30 labels, got \(30, 3\)"):
        of_dictionary({"Mine": VALUES, name: np.eye(3)[split.labels]}, ending, tmp_path, split)


def test_the_first_wrong_label_is_shown_as_it_is_written(split, tmp_path):
    names = np.array(CLASSES)[split.labels].astype(object)
    names[4] = "kite runner"
    text = "index,score,label\n" + "".join(f"{i},{i / 7},{names[i]}\n" for i in range(N))
    with pytest.raises(
        ArtifactError, match=r"1 of 30 labels .* at index 4: expected 'caf.', got 'kite runner' in line 6"
    ):
        of_text(text, tmp_path, split)


def test_labels_that_count_from_1_are_said(split, tmp_path, caplog):
    text = rows(lambda i: f"{i},{VALUES[i]},{split.labels[i] + 1}", "index,score,label\n")
    assert np.array_equal(of_text(text, tmp_path, split).values, VALUES)
    assert "the labels in 'label' count from 1, those of mine from 0" in caplog.text


def test_numbers_may_be_names_of_classes(tmp_path):
    split = from_arrays("some", np.zeros((N, 1, 4, 4)), np.arange(N) % 3, ("3", "7", "1"))
    names = np.array([3, 7, 1])[split.labels]
    assert np.array_equal(of_dictionary({"Mine": VALUES, "y": names}, ".pt", tmp_path, split).values, VALUES)
    with pytest.raises(ArtifactError, match="labels are not those"):
        of_dictionary({"Mine": VALUES, "y": names[::-1]}, ".pt", tmp_path, split)


def test_a_column_of_labels_is_named_where_there_are_several(split, tmp_path):
    text = rows(lambda i: f"{i},{VALUES[i]},{i % 2},{split.labels[i]}", "index,score,class,kind\n")
    with pytest.raises(ArtifactError, match="if 'class' holds anything else, say which are the labels"):
        of_text(text, tmp_path, split)
    assert np.array_equal(of_text(text, tmp_path, split, labels="kind").values, VALUES)
    with pytest.raises(ArtifactError, match="has no column king, only index, score, class, kind"):
        of_text(text, tmp_path, split, labels="king")


# names of images


@pytest.fixture
def folder(tmp_path):
    """Builds an image folder whose files have the names; its training split."""

    def build(names, classes=("a", "b")):
        for part in ("train", "val"):
            for c in classes:
                (tmp_path / "data" / part / c).mkdir(parents=True)
                for name in names:
                    Image.new("L", (4, 4), len(name)).save(tmp_path / "data" / part / c / name.replace("CLASS", c))
        return load("image_folder", tmp_path / "data", 4).train

    return build


NUMBERED = [f"{i}.png" for i in range(5)]
UNIQUE = [f"CLASS_{i}.png" for i in range(5)]


def named(split, name, **more):
    """Names of the images, in no order, and their scores in the order of the data set."""
    shuffled = np.random.default_rng(1).permutation(len(split))
    return [(name(split.images.paths[i]), float(VALUES[i])) for i in shuffled] + list(more.items())


def of_names(pairs, ending, tmp_path, split, **options):
    if ending == ".csv":
        lines = "".join(f'"{name}",{value}\n' for name, value in pairs)
        return of_text("index,score\n" + lines, tmp_path, split, **options)
    return of_dictionary(dict(pairs), ending, tmp_path, split, **options)


@pytest.mark.parametrize("ending", [".csv", ".pt", ".json"])
@pytest.mark.parametrize(
    ("names", "name"),
    [
        (NUMBERED, lambda p: f"{p.parent.name}/{p.name}"),
        (NUMBERED, lambda p: f"./train/{p.parent.name}/{p.name}"),
        (NUMBERED, lambda p: f"/mnt/elsewhere/train/{p.parent.name}/{p.name}"),
        (NUMBERED, lambda p: rf"D:\pets\{p.parent.name}\{p.name}"),
        (NUMBERED, lambda p: str(p)),
        (UNIQUE, lambda p: p.name),
        (UNIQUE, lambda p: p.name if p.name < "b" else f"b/{p.name}"),
        (["CLASS\u00e9.png", "CLASSx.png"], lambda p: unicodedata.normalize("NFD", p.name)),
    ],
)
def test_names_of_images_are_matched(folder, tmp_path, ending, names, name):
    split = folder(names)
    assert np.array_equal(of_names(named(split, name), ending, tmp_path, split).values, VALUES[: len(split)])


@pytest.mark.parametrize("ending", [".csv", ".pt", ".json"])
@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        (lambda p: p.name, {}, r"'\d.png'.* is none of the 10 images of image_folder's training split"),
        (lambda p: f"val/{p.parent.name}/{p.name}", {}, "'val/./..png'.* is none of the 10 images"),
        (lambda p: f"{p.parent.name}/{p.stem}", {}, "'./.'.* is none of the 10 images"),
        (lambda p: f"{p.parent.name}/{p.name}".replace("b/3", "b/8"), {}, "'b/8.png'.* is none of the 10 images"),
        (lambda p: f"{p.parent.name}/{p.name}", {"c/0.png": 1.0}, "'c/0.png'.* is none of the 10 images"),
        (lambda p: f"{p.parent.name}/{p.name}", {"train/a/0.png": 1.0}, "come more than once .'train/a/0.png'"),
    ],
)
def test_the_first_name_that_is_no_image_is_refused(folder, tmp_path, ending, name, more, message):
    split = folder(NUMBERED)
    with pytest.raises(ArtifactError, match=message.replace(" .'", r" \(the first: \['")):
        of_names(named(split, name, **more), ending, tmp_path, split)


def test_an_image_without_a_row_is_named(folder, tmp_path):
    split = folder(NUMBERED)
    pairs = [pair for pair in named(split, lambda p: f"{p.parent.name}/{p.name}") if pair[0] != "b/3.png"]
    with pytest.raises(ArtifactError, match=r"1 indices are missing .*train/b/3.png'\]\). Give each image one row"):
        of_names(pairs, ".csv", tmp_path, split)


def test_names_are_recognised_in_any_column(folder, tmp_path):
    split = folder(NUMBERED)
    pairs = named(split, lambda p: f"{p.parent.name}/{p.name}")
    lines = "".join(f"{row}.0,{name},{value}\n" for row, (name, value) in enumerate(pairs))
    scores = of_text(f"row,image,hard\n{lines}", tmp_path, split, column="hard")
    assert np.array_equal(scores.values, VALUES[:10])
    with pytest.raises(ArtifactError, match="the names of the images in 'image' have another order than 'index'"):
        of_text(f"index,image,score\n{lines}", tmp_path, split)
    assert np.array_equal(of_text(f"index,image,score\n{lines}", tmp_path, split, index="image").values, VALUES[:10])
    listed = "".join(f"{pairs[row][0]}\n" for row in np.argsort([value for _, value in pairs]))
    order = of_text(f"image\n{listed}", tmp_path, split, column="image", order=True)
    assert np.array_equal(np.argsort(order.values), np.argsort(VALUES[:10]))


def test_names_that_are_not_utf_8_are_matched(folder, tmp_path):
    folder(NUMBERED)
    for c in (b"a", b"b"):
        os.rename(
            os.fsencode(tmp_path / "data/train") + b"/%b/0.png" % c,
            os.fsencode(tmp_path / "data/train") + b"/%b/\xe9.png" % c,
        )
    split = load("image_folder", tmp_path / "data", 4).train
    pairs = named(split, lambda p: f"{p.parent.name}/{p.name}")
    for ending in (".csv", ".json"):
        assert np.array_equal(of_names(pairs, ending, tmp_path, split).values, VALUES[:10])
    export_subset(Subset(np.arange(10), 10, "all", split.fingerprint), tmp_path / "list", "list", split)
    listed = (tmp_path / "list").read_bytes().splitlines()
    assert [os.fsdecode(line) for line in listed] == [str(path) for path in split.images.paths]
    assert any(b"\xe9.png" in line for line in listed)


@pytest.mark.parametrize("mark", ["\n", "\r", "\r\n", "\v", "\u2028", "\x85"])
@pytest.mark.parametrize("place", ["x{}y.png", "{}.png"])
def test_a_path_with_a_line_break_is_not_listed(folder, tmp_path, mark, place):
    split = folder([*NUMBERED, place.format(mark)])
    subset = Subset(np.arange(len(split)), len(split), "all", split.fingerprint)
    with pytest.raises(DataError, match=r"2 of them have a line break, '.*png' first: rename it, or export links"):
        export_subset(subset, tmp_path / "list", "list", split)
    assert not (tmp_path / "list").exists()
    export_subset(subset, tmp_path / "links", "links", split)
    assert len(list((tmp_path / "links").glob("*/*"))) == len(split)


# precision


CLOSE = [
    1 + SHUFFLED * 1e-9,
    1 + SHUFFLED * 1e-15,
    2**40 + SHUFFLED,
    (2**52 + SHUFFLED).astype(np.uint64),
    SHUFFLED * 1e-60,
    -3e38 + SHUFFLED * 1e25,
]


@pytest.mark.parametrize("values", CLOSE)
def test_scores_keep_their_ranking_by_every_route(split, tmp_path, values):
    text = rows(lambda i: f"{i},{values[i]!r}".replace("np.float64(", "").replace("np.int64(", "").replace(")", ""))
    text = text.replace("np.uint64(", "")
    routes = [of_array(values, tmp_path, split), of_text(text, tmp_path, split)]
    routes += [of_dictionary({"Mine": values}, ending, tmp_path, split) for ending in DICTIONARIES]
    for scores in routes:
        assert scores.estimates.dtype == np.float64
        assert np.array_equal(np.argsort(scores.values), np.argsort(SHUFFLED))
        folder = tmp_path / f"scores{len(list(tmp_path.iterdir()))}"
        scores.save(folder)
        assert np.array_equal(Scores.load(folder).values, scores.values)


@pytest.mark.parametrize(
    "values",
    [2**60 + SHUFFLED, (2**63 + SHUFFLED.astype(np.uint64)), np.longdouble(1) + SHUFFLED * np.longdouble(1e-18)],
)
def test_what_float64_would_tie_is_refused(split, tmp_path, values):
    with pytest.raises(ArtifactError, match="would be the same in float64: subtract what they have in common"):
        of_array(values, tmp_path, split)


@pytest.mark.parametrize(
    "digit",
    [
        lambda i: f"1.0000000000000000{i:02}",
        lambda i: str(2**60 + int(i)),
        lambda i: f"0,0000000000000000{10**17 + int(i)}",
    ],
)
def test_and_so_is_text(split, tmp_path, digit):
    assert len({Decimal(digit(i).replace(",", ".")) for i in range(N)}) == N
    with pytest.raises(ArtifactError, match="would be the same in float64"):
        of_text(rows(lambda i: f"{i};{digit(i)}", "index;score\n"), tmp_path, split)


def test_equal_numbers_may_be_written_in_several_ways(split, tmp_path):
    text = rows(lambda i: f"{i},{['1', '1.0', '+1', '1e0', '01.00', '.1e1'][i % 6]}")
    assert np.array_equal(of_text(text, tmp_path, split).values, np.ones(N))


# any file, and the command line


def run(*args):
    main([str(arg) for arg in args])


def fails(*args):
    with pytest.raises(SystemExit) as stopped:
        run(*args)
    return str(stopped.value.code)


def test_the_command_line_has_the_same_options(digits, tmp_path):
    order = np.random.default_rng(0).permutation(1437)
    np.save(tmp_path / "mask.npy", order)
    np.save(tmp_path / "sorted.npy", np.arange(1437) / 7)
    command = ["import-scores", tmp_path / "mask.npy", "--dataset", "digits", "--name", "AUM", "--out"]
    assert "'score' is a permutation of 0 to 1436" in fails(*command, tmp_path / "none")
    run(*command, tmp_path / "ranks", "--ranks")
    run(*command, tmp_path / "order", "--order")
    command[1] = tmp_path / "sorted.npy"
    run(*command, tmp_path / "pair", "--index", tmp_path / "mask.npy")
    ranks, listed, pair = (Scores.load(tmp_path / name).values for name in ("ranks", "order", "pair"))
    assert np.array_equal(ranks, order)
    assert np.array_equal(np.argsort(listed), order)
    assert np.array_equal(np.argsort(pair), order)
    table = "".join(f"{i},{i / 7},{label}\n" for i, label in enumerate(digits.train.labels))
    (tmp_path / "s.csv").write_text("index,score,kind\n" + table)
    command[1] = tmp_path / "s.csv"
    run(*command, tmp_path / "labels", "--labels", "kind")
    assert "has no column king" in fails(*command, tmp_path / "none", "--labels", "king")


def test_options_are_refused_before_the_data_are_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr("drd_plugin.cli.data.load", lambda *args, **options: pytest.fail("the data were loaded"))
    np.save(tmp_path / "s.npy", VALUES)
    command = ["import-scores", tmp_path / "s.npy", "--dataset", "digits", "--out", tmp_path / "out", "--name"]
    assert "which way is hard must be said" in fails(*command, "Mine")
    assert "`key` with dictionaries" in fails(*command, "AUM", "--key", "x")
    assert "goes without `ranks`" in fails(*command, "AUM", "--ranks", "--order")
    assert "there is no file" in fails(*command[:1], tmp_path / "x.npy", *command[2:], "AUM")
