import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drd_plugin.artifacts import ArtifactError, Scores, Subset, check_fingerprint, write_aside, write_part
from drd_plugin.strategies.base import by_hardness


@pytest.fixture
def scores():
    estimates = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    return Scores("DRD", estimates, np.arange(50) % 5, True, "digits:1234", {"seed": 3, "seconds": 1.5})


def test_scores_come_back_as_they_were(scores, tmp_path):
    scores.save(tmp_path)
    back = Scores.load(tmp_path)
    assert np.array_equal(back.estimates, scores.estimates)
    assert np.array_equal(back.labels, scores.labels)
    assert (back.name, back.higher_is_harder, back.fingerprint, back.provenance) == (
        "DRD",
        True,
        "digits:1234",
        scores.provenance,
    )


def test_value_and_standard_error_by_hand():
    scores = Scores("x", np.array([[1.0, 3.0], [2.0, 2.0]]), np.zeros(2), False, "f")
    assert scores.values.tolist() == [2, 2]
    assert scores.stderr.tolist() == [1, 0]
    assert scores.hardness.tolist() == [-2, -2]
    assert replace(scores, estimates=scores.estimates[:, :1]).stderr is None


def test_parts_make_a_whole_in_any_order_of_writing(scores, tmp_path):
    for part in (2, 0, 1):
        chunk = np.array_split(np.arange(50), 3)[part]
        write_part(
            tmp_path,
            part,
            3,
            chunk,
            replace(scores, estimates=scores.estimates[chunk], labels=scores.labels[chunk]),
            50,
        )
    back = Scores.load(tmp_path)
    assert np.array_equal(back.estimates, scores.estimates)
    assert back.provenance["seconds"] == 4.5


def test_the_human_columns_can_be_read_with_pandas(scores, tmp_path):
    import pandas as pd

    scores.save(tmp_path)
    frame = pd.read_parquet(tmp_path / "part-00000-of-00001.parquet")
    assert list(frame.columns) == ["index", "label", "score", "stderr", "estimates"]
    assert np.array_equal(frame["score"], scores.values)


def test_a_missing_part_is_an_unfinished_run(scores, tmp_path):
    write_part(tmp_path, 0, 3, np.arange(50), scores, 150)
    with pytest.raises(ArtifactError, match="incomplete: found 1 of 3 parts"):
        Scores.load(tmp_path)


def test_an_empty_folder_holds_no_scores(tmp_path):
    with pytest.raises(ArtifactError, match="holds no scores"):
        Scores.load(tmp_path)
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(ArtifactError, match="no finished scores yet"):
        Scores.load(tmp_path)
    with pytest.raises(ArtifactError, match="there is no folder"):
        Scores.load(tmp_path / "nowhere")


@given(position=st.floats(0.01, 0.99), flip=st.integers(1, 255))
def test_a_damaged_part_is_never_read_as_a_whole_one(position, flip):
    estimates = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    scores = Scores("DRD", estimates, np.arange(200) % 5, True, "digits:1234")
    with TemporaryDirectory() as folder:
        scores.save(Path(folder))
        path = Path(folder) / "part-00000-of-00001.parquet"
        content = bytearray(path.read_bytes())
        content[int(position * len(content))] ^= flip
        path.write_bytes(bytes(content))
        try:
            back = Scores.load(Path(folder))
        except ArtifactError:
            return
        assert np.array_equal(back.estimates, estimates)
        assert np.array_equal(back.labels, scores.labels)


def test_parts_of_different_runs_are_refused(scores, tmp_path):
    write_part(tmp_path, 0, 2, np.arange(50), scores, 100)
    write_part(tmp_path, 1, 2, np.arange(50, 100), replace(scores, provenance={"seed": 4}), 100)
    with pytest.raises(ArtifactError, match="different settings"):
        Scores.load(tmp_path)


def test_scores_must_be_finite(scores):
    estimates = scores.estimates.copy()
    estimates[7, 2] = np.nan
    with pytest.raises(ArtifactError, match=r"1 examples are NaN or infinite \(the first: \[7\]\)"):
        replace(scores, estimates=estimates)


CLOSE = [1 + np.arange(12) * 1e-12, 2**45 + np.arange(12), np.arange(12) * 1e-50, np.linspace(-1e-9, 1e-9, 12) - 7]


@pytest.mark.parametrize("values", CLOSE)
def test_scores_that_float32_would_make_equal_stay_different(values, tmp_path):
    order = np.random.default_rng(0).permutation(12)
    scores = Scores("x", values[order, None], np.arange(12) % 2, False, "f")
    assert scores.estimates.dtype == scores.values.dtype == scores.hardness.dtype == np.float64
    assert np.array_equal(scores.values, values[order])
    for part, chunk in enumerate((np.arange(5), np.arange(5, 12))):
        write_part(tmp_path / "at", part, 2, chunk, scores.at(chunk), 12)
        some = replace(scores, estimates=scores.estimates[chunk], labels=scores.labels[chunk])
        write_part(tmp_path / "replaced", part, 2, chunk, some, 12)
    scores.save(tmp_path / "saved")
    for folder in ("at", "replaced", "saved"):
        back = Scores.load(tmp_path / folder)
        assert np.array_equal(back.estimates, scores.estimates)
        assert np.array_equal(by_hardness(back, np.random.default_rng(1)), np.argsort(-values[order]))


def test_parts_of_both_precisions_join(scores):
    fine = replace(scores, estimates=scores.estimates.astype(np.float64) + np.arange(4) * 1e-12, double=True)
    both = Scores.joined([scores, fine])
    assert both.estimates.dtype == np.float64
    assert np.array_equal(both.estimates, np.concatenate([scores.estimates, fine.estimates]))


@pytest.mark.parametrize(
    "estimates",
    [
        np.random.default_rng(0).normal(size=(12, 3)),
        np.arange(12)[:, None],
        np.arange(12)[:, None] % 3 / 7,
        np.arange(12, dtype=np.float16)[:, None],
        np.arange(12)[:, None] > 4,
        np.ones((12, 1)) + 1e-30,
    ],
)
def test_all_others_are_float32_as_ever(estimates, tmp_path):
    scores = Scores("x", estimates, np.zeros(12), True, "f")
    assert scores.estimates.dtype == scores.values.dtype == np.float32
    assert np.array_equal(scores.estimates, np.asarray(estimates, np.float32))
    scores.save(tmp_path)
    assert Scores.load(tmp_path).estimates.dtype == np.float32


@pytest.mark.parametrize("wide", [2**60 + np.arange(9), np.uint64(2**63) + np.arange(9, dtype=np.uint64)])
def test_what_float64_would_make_equal_is_refused(wide):
    with pytest.raises(ArtifactError, match="x: some estimates that differ would be the same in float64: subtract"):
        Scores("x", wide[:, None], np.zeros(9), True, "f")


def test_scores_own_their_arrays():
    estimates, labels = np.arange(8, dtype=np.float32).reshape(4, 2) / 7, np.array([0, 1, 0, 1])
    scores = Scores("x", estimates, labels, True, "f")
    again = replace(scores)
    before, of_labels = scores.estimates.copy(), labels.copy()
    estimates[:], labels[:] = 9, 9
    scores.estimates[0] = 5
    assert np.array_equal(again.estimates, before)
    assert np.array_equal(scores.estimates[1:], before[1:])
    assert np.array_equal(scores.labels, of_labels)


@pytest.mark.parametrize(
    ("estimates", "labels", "message"),
    [
        (np.zeros((3, 0)), np.zeros(3), r"shape \[n, R\] for 3 labels, got \(3, 0\)"),
        (np.zeros(3), np.zeros(3), r"got \(3,\)"),
        (np.zeros((3, 1)), np.zeros((3, 1)), r"shape \[n, R\]"),
        (np.zeros((3, 1), complex), np.zeros(3), "expected numbers as estimates, got complex128"),
        (np.full((3, 1), "1"), np.zeros(3), "expected numbers as estimates, got <U1"),
        (np.full((3, 1), 1e39), np.zeros(3), r"3 examples are NaN or infinite .*below 3.4e38"),
        (np.zeros((3, 1)), [0, 1.5, 2], "expected integer labels, got .*1.5 at position 1"),
        (np.zeros((3, 1)), ["a", "b", "c"], "expected integer labels"),
        (np.zeros((3, 1)), [0, None, 1], "expected integer labels, .*None at position 1"),
    ],
)
def test_what_are_no_scores_is_refused(estimates, labels, message):
    with pytest.raises(ArtifactError, match=message):
        Scores("x", estimates, labels, True, "f")


def test_nothing_half_written_is_left(tmp_path):
    def write_half():
        with write_aside(tmp_path / "a" / "b.txt") as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_subset_comes_back_sorted_with_its_weights(tmp_path):
    subset = Subset(np.array([5, 1, 3]), 10, "DRD", "digits:1", np.array([0.5, 0.1, 0.3]), {"start": 0.2}, {"seed": 1})
    subset.save(tmp_path / "s.json")
    back = Subset.load(tmp_path / "s.json")
    assert back.indices.tolist() == [1, 3, 5]
    assert np.allclose(back.weights, [0.1, 0.3, 0.5])
    assert (back.chosen, back.provenance, back.method, back.n) == ({"start": 0.2}, {"seed": 1}, "DRD", 10)


@pytest.mark.parametrize("indices", [[], [0, 0], [-1, 2], [3, 10]])
def test_impossible_indices_are_refused(indices):
    with pytest.raises(ArtifactError, match=r"distinct indices in 0\.\.9"):
        Subset(np.array(indices, np.int64), 10, "x", "f")


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [1.0, np.nan], [0.0, 0.0]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ArtifactError, match="2 finite, non-negative weights"):
        Subset(np.array([1, 2]), 10, "x", "f", np.array(weights))


@pytest.mark.parametrize(
    "damage", [lambda t: t[: len(t) // 2], lambda t: "{}", lambda t: json.dumps(json.loads(t) | {"k": 99})]
)
def test_a_damaged_subset_is_refused(tmp_path, damage):
    path = tmp_path / "s.json"
    Subset(np.arange(5), 10, "DRD", "digits:1").save(path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ArtifactError, match="is no subset file"):
        Subset.load(path)


def test_artefacts_of_another_data_set_are_refused():
    with pytest.raises(
        ArtifactError, match="the AUM score was made for the data set a:1, but the data set at hand is b:2"
    ):
        check_fingerprint("a:1", "b:2", "the AUM score")
