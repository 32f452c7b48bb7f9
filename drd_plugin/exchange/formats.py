"""Readers of score files of other tools, none of which runs code from the file.

Each gives a `Table`: columns by name, whether they were the columns of a CSV or the entries of a dictionary.
"""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np

from ..artifacts import ArtifactError
from ..artifacts.files import load_array, without_doubles
from ..artifacts.vectors import as_array
from .columns import NUMBER, Column

__all__ = ["Table", "read"]

SEPARATORS = ";\t|,"


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
            _text(path), parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=without_doubles
        )
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} cannot be read as JSON ({error}): expected a dictionary or a list.") from error


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
            return as_array(entry)
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
