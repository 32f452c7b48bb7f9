"""Readers of score files of other tools, none of which runs code from the file.

Each gives a `Table`: columns by name, whether they were the columns of a CSV or the entries of a dictionary.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from ..artifacts import ArtifactError
from ..artifacts.files import load_array

__all__ = [
    "Column",
    "Table",
    "cells",
    "entry_name",
    "indistinct",
    "is_permutation",
    "is_sorted",
    "numbers",
    "plain",
    "read",
]

Column = np.ndarray | list[str]
"""An array, or the cells of a text file."""

SEPARATORS = ";\t|,"

PLAIN = frozenset("0123456789.+-eE")
"""The signs of which Python reads nothing but numbers."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a score file, or the entries of a dictionary.

    Arguments:
        path: The file.
        columns: By name, in the order of the file.
        lines: The line of each row in the file; None where there are no lines.
        doubled: The names that two columns have, of which `columns` holds the first.
        keyed: Whether each row says which example it belongs to: those of a CSV, and of a dictionary from examples.
    """

    path: Path
    columns: Mapping[str, Column]
    lines: Sequence[int] | None = None
    doubled: frozenset[str] = frozenset()
    keyed: bool = False

    def column(self, name: str) -> Column:
        """The column of this name.

        Raises:
            ArtifactError: If two columns have the name.
        """
        if name in self.doubled:
            raise ArtifactError(f"{self.path} has the column {name!r} twice: rename or remove one of the two.")
        return self.columns[name]

    @property
    def names(self) -> str:
        """The first names of columns, for a message."""
        return ", ".join(name[:40] or "''" for name in list(self.columns)[:20])

    def line(self, row: int) -> str:
        """The place of a row, " in line 3"; "" where there are no lines."""
        return "" if self.lines is None else f" in line {self.lines[row]}"


def entry_name(name: str) -> str:
    """A name of a column without case, spaces and punctuation, for comparison: `Class_ID` is `classid`."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", name).casefold()))


def cells(column: Column) -> list[str] | None:
    """The texts of a column; None if it holds numbers."""
    if not isinstance(column, np.ndarray):
        return column
    if column.ndim != 1 or column.dtype.kind not in "US":
        return None
    return [cell.decode(errors="surrogateescape") if isinstance(cell, bytes) else str(cell) for cell in column]


def numbers(column: Column) -> np.ndarray:
    """The numbers of a column: an array as it is, texts as float64[m], NaN for what is no number.

    Decimal commas are read where no cell has a point, and one of the commas cannot separate thousands.
    """
    texts = cells(column)
    if texts is None:
        assert isinstance(column, np.ndarray)
        return column
    if set("".join(texts)) <= PLAIN:
        with suppress(ValueError):
            return np.array(texts, np.float64)
    commas = [text for text in texts if "," in text]
    if (
        commas
        and all(map(DECIMAL_COMMA.fullmatch, commas))
        and not all(map(THOUSANDS.fullmatch, commas))
        and not any("." in text and NUMBER.fullmatch(text) for text in texts)
    ):
        texts = [text.replace(",", ".") for text in texts]
    return np.array([float(text) if NUMBER.fullmatch(text) else math.nan for text in texts], np.float64)


def plain(cell: Any) -> int | float | str:
    """One cell for a message: a number, or a text that is none; NaN for an empty one."""
    if isinstance(cell, str) and cell and not NUMBER.fullmatch(cell):
        return str(cell)
    try:
        number = float(cell or "nan") if isinstance(cell, str) else float(cell)
    except (TypeError, ValueError):  # a date, say
        return str(cell)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def indistinct(column: Column, values: np.ndarray) -> tuple[str, str] | None:
    """Two cells of different numbers that are one in float64; None if there are none.

    Arguments:
        column: The column.
        values: Its numbers, float64[m], finite.
    """
    texts = dict.fromkeys(cells(column) or ())
    if len(texts) <= len(np.unique(values)):
        return None
    first: dict[float, tuple[Decimal, str]] = {}
    for text in texts:
        exact = Decimal(text.replace(",", "."))
        other, earlier = first.setdefault(float(exact), (exact, text))
        if other != exact:
            return earlier, text
    return None


def is_permutation(values: np.ndarray) -> bool:
    """Whether values are the numbers 0 to n - 1, or 1 to n, in some order, with n > 2."""
    if values.ndim != 1 or len(values) < 3 or values.dtype.kind not in "iuf":
        return False
    ordered = np.sort(values)
    return bool(ordered[0] in (0, 1)) and np.array_equal(ordered, np.arange(len(values)) + int(ordered[0]))


def is_sorted(values: np.ndarray) -> bool:
    """Whether three values or more, not all the same, ascend or descend."""
    if values.ndim != 1 or len(values) < 3 or values.dtype.kind not in "iuf":
        return False
    ascending, descending = (values[:-1] <= values[1:]).all(), (values[:-1] >= values[1:]).all()
    return bool(ascending != descending)


def read(path: Path, kind: str) -> Table:
    """The table of a file of scores.

    Arguments:
        path: The file.
        kind: csv, npy, npz, json or torch.

    Raises:
        ArtifactError: If the file is damaged, of another kind, or a raw pickle.
    """
    if kind == "csv":
        return _read_csv(path)
    if kind == "npy":
        return Table(path, {"score": _array(path)})
    content = {"npz": _archive, "json": _json, "torch": _load}[kind](path)
    if kind == "json" and isinstance(content, list):
        rows = content and all(isinstance(row, Mapping) and row.keys() == content[0].keys() for row in content)
        content = {name: [row[name] for row in content] for name in content[0]} if rows else {"score": content}
    columns, keyed = _columns(content) if isinstance(content, Mapping) else ({}, False)
    if not columns:
        kinds = {"npz": "arrays", "json": "lists", "torch": "tensors"}
        raise ArtifactError(
            f"{path}: expected a dictionary of {kinds[kind]}, as CCS has it, got a {type(content).__name__}."
        )
    return Table(path, columns, keyed=keyed)


def _read_csv(path: Path) -> Table:
    """A table with a line of names above the rows; lines without any entry are passed over."""
    try:
        text = _text(path)
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = max(SEPARATORS, key=lambda sign: len(next(csv.reader([first], delimiter=sign), [])))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (ValueError, csv.Error) as error:
        raise ArtifactError(
            f"{path} cannot be read as CSV ({error}): expected a line of names above the rows."
        ) from error
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        raise ArtifactError(f"{path} cannot be read as CSV (No columns): expected a line of names above the rows.")
    names = rows[0][1]
    while not names[-1]:
        names.pop()
    for line, row in rows[1:]:
        if any(row[len(names) :]):
            raise ArtifactError(
                f"{path}: line {line} has {len(row)} fields, but the line of names has {len(names)} "
                f"({', '.join(names)}): name each column; numbers with a decimal comma need quotes, or semicolons "
                "between the columns."
            )
    columns = [[row[i] if i < len(row) else "" for _, row in rows[1:]] for i in range(len(names))]
    doubled = frozenset(name for name, count in Counter(names).items() if count > 1)
    first_of = dict(zip(reversed(names), reversed(columns), strict=True))
    return Table(path, {name: first_of[name] for name in names}, [line for line, _ in rows[1:]], doubled, keyed=True)


def _text(path: Path) -> str:
    """The content of a text file in UTF-8, 16 or 32, with or without a byte-order mark. Bytes that are not UTF-8 become
    what they are in the names of files.
    """
    content = path.read_bytes()
    text = content.decode(json.detect_encoding(content), "surrogateescape")
    if "\0" in text:
        raise ValueError("it holds zero bytes, so it is no text")
    return text


def _json(path: Path) -> Any:
    """The content of a JSON file, its numbers as texts."""
    try:
        return json.loads(
            _text(path), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_without_doubles
        )
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} cannot be read as JSON ({error}): expected a dictionary or a list.") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    doubled = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    if doubled:
        raise ValueError(f"the name {doubled[0]!r} comes more than once")
    return dict(pairs)


def _array(path: Path) -> np.ndarray:
    try:
        return load_array(path)
    except (ArtifactError, OSError):
        raise
    except Exception as error:  # a damaged archive, or a shape that fits no memory
        raise ArtifactError(f"{path} is damaged or holds no plain numbers ({error}): np.save a float array.") from error


def _archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name, without those of Python objects."""
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    arrays[name] = archive[name]
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
    except Exception as error:  # of several kinds, none of which has a common base
        raise ArtifactError(f"{path} is damaged or no archive of arrays ({error}): np.savez them again.") from error
    return arrays


def _columns(content: Mapping[Any, Any]) -> tuple[dict[str, Column], bool]:
    """The entries that are columns, and whether the rows say which example they belong to: a dictionary from examples
    to numbers becomes the columns `index` and `score`, and one in an entry the columns `index` and that entry.
    """
    if content and all(map(_is_number, content.values())):
        content = {"score": content}
    columns: dict[str, Column] = {}
    order: list[Any] = []
    for name, entry in content.items():
        if isinstance(entry, Mapping) and entry:
            order = order or list(entry)
            if len(entry) != len(order) or not all(key in entry for key in order):
                continue
            columns["index"] = [str(key) for key in order]
            entry = [entry[key] for key in order]
        column = _column(entry)
        if column is not None:
            columns[str(name)] = column
    return columns, bool(order)


def _is_number(entry: Any) -> bool:
    if isinstance(entry, str):
        return NUMBER.fullmatch(entry) is not None
    return isinstance(entry, (int, float)) or getattr(entry, "ndim", None) == 0


def _column(entry: Any) -> Column | None:
    """A tensor, an array or a list as a column; None for anything else."""
    if isinstance(entry, (list, tuple)):
        if any(isinstance(cell, str) for cell in entry) and all(isinstance(cell, str | bool | None) for cell in entry):
            return ["" if cell is None else str(cell).strip() for cell in entry]
        try:
            entry = np.asarray([cell.item() if getattr(cell, "ndim", None) == 0 else cell for cell in entry])
        except (ValueError, TypeError):
            return None
    if hasattr(entry, "detach"):
        try:
            entry = entry.detach()
            entry = (entry.float() if str(entry.dtype) == "torch.bfloat16" else entry).numpy()
        except (TypeError, RuntimeError):  # a sparse or quantised tensor
            return None
    return entry if isinstance(entry, np.ndarray) else None


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
            'python -c "import pickle, torch; torch.save({k: torch.as_tensor(v) for k, v in '
            f"pickle.load(open('{path}','rb')).items()}}, '{path.with_suffix('')}-tensors.pt')\""
        )
        raise ArtifactError(f"{path} cannot be read weights-only ({type(error).__name__}): {hint}") from error
