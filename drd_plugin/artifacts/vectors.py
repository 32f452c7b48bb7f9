"""Positions and other whole numbers, one for each example, as users give them: arrays, tensors, lists, columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .files import ArtifactError

__all__ = ["as_array", "positions_of", "whole_numbers"]

LIMIT = 2.0**63


def as_array(values: Any) -> np.ndarray:
    """The values of an array, a tensor, a list or a column of a table as an array; of objects for a list, since NumPy
    makes all values of a list one type. Anything else is an array of no dimensions.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy()
    if isinstance(values, np.ma.MaskedArray):
        plain = np.array(values.data, object)
        plain[np.ma.getmaskarray(values)] = None
        return plain
    if hasattr(values, "__array__"):
        return np.asarray(values)
    listed = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    try:
        return np.array([*values] if listed else values, object)
    except ValueError:  # lists of different lengths, some of which NumPy refuses
        return np.fromiter(values, object, len(values))


def whole_numbers(
    array: np.ndarray, meaning: str, error: type[ValueError] = ArtifactError, whose: str = ""
) -> np.ndarray:
    """A copy of numbers as int64[n], or of truth values as bool[n].

    Arguments:
        array: Of one dimension; floating point and objects are taken where all are whole numbers.
        meaning: What the numbers are, for the message.
        error: The error to raise.
        whose: The beginning of its message.

    Raises:
        ValueError: If one is no whole number of 64 bits; the message has its position.
    """
    if array.dtype.kind in "bi":
        return array.astype(bool if array.dtype.kind == "b" else np.int64)
    if array.dtype.kind == "O":
        items = [item.item() if getattr(item, "ndim", None) == 0 else item for item in array]
        integral = np.array([_is_whole(item) for item in items], bool)
        if integral.all():
            return np.array(items, bool if items and all(isinstance(item, bool) for item in items) else np.int64)
    else:
        numbers = array.astype(np.float64) if array.dtype.kind in "uf" else np.full(len(array), np.nan)
        integral = (numbers == np.floor(numbers)) & (numbers >= -LIMIT) & (numbers < LIMIT)
        if integral.all():
            return array.astype(np.int64)
    wrong = int(integral.argmin())
    value = array[wrong : wrong + 1].tolist()[0]
    kind = type(value).__name__ if array.dtype == object else str(array.dtype)
    raise error(f"{whose}expected integer {meaning}, got {kind} values: {value!r} at position {wrong}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float) and -LIMIT <= value < LIMIT and value == int(value)


def positions_of(values: Any, n: int) -> np.ndarray:
    """Distinct positions among n examples, int64[k], in their order, from integers or from a mask bool[n].

    Raises:
        ArtifactError: If they are neither, or one is out of range or appears twice.
    """
    array = as_array(values)
    if array.ndim != 1:
        got = f"an array of the shape {array.shape}" if array.ndim else f"a {type(values).__name__}"
        raise ArtifactError(f"expected integer positions [k], or a mask of {n} truth values, got {got}.")
    index = whole_numbers(array, "positions")
    if index.dtype == bool:
        if len(index) != n:
            raise ArtifactError(f"expected a mask of {n} truth values, one for each example, got {len(index)}.")
        return np.flatnonzero(index)
    wrong = np.flatnonzero((index < 0) | (index >= n))
    if len(wrong):
        raise ArtifactError(
            f"expected distinct indices in 0..{n - 1}, got {index[wrong[0]]} at position {wrong[0]} ({len(wrong)} out "
            "of range)."
        )
    _, first = np.unique(index, return_index=True)
    if len(first) < len(index):
        again = int(np.setdiff1d(np.arange(len(index)), first)[0])
        raise ArtifactError(
            f"expected distinct indices in 0..{n - 1}, got {index[again]} a second time at position {again} "
            f"({len(index) - len(first)} such)."
        )
    return index
