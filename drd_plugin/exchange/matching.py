"""Which example a row of a score file belongs to, by its position or by the name of its image, and whether its labels
are those of the data set.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactError
from ..core.registry import unknown
from ..data import Split
from .columns import Column, cells, entry_name, is_permutation, is_sorted, numbers, plain
from .formats import Table

__all__ = ["check_labels", "rows_in_order", "rows_of"]

log = logging.getLogger(__name__)

LABELS = frozenset(
    {kind + ending for kind in ("label", "target", "class") for ending in ("", "s", "es", "id", "ids", "idx", "index")}
    | {kind + ending for kind in ("label", "target", "class") for ending in ("name", "names", "label", "labels")}
    | {"category", "categories", "categoryid", "groundtruth", "gt", "truelabel", "truelabels", "truth", "y", "ytrue"}
)
"""The names of columns with labels, as `entry_name` gives them."""

INDICES = frozenset({"index", "indices", "indexes", "idx", "idxs", "position", "positions"})
"""The names of entries with positions, as `entry_name` gives them."""

PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""Folders of the parts of a data set; images of the same name in two parts are different images."""


def rows_of(table: Table, chosen: str, index: str | None, split: Split) -> np.ndarray | None:
    """The row of each example, int64[n]; None if the rows are in the order of the data set."""
    is_explicit, index = index is not None, _index(table, chosen, split) if index is None else index
    if index is None:
        return None
    _check_columns(table, index, chosen)
    where = _positions(table, table.column(index), split)
    for name, other in _named(table, {chosen, index}, split):
        if not (is_explicit or np.array_equal(where, other)):
            raise ArtifactError(
                f"{table.path}: the names of the images in {name!r} have another order than {index!r}: say which "
                "holds the indices (index, or --index)."
            )
    if not table.keyed and not np.array_equal(where, np.arange(len(where))):
        values = numbers(table.columns[chosen])
        if values.shape == where.shape and not is_sorted(values) and is_sorted(values[where]):
            log.warning("%s: %r is the ranking of the scores, which stay in the order of the file.", table.path, index)
            return None
        log.warning("%s: the scores are put in place by their positions in %r.", table.path, index)
    return np.argsort(where)


def rows_in_order(table: Table, chosen: str, split: Split) -> np.ndarray:
    """The row of each example, int64[n], in a column that lists the examples."""
    _check_columns(table, chosen)
    return np.argsort(_positions(table, table.column(chosen), split))


def check_labels(table: Table, chosen: str, labels: str | None, rows: np.ndarray | None, split: Split) -> bool:
    """Checks all columns of labels, by default those whose names say so; whether there is one."""
    if labels is not None:
        _check_columns(table, labels)
    listed = () if len(split) == split.num_classes else (split.num_classes,)  # the names of the classes are no labels
    names = [
        name
        for name, column in table.columns.items()
        if name != chosen and entry_name(name) in LABELS and len(cells(column) or ()) not in listed
    ]
    for name in names if labels is None else [labels]:
        column = table.column(name)
        values = numbers(column)
        if values.shape != (len(split),) or values.dtype.kind not in "biufUS":
            got = values.shape if values.dtype.kind in "biufUS" else f"{values.dtype} values"
            raise ArtifactError(f"{table.path}: expected {len(split)} labels, got {got}.")
        in_order = not table.keyed and np.array_equal(values, split.labels)
        _check(table, name, column, None if in_order else rows, split)
    return bool(names) or labels is not None


def _check_columns(table: Table, *names: str) -> None:
    """Raises ArtifactError unless a table has all these columns, or UnknownName for the entries of a dictionary."""
    absent = [name for name in names if name not in table.columns]
    if absent and table.lines is None:
        raise unknown(f"entry of {table.path.name}", absent[0], table.columns)
    if absent:
        headless = any(isinstance(plain(name), (int, float)) for name in table.columns if name)
        raise ArtifactError(
            f"{table.path} has no column {' and no column '.join(absent)}, only {table.names}: say which "
            "column holds the indices (--index) and which the scores (--column)"
            f"{'; its first line looks like a row, and should be a line of names' if headless else ''}."
        )


def _index(table: Table, chosen: str, split: Split) -> str | None:
    """The name of the column with the positions or the names of images; None if there is none.

    Raises:
        ArtifactError: If there are several.
    """
    if table.keyed and "index" in table.columns:
        return "index"
    if table.lines is not None and "" in table.columns:  # as pandas writes the index
        return ""
    for name, _ in _named(table, {chosen}, split):
        return name
    if table.lines is not None:
        return "index"
    values = numbers(table.columns[chosen])
    others = {
        name: numbers(column)
        for name, column in table.columns.items()
        if name != chosen and entry_name(name) not in LABELS and np.shape(column) == values.shape
    }
    names = [name for name in others if entry_name(name) in INDICES]
    if not names and is_sorted(values):
        names = [name for name, column in others.items() if is_permutation(column)]
    if len(names) > 1:
        raise ArtifactError(
            f"{table.path}: {' and '.join(map(repr, names))} may be the positions of the scores: say which (index, or "
            "--index)."
        )
    return names[0] if names else None


def _named(table: Table, without: set[str], split: Split) -> Iterator[tuple[str, np.ndarray]]:
    """The columns that name all images of a folder, with the positions of these, int64[n]."""
    for name, column in table.columns.items():
        texts = cells(column)
        by_name = texts and isinstance(plain(texts[0]), str) and Path(texts[0]).suffix
        if texts and by_name and hasattr(split.images, "paths") and name not in without:
            with suppress(ArtifactError):
                yield name, _positions(table, texts, split)


def _positions(table: Table, column: Column, split: Split) -> np.ndarray:
    """The position in the data set of each row, int64[n], each of 0..n-1 once, from positions or names of images.

    Raises:
        ArtifactError: If an example has no row or two, or a name is not among the images.
    """
    texts, n = cells(column), len(split)
    index = numbers(column)
    by_name = texts is not None and any(texts) and not np.isfinite(index).any()
    if texts is not None and by_name:
        index = _match_names(table, texts, split)
    if index.ndim != 1 or index.dtype.kind not in "iuf":
        raise ArtifactError(f"{table.path}: expected {n} indices, got {index.dtype} values of shape {index.shape}.")
    doubled = np.ones(len(index), bool)
    doubled[np.unique(index, return_index=True)[1]] = False
    for problem, wrong in (
        ("are no integers", index != np.floor(index)),
        ("are out of range", (index < 0) | (index >= n)),
        ("come more than once", doubled),
        ("are missing", np.setdiff1d(np.arange(n), index)),
    ):
        missing = problem == "are missing"
        rows = wrong if missing else np.flatnonzero(wrong)
        if len(rows):
            paths = getattr(split.images, "paths", ())
            first = [(str(paths[row]) if by_name else int(row)) if missing else plain(column[row]) for row in rows[:5]]
            remedy = (
                "Give each image one row" if by_name else "Number the examples from 0, in the order of the data set"
            )
            raise ArtifactError(
                f"{table.path}: expected each index in 0..{n - 1} once, got {len(index)} rows; {len(rows)} indices "
                f"{problem} (the first: {first}){'' if missing else table.line(rows[0])}. {remedy}."
            )
    return index.astype(np.int64)


def _match_names(table: Table, names: list[str], split: Split) -> np.ndarray:
    """The position of each row's image, int64[m], by its name: a path, as much of its end as all names have in common
    with the files of the data set, or the base name where that is unique.

    Raises:
        ArtifactError: If the images are no files, or a name is not among them.
    """
    paths: Iterable[Path] | None = getattr(split.images, "paths", None)
    if paths is None:
        raise ArtifactError(
            f"{table.path}: the examples are called by names ({names[0]!r}, ...), but the images of {split.name} are "
            "no files of a folder: number them from 0, in the order of the data set."
        )
    own, others = [_steps(str(path)) for path in paths], [_steps(name) for name in names]
    best: list[int | None] = [None] * len(names)
    for depth in range(max(map(len, others)), 0, -1):
        place = {steps[-depth:]: i for i, steps in enumerate(own)}
        if len(place) < len(own):
            break
        rows = [_match(steps, depth, place, own) for steps in others]
        if None not in rows:
            return np.array(rows, np.int64)
        if rows.count(None) < best.count(None):
            best = rows
    row = best.index(None)
    raise ArtifactError(
        f"{table.path}: {names[row]!r}{table.line(row)} is none of the {len(own)} images of {split.name}'s training "
        f"split, {'/'.join(own[0][-3:])} and others: give each of them a row, by its path, or by its name where that "
        "is unique."
    )


def _steps(name: str) -> tuple[str, ...]:
    """The folders and the name of a path, in composed Unicode."""
    steps = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return tuple(step for step in steps if step not in ("", "."))


def _match(steps: tuple[str, ...], depth: int, place: dict[tuple[str, ...], int], own: list) -> int | None:
    """The position of the image whose path ends in the same `depth` steps, unless it is in another part."""
    i = place.get(steps[-depth:])
    if i is None or len(steps) < depth:
        return None
    part, other = (next((PARTS[s] for s in reversed(each[:-depth]) if s in PARTS), "") for each in (steps, own[i]))
    return None if part and other and part != other else i


def _check(table: Table, name: str, column: Column, order: np.ndarray | None, split: Split) -> None:
    """Checks that labels, as numbers or names of classes, are those of the split. Labels that count from 1 are
    accepted, and logged.

    Arguments:
        table: The table.
        name: The column's name.
        column: The labels.
        order: The row of each example, int64[n]; None if the rows are in the order of the data set.
        split: The training split.

    Raises:
        ArtifactError: If they are not.
    """
    labels = numbers(column)
    rows = np.arange(len(split)) if order is None else order
    wrong, expected = np.flatnonzero(labels[rows] != split.labels), split.labels
    if len(wrong):
        names = [str(cell) if isinstance(cell, str) else str(plain(cell)) for cell in column]
        loose = len(set(_spelt(split.classes, True))) == split.num_classes
        by_name = np.flatnonzero(_spelt(names, loose)[rows] != _spelt(split.classes, loose)[split.labels])
        if not len(by_name):
            return
        if labels.dtype.kind in "iuf" and np.array_equal(labels[rows], split.labels + 1):
            log.warning("%s: the labels in %r count from 1, those of %s from 0.", table.path, name, split.name)
            return
        if len(by_name) < len(wrong):
            wrong, expected = by_name, np.array(split.classes)[split.labels]
        first = wrong[0]
        raise ArtifactError(
            f"{table.path}: {len(wrong)} of {len(split)} labels are not those of {split.name}, the first at index "
            f"{first}: expected {expected.tolist()[first]!r}, got {plain(column[rows[first]])!r}"
            f"{table.line(rows[first])}. The file is for other data, or in another order; if {name!r} holds anything "
            "else, say which are the labels (labels, or --labels)."
        )


def _spelt(names: Sequence[str], loose: bool) -> np.ndarray:
    """Names of classes in composed Unicode; if loose, without case, and with spaces for underscores."""
    composed = [" ".join(unicodedata.normalize("NFC", name).split()) for name in names]
    return np.array([name.casefold().replace("_", " ") for name in composed] if loose else composed)
