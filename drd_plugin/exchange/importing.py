"""Importing the scores of other tools as `Scores`.

- `.csv`: the columns `index` and `score`, and perhaps `label`; the rows in any order.
- `.npy`: float[n] in the order of the data set, which cannot be checked.
- `.pt`, `.pth`, `.pickle`, `.pkl`: the dictionary of CCS and D2 pruning, of tensors of length n, whose `targets` prove
  the order. It is read weights-only: a raw pickle, as both write it, must be rewritten first.

References:
    Coverage-centric Coreset Selection for High Pruning Rates (Zheng et al., 2023), https://arxiv.org/abs/2210.15809
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`generate_importance_score.py`)
    D2 Pruning: Message Passing for Balancing Diversity and Difficulty in Data Pruning (Maharana et al., 2024),
    https://arxiv.org/abs/2310.07931 https://github.com/adymaharana/d2pruning

Differences: the entries of these dictionaries are variants of this library's scores of the same names:
`accumulated_margin` is the sum of what AUM[margin=probabilities] averages, `el2n` is EL2N[first_epochs=10,
outputs=train, aggregate=sum], and `forgetting` is Forgetting[variant=ccs].
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Scores
from ..artifacts.files import load_array, sha256
from ..core.registry import unknown
from ..data import Split, check_split
from ..scores import SCORES
from .formats import read_csv, read_dictionary

__all__ = ["import_scores"]

FORMATS = {".csv": "csv", ".npy": "npy", ".pt": "torch", ".pth": "torch", ".pickle": "torch", ".pkl": "torch"}

KEYS = {"Forgetting": "forgetting", "EL2N": "el2n", "AUM": "accumulated_margin"}
"""CCS's names of the scores that have another name here."""


def import_scores(
    path: Path | str,
    split: Split,
    *,
    name: str,
    higher_is_harder: bool | None = None,
    column: str = "score",
    index: str = "index",
    key: str | None = None,
) -> Scores:
    """Scores of a training split from a file that another tool has written.

    Arguments:
        path: The file; its ending determines the format.
        split: The training split that was scored, of n examples.
        name: The name for the score.
        higher_is_harder: Whether a larger value means a harder example; a registered score's own direction by default.
        column: The column of a CSV with the scores.
        index: The column of a CSV with the positions in the data set, each of 0..n-1 once, in any order.
        key: The entry of a dictionary; by default CCS's name of the score `name`, else `name` itself.

    Returns:
        One estimate of each example's score, float32[n, 1].

    Raises:
        ArtifactError: If the file is missing, damaged or a raw pickle, does not give each example one finite number, or
            holds other labels than the split.
        UnknownName: If the format or the entry is unknown.
        ValueError: If the direction is unknown, or an argument does not go with the format.
    """
    check_split(split)
    path = Path(path)
    kind, harder = _format(path), _direction(name, higher_is_harder)
    if (key is not None and kind != "torch") or ((column, index) != ("score", "index") and kind != "csv"):
        raise ValueError(f"{path}: `column` and `index` go with .csv files, and `key` with dictionaries: leave it out.")
    labels: np.ndarray | None = None
    place: dict[str, Any] = {}
    if kind == "csv":
        (values, labels), place = read_csv(path, column, index, len(split)), {"column": column}
    elif kind == "torch":
        place = {"key": key or KEYS.get(name, name)}
        values, labels = read_dictionary(path, place["key"])
    else:
        values = load_array(path)
    values = _finite(path, values, len(split))
    if labels is not None:
        _check_labels(path, labels, split)
    origin = {"file": path.name, "sha256": sha256(path), "format": kind} | place
    provenance = {"imported": origin, "score": {"name": name}, "dataset": split.name, "fingerprint": split.fingerprint}
    return Scores(name, values[:, None], split.labels, harder, split.fingerprint, provenance)


def _format(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise unknown("format of scores", path.suffix, FORMATS)
    if not path.is_file():
        raise ArtifactError(f"there is no file {path}: give the scores that another tool has written.")
    return FORMATS[path.suffix.lower()]


def _direction(name: str, higher_is_harder: bool | None) -> bool:
    if higher_is_harder is None and name not in SCORES:
        raise ValueError(
            f"{name} is none of this library's scores ({', '.join(SCORES)}), so which way is hard must be said: give "
            "higher_is_harder (--harder higher, or lower)."
        )
    return SCORES[name].higher_is_harder if higher_is_harder is None else higher_is_harder


def _finite(path: Path, values: np.ndarray, n: int) -> np.ndarray:
    """The values as float32[n]."""
    if values.shape != (n,) or values.dtype.kind not in "iuf":
        raise ArtifactError(
            f"{path}: expected {n} numbers, one for each example of the training split, got {values.dtype} values of "
            f"shape {values.shape}."
        )
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    broken = np.flatnonzero(~np.isfinite(single))
    if len(broken):
        raise ArtifactError(
            f"{path}: {len(broken)} of {n} scores are NaN, infinite or no numbers (the first at the indices "
            f"{broken[:5].tolist()}); every example needs a finite score."
        )
    return single


def _check_labels(path: Path, labels: np.ndarray, split: Split) -> None:
    """Raises ArtifactError unless the labels, float64[n], are those of the split."""
    if labels.shape != split.labels.shape:
        raise ArtifactError(f"{path}: expected {len(split)} labels, got {labels.shape}.")
    wrong = np.flatnonzero(labels != split.labels)
    if len(wrong):
        first = wrong[0]
        raise ArtifactError(
            f"{path}: {len(wrong)} of {len(split)} labels are not those of {split.name}, the first at index {first}: "
            f"expected {split.labels[first]}, got {labels[first]:g}. The file is for other data, or in another order."
        )
