"""Positions as users give them: integers or a mask; and artefacts own their arrays."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from drd_plugin.artifacts import ArtifactError, Features, Subset
from drd_plugin.artifacts.vectors import positions_of

MASK = np.isin(np.arange(9), [2, 3, 7])


def subset(indices, n=9, **fields):
    return Subset(indices, n, "mine", "x:1", **fields)


@pytest.mark.parametrize(
    "indices",
    [
        [2, 3, 7],
        (7, 2, 3),
        [2.0, 3, np.int8(7)],
        np.array([2, 3, 7], ">i4"),
        np.array([2, 3, 7], np.uint8),
        np.array([2.0, 3.0, 7.0]),
        np.array([2, 3, 7], object),
        np.array([7, 3, 2])[::-1],
        torch.tensor([2, 3, 7]),
        torch.tensor([2.0, 3.0, 7.0]).bfloat16(),
        [torch.tensor(2), torch.tensor(3), torch.tensor(7)],
        pd.Series([2, 3, 7]),
        pd.Series([2, 3, 7], dtype="Int64"),
        MASK,
        MASK.tolist(),
        torch.from_numpy(MASK),
        pd.Series(MASK),
    ],
)
def test_positions_of_any_type_are_taken(indices):
    made = subset(indices)
    assert made.indices.dtype == np.int64
    assert made.indices.tolist() == [2, 3, 7]


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0.2, 1.7], "expected integer positions, got float values: 0.2 at position 0"),
        (np.array([1, 1.5]), "got float64 values: 1.5 at position 1"),
        (np.array([1, np.nan]), "nan at position 1"),
        (torch.tensor([1.0, torch.inf]), "inf at position 1"),
        ([1, None], "None at position 1"),
        (["1", "2"], "got str values: '1' at position 0"),
        (np.array(["1"]), "'1' at position 0"),
        ([[1, 2], [3, 4]], r"an array of the shape \(2, 2\)"),
        (MASK[:, None], r"an array of the shape \(9, 1\)"),
        (MASK[:8], "a mask of 9 truth values, one for each example, got 8"),
        ([1, 9], r"distinct indices in 0\.\.8, got 9 at position 1 \(1 out of range\)"),
        ([1, -1], "got -1 at position 1"),
        ([2**70], "expected integer positions"),
        ([1, 2, 1], "got 1 a second time at position 2"),
        ([], "at least one; got none"),
        (MASK & False, "at least one; got none"),
        ({1, 2}, "got a set"),
        ("12", "got a str"),
        (3, "got a int"),
        (None, "got a NoneType"),
    ],
)
def test_positions_that_cannot_be_meant_are_refused(indices, message):
    with pytest.raises(ArtifactError, match=message):
        subset(indices)


@given(st.data(), st.integers(1, 30))
def test_a_mask_and_its_positions_are_the_same(data, n):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    assert np.array_equal(positions_of(mask, n), positions_of(np.flatnonzero(mask), n))
    assert np.array_equal(positions_of(mask.tolist(), n), np.flatnonzero(mask))


@pytest.mark.parametrize("weights", [["1", "2", "3"], [1, None, 2], np.array([1j, 1, 1]), [[1, 2, 3]], "123"])
def test_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(ArtifactError, match="expected 3 finite, non-negative weights"):
        subset([2, 3, 7], weights=weights)


def test_a_subset_owns_its_arrays():
    for indices, weights in (
        (np.array([2, 3, 7]), np.ones(3, np.float32)),
        (torch.tensor([2, 3, 7]), torch.ones(3)),
        (MASK.copy(), np.ones(3)),
    ):
        made = subset(indices, weights=weights)
        indices[:], weights[:] = 0, 0
        assert made.indices.tolist() == [2, 3, 7]
        assert made.weights.tolist() == [1, 1, 1]


def test_a_file_with_other_numbers_or_a_byte_order_mark(tmp_path):
    path = tmp_path / "subset.json"
    subset([2, 3, 7]).save(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Subset.load(path).indices.tolist() == [2, 3, 7]
    content = json.loads(path.read_text("utf-8-sig"))
    for indices in ([0.2, 1.7, 2.9], [1, 2, None], ["1", "2", "3"], [True, False, True], [[1], [2], [3]]):
        path.write_text(json.dumps(content | {"indices": indices}))
        with pytest.raises(ArtifactError, match="is no subset file"):
            Subset.load(path)


def test_features_own_their_values():
    for values in (np.ones((3, 2), np.float32), np.ones((3, 2)), torch.ones(3, 2)):
        features = Features(values)
        values[:] = 0
        assert features.values.tolist() == [[1, 1]] * 3
        assert replace(features, values=np.zeros((3, 2), np.float32)).values.max() == 0
    values = np.ones((3, 2), np.float32)
    assert Features(values, owned=True).values is values
    assert Features(torch.ones(3, 2, requires_grad=True)).values.dtype == np.float32


@pytest.mark.parametrize("values", [[[1, 2], [3]], [["a"]], None, "abc", [[1, None]], np.ones((2, 2), bool)])
def test_features_that_are_no_numbers_are_refused(values):
    with pytest.raises(ArtifactError, match=r"expected features, numbers of shape \[n, d\]"):
        Features(values)
