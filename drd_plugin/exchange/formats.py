"""Readers of score files of other tools, none of which runs code from the file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import is_zipfile

import numpy as np

from ..artifacts import ArtifactError
from ..core.registry import unknown

if TYPE_CHECKING:
    from pandas import Series

__all__ = ["read_csv", "read_dictionary"]


def read_csv(path: Path, column: str, index: str, n: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The scores of a CSV, and the labels if there is a column `label`.

    Arguments:
        path: The file, with a line of names above the rows.
        column: The column with the scores.
        index: The column with the positions in the data set.
        n: The number of examples.

    Returns:
        The scores, float64[n], and the labels, float64[n] or None, in the order of the data set; NaN for a text that is
        no number.

    Raises:
        ArtifactError: If the file is damaged, a column is missing, or the positions are not 0..n-1 once each.
    """
    import pandas as pd

    try:
        frame = pd.read_csv(path)
    except ValueError as error:
        raise ArtifactError(
            f"{path} cannot be read as CSV ({error}): expected a line of names above the rows."
        ) from error
    absent = [name for name in (index, column) if name not in frame]
    if absent:
        raise ArtifactError(
            f"{path} has no column {' and no column '.join(absent)}, only {', '.join(frame)}: say which column holds "
            "the indices (--index) and which the scores (--column)."
        )
    order = np.argsort(_positions(path, frame[index], n))
    return _numbers(frame[column])[order], _numbers(frame["label"])[order] if "label" in frame else None


def _positions(path: Path, column: Series, n: int) -> np.ndarray:
    """The positions in a column, float64[n], each of 0..n-1 once."""
    import pandas as pd

    index = _numbers(column)
    for problem, rows in (
        ("are no integers", column[index != np.floor(index)]),
        ("are out of range", column[(index < 0) | (index >= n)]),
        ("come more than once", column[pd.Series(index).duplicated().to_numpy()]),
        ("are missing", pd.Series(np.setdiff1d(np.arange(n), index))),
    ):
        if len(rows):
            raise ArtifactError(
                f"{path}: expected each index in 0..{n - 1} once, got {len(index)} rows; {len(rows)} indices "
                f"{problem} (the first: {rows[:5].tolist()}). Number the examples from 0, in the order of the data set."
            )
    return index


def _numbers(column: Series) -> np.ndarray:
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64)


def read_dictionary(path: Path, key: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The entry `key` of a dictionary of tensors, and the entry `targets` or None, as float64 of their shapes.

    Raises:
        ArtifactError: If the file cannot be read weights-only, or is no dictionary of tensors.
        UnknownName: If there is no such entry.
    """
    from torch import Tensor

    content = _load(path)
    entries = content.items() if isinstance(content, Mapping) else ()
    arrays = {str(name): value.detach().double().numpy() for name, value in entries if isinstance(value, Tensor)}
    if not arrays:
        raise ArtifactError(f"{path}: expected a dictionary of tensors, as CCS has it, got a {type(content).__name__}.")
    if key not in arrays:
        raise unknown(f"entry of {path.name}", key, arrays)
    return arrays[key], arrays.get("targets")


def _load(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(action="ignore"):  # a file that is refused needs no warnings
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of several kinds, none of which has a common base
        hint = (
            "it is damaged, or holds more than tensors; torch.save a dictionary of nothing but tensors."
            if is_zipfile(path)
            else "it is damaged, or a raw pickle, which may run code when it is read. If you trust it, rewrite it: "
            f"python -c \"import pickle, torch; torch.save(pickle.load(open('{path}','rb')), "
            f"'{path.with_suffix('')}-tensors.pt')\""
        )
        raise ArtifactError(f"{path} cannot be read weights-only ({type(error).__name__}): {hint}") from error
