"""Importing the scores of other tools as `Scores`.

- `.csv`, `.tsv`: the columns `index` (positions, or the names of a folder's images) and `score`; the rows in any order.
- `.npy`: float[n] in the order of the data set, which cannot be checked; or, as TDDS writes them, sorted, with the
  positions in a second `.npy`.
- `.pt`, `.pth`, `.pickle`, `.pkl`, `.npz`, `.json`: a dictionary of columns of length n, as CCS, D2 pruning, BWS and
  `example_forgetting` have it, or a dictionary from positions or names of images to scores. It is read weights-only: a
  raw pickle must be rewritten first. Scores that are sorted beside their indices are put in place by them.

Columns of labels, whatever they are called, prove the order. A permutation of 0..n-1 is no score but the order of the
examples (DUAL and TDDS call it a mask), unless it is said to be.

References:
    Coverage-centric Coreset Selection for High Pruning Rates (Zheng et al., 2023), https://arxiv.org/abs/2210.15809
    https://github.com/haizhongzheng/Coverage-centric-coreset-selection (`generate_importance_score.py`)
    D2 Pruning: Message Passing for Balancing Diversity and Difficulty in Data Pruning (Maharana et al., 2024),
    https://arxiv.org/abs/2310.07931 https://github.com/adymaharana/d2pruning
    An Empirical Study of Example Forgetting during Deep Neural Network Learning (Toneva et al., 2019),
    https://arxiv.org/abs/1812.05159 https://github.com/mtoneva/example_forgetting (`order_examples_by_forgetting.py`)
    Spanning Training Progress: Temporal Dual-Depth Scoring (Zhang et al., 2024), https://arxiv.org/abs/2311.13613
    https://github.com/zhangxin-xd/Dataset-Pruning-TDDS (`importance_evaluation.py`)
    Lightweight Dataset Pruning without Full Training via Example Difficulty and Prediction Uncertainty (Cho et al.,
    2025), https://arxiv.org/abs/2502.06905 https://github.com/behaapyy/dual-pruning (`importance_evaluation.py`)
    Beyond neural scaling laws: beating power law scaling via data pruning (Sorscher et al., 2022),
    https://arxiv.org/abs/2206.14486 https://github.com/rgeirhos/dataset-pruning-metrics

Differences: the entries of these dictionaries are variants of this library's scores of the same names:
`accumulated_margin` is the sum of what AUM[margin=probabilities] averages, `el2n` is EL2N[first_epochs=10,
outputs=train, aggregate=sum], and `forgetting` is Forgetting[variant=ccs].
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Scores
from ..artifacts.files import sha256
from ..core.registry import unknown
from ..data import Split, check_split
from ..scores import SCORES
from .columns import indistinct, is_permutation, is_sorted, numbers, plain
from .formats import Table, read
from .matching import check_labels, rows_in_order, rows_of

__all__ = ["check_import", "import_scores"]

log = logging.getLogger(__name__)

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".npy": "npy", ".npz": "npz", ".json": "json",
    ".pt": "torch", ".pth": "torch", ".pickle": "torch", ".pkl": "torch",
}  # fmt: skip

KEYS = {"Forgetting": "forgetting", "EL2N": "el2n", "AUM": "accumulated_margin"}
"""CCS's names of the scores that have another name here."""


def import_scores(
    path: Path | str,
    split: Split,
    *,
    name: str,
    higher_is_harder: bool | None = None,
    column: str = "score",
    index: str | Path | None = None,
    key: str | None = None,
    labels: str | None = None,
    ranks: bool = False,
    order: bool = False,
) -> Scores:
    """Scores of a training split from a file that another tool has written.

    Arguments:
        path: The file; its ending determines the format.
        split: The training split that was scored, of n examples.
        name: The name for the score.
        higher_is_harder: Whether a larger value means a harder example; a registered score's own direction by default.
        column: The column of a CSV with the scores.
        index: The column of a CSV with the positions in the data set, each of 0..n-1 once, in any order, or with the
            names of a folder's images; the entry of a dictionary with the positions; or the .npy file with those of
            the values of another. By default the column `index`, or an entry `indices`.
        key: The entry of a dictionary; by default CCS's name of the score `name`, else `name` itself or `score`.
        labels: The column or entry with the labels; by default each that is called label, target, class or the like.
        ranks: Whether a permutation of 0..n-1 is the rank of each example, and is taken as the score.
        order: Whether the file lists the positions of the examples, from the one with the lowest score to the one
            with the highest; the scores are their ranks.

    Returns:
        One estimate of each example's score, float32[n, 1], or float64 where float32 would make different scores equal.

    Raises:
        ArtifactError: If the file is missing, damaged or a raw pickle, does not give each example one finite number,
            holds other labels than the split, or an order of the examples in place of scores.
        UnknownName: If the format or the entry is unknown.
        ValueError: If the direction is unknown, or an argument does not go with the format.
    """
    check_split(split)
    path = Path(path)
    kind, harder = check_import(
        path,
        name=name,
        higher_is_harder=higher_is_harder,
        column=column,
        index=index,
        key=key,
        labels=labels,
        ranks=ranks,
        order=order,
    )
    table, index = read(path, kind), None if index is None else str(index)
    origin: dict[str, Any] = {"file": path.name, "sha256": sha256(path), "format": kind}
    if kind == "npy":
        chosen, table = "score", _with_positions(table, index, origin)
    else:
        chosen = column if kind == "csv" else _entry(table, key, name)
        origin["column" if kind == "csv" else "key"] = chosen
    rows = rows_in_order(table, chosen, split) if order else rows_of(table, chosen, index, split)
    in_file = np.arange(len(split)) if rows is None else rows
    values = in_file if order else _scores(table, chosen, in_file, ranks)
    proved = check_labels(table, chosen, labels, rows, split)
    if rows is None and not (proved or ranks) and is_sorted(values):
        log.warning(
            "%s: the scores are sorted, and nothing proves that the data set is in the same order; if they were "
            "sorted, as TDDS does it, give their positions too (index, or --index).",
            path,
        )
    origin |= {flag: True for flag, is_set in (("ranks", ranks), ("order", order)) if is_set}
    provenance = {"imported": origin, "score": {"name": name}, "dataset": split.name, "fingerprint": split.fingerprint}
    return Scores(name, values[:, None], split.labels, harder, split.fingerprint, provenance)


def check_import(
    path: Path,
    *,
    name: str,
    higher_is_harder: bool | None = None,
    column: str = "score",
    index: str | Path | None = None,
    key: str | None = None,
    labels: str | None = None,
    ranks: bool = False,
    order: bool = False,
) -> tuple[str, bool]:
    """The format of a score file, and whether higher is harder, without the data set; see `import_scores`.

    Raises:
        ArtifactError: If the file is missing.
        UnknownName: If the format is unknown.
        ValueError: If the direction is unknown, or an argument does not go with the format or with another.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise unknown("format of scores", path.suffix, FORMATS)
    if not path.is_file():
        raise ArtifactError(f"there is no file {path}: give the scores that another tool has written.")
    if higher_is_harder is None and name not in SCORES:
        raise ValueError(
            f"{name} is none of this library's scores ({', '.join(SCORES)}), so which way is hard must be said: give "
            "higher_is_harder (--harder higher, or lower)."
        )
    kind = FORMATS[suffix]
    if (key is not None and kind in ("csv", "npy")) or (column != "score" and kind != "csv"):
        raise ValueError(f"{path}: `column` goes with .csv files, and `key` with dictionaries: leave it out.")
    if labels is not None and kind == "npy":
        raise ValueError(f"{path}: `labels` goes with .csv files and dictionaries: leave it out.")
    if order and (ranks or index is not None):
        raise ValueError(
            f"{path}: `order` says that the file lists the examples from the lowest score to the highest, so it goes "
            f"without `{'ranks' if ranks else 'index'}`."
        )
    return kind, SCORES[name].higher_is_harder if higher_is_harder is None else higher_is_harder


def _entry(table: Table, key: str | None, name: str) -> str:
    """The name of the entry with the scores."""
    names = [KEYS.get(name, name), name, "score", "scores"] if key is None else [key]
    entry = next((each for each in names if each in table.columns), None)
    if entry is None:
        raise unknown(f"entry of {table.path.name}", names[0], table.columns)
    return entry


def _with_positions(table: Table, index: str | None, origin: dict[str, Any]) -> Table:
    """The table with the positions of the second .npy file, whose name and digest `origin` gets."""
    if index is None:
        return table
    path = Path(index)
    if not path.is_file():
        raise ArtifactError(f"there is no file {path}: the index of a .npy file is another one, with its positions.")
    origin |= {"index": path.name, "index_sha256": sha256(path)}
    return replace(table, columns={**table.columns, index: read(path, "npy").columns["score"]})


def _scores(table: Table, chosen: str, rows: np.ndarray, ranks: bool) -> np.ndarray:
    """The scores of a column, finite number[n].

    Arguments:
        table: The table.
        chosen: The name of the column.
        rows: The row of each example, int64[n].
        ranks: Whether they may be a permutation.

    Raises:
        ArtifactError: If they are none, or a permutation that is not said to be ranks.
    """
    column, n = table.column(chosen), len(rows)
    values = column if isinstance(column, np.ndarray) else numbers(column)
    if values.shape != (n,) or values.dtype.kind not in "iuf":
        raise ArtifactError(
            f"{table.path}: expected {n} numbers, one for each example of the training split, got {values.dtype} "
            f"values of shape {values.shape}{_no_scores(values, n)}."
        )
    if is_permutation(values) and not ranks:
        raise ArtifactError(
            f"{table.path}: {chosen!r} is a permutation of {values.min():g} to {values.max():g}, an order of the "
            "examples (as the masks of DUAL and TDDS, or a list of indices) and no score: give the scores, or say "
            "order (--order) if it lists the examples from the lowest score to the highest, or ranks (--ranks) if each "
            "number is the rank of an example."
        )
    with np.errstate(over="ignore"):
        broken = np.flatnonzero(~np.isfinite(values[rows].astype(np.float32)))
    if len(broken):
        first = rows[broken[0]]
        raise ArtifactError(
            f"{table.path}: {len(broken)} of {n} scores are NaN, infinite, beyond 3.4e38 or no numbers (the first at "
            f"the indices {broken[:5].tolist()}): {plain(column[first])!r}{table.line(first)}; every example needs a "
            "finite score, written without units and separators of thousands."
        )
    alike = indistinct(column, values)
    if alike is not None:
        raise ArtifactError(
            f"{table.path}: {alike[0]} and {alike[1]} would be the same in float64: subtract what they have in common."
        )
    return values[rows]


def _no_scores(values: np.ndarray, n: int) -> str:
    """A guess, for a message, at what values are that are no scores."""
    if values.dtype.kind == "b":
        return "; a mask says which examples a subset has, not how hard they are"
    indices = values.ndim == 1 and 0 < len(values) < n and values.dtype.kind in "iu"
    if indices and len(np.unique(values)) == len(values) and values.min() >= 0 and values.max() < n:
        return "; these may be the indices of a subset"
    return ""
