"""The tables of Hugging Face data sets: their parts, and the labels of their rows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.names import natural_order
from ..core.registry import unknown
from .parquet import parquet_parts
from .parts import TEST_NAMES, stratified
from .split import DataError

__all__ = ["Table", "classes_of", "columns_of", "labelled_parts", "only_column", "train_and_test"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Table:
    """Labelled rows of a `datasets.Dataset`.

    Arguments:
        name: The data set's name and part, for messages.
        data: The whole table.
        rows: The rows that count, int64[n].
        labels: The class name of each of these rows, None where it is missing, of length n.
        classes: The class names in order, those without an example included.
    """

    name: str
    data: Any = field(repr=False)
    rows: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, index: np.ndarray) -> Table:
        """The rows at some positions."""
        return replace(self, rows=self.rows[index], labels=self.labels[index])

    def numbers(self, classes: Sequence[str]) -> np.ndarray:
        """The labels as positions in `classes`, int64[n]."""
        number_of = {name: i for i, name in enumerate(classes)}
        return np.array([number_of[name] for name in self.labels], np.int64)


def train_and_test(name: str, root: Path | None, split: str, label: str) -> tuple[Table, Table]:
    """The rows of the training split, and those of the test split, which is held out where there is none."""
    train, test = labelled_parts(name, root, split, label)
    if test is not None:
        return train, test
    rest, fifth = stratified(train.numbers(train.classes), 0.2, classes=train.classes)
    return train.at(rest), train.at(fifth)


def labelled_parts(name: str, root: Path | None, split: str, label: str) -> tuple[Table, Table | None]:
    """The rows of the part to train on, and those of the test part, None where a fifth is to be held out."""
    parts = _parts(name, root)
    if split not in parts:
        raise DataError(f"hf:{name}: expected a part called {split!r}, got {', '.join(parts)}: say which with --split.")
    column = label or _label_column(parts[split], name)
    train = _labelled(name, split, parts[split], column)
    missing = [row for row, value in enumerate(train.labels) if value is None]
    if missing:
        raise DataError(
            f"{train.name}: {len(missing)} rows have no label (the first: row {missing[0]}): fill or remove them."
        )
    for part in TEST_NAMES:
        if part in parts and part != split:
            its_own = column if column in parts[part].column_names else _label_column(parts[part], name)
            table = _labelled(name, part, parts[part], its_own)
            missing = [row for row, value in enumerate(table.labels) if value is None]
            if missing and len(missing) < len(table):
                raise DataError(
                    f"{table.name}: {len(missing)} of {len(table)} rows have no label (the first: row {missing[0]}): "
                    "fill or remove them."
                )
            if not missing:
                return train, table
    return train, None


def _parts(name: str, root: Path | None) -> Mapping[str, Any]:
    """The tables by the names of their parts."""
    try:
        import datasets
    except ImportError as error:
        raise DataError("hf:NAME needs the Hugging Face datasets package: pip install datasets.") from error
    saved = root or (Path(name) if Path(name).exists() else None)
    try:
        if saved is None:
            parts = datasets.load_dataset(*name.split(":", 1))
        elif not (saved / "dataset_dict.json").exists() and (files := parquet_parts(saved, name)):
            parts = datasets.DatasetDict(  # each by itself, since their columns may differ
                {
                    part: datasets.load_dataset("parquet", data_files=paths, split="train")
                    for part, paths in files.items()
                }
            )
        else:
            parts = datasets.load_from_disk(str(saved))
    except DataError:
        raise
    except Exception as error:  # of the many kinds that its readers raise
        raise DataError(
            f"hf:{name} cannot be loaded from {saved or 'the hub'} ({error}): give a name on the hub, a folder that "
            "save_to_disk wrote, or Parquet files."
        ) from error
    return parts if isinstance(parts, datasets.DatasetDict) else {"train": parts}


def _label_column(data: Any, name: str) -> str:
    columns = columns_of(data, "ClassLabel")
    if not columns:
        raise DataError(
            f"hf:{name}: found no column of the type ClassLabel among {', '.join(data.column_names)}: say which column "
            "holds the labels with --label."
        )
    return only_column(columns, ("label", "labels"), "label", name)


def _labelled(name: str, part: str, data: Any, column: str) -> Table:
    """All rows of a part with the names of their classes, None where one is missing."""
    if column not in data.column_names:
        raise unknown(f"column of hf:{name}", column, data.column_names)
    values, names = data.with_format(None)[column][:], getattr(data.features[column], "names", None)
    if names is not None:
        texts = [None if value is None or value < 0 else names[value] for value in values]
    else:
        wrong = next((value for value in values if not isinstance(value, str | int | float | None)), None)
        if wrong is not None:
            raise DataError(f"hf:{name}: the column {column} holds {wrong!r:.60}: expected a text or a number a row.")
        texts = [None if value in (None, -1) or value != value else str(value) for value in values]
    classes = tuple(names or natural_order({text for text in texts if text is not None}))
    return Table(f"hf:{name}, {part}", data, np.arange(len(data)), np.array(texts, object), classes)


def classes_of(train: Table, test: Table) -> tuple[str, ...]:
    """The names of the classes that have examples, in order.

    Raises:
        DataError: If the two parts do not have examples of the same classes.
    """
    one, other = {*train.labels}, {*test.labels}
    if one != other:
        pairs = ((train, other - one), (test, one - other))
        lacks = [f"{table.name} has no example of {', '.join(sorted(names)[:5])}" for table, names in pairs if names]
        raise DataError(f"{' and '.join(lacks)}: add examples, or leave these classes out of the other part.")
    unused = [name for name in train.classes if name not in one]
    if unused:
        log.warning(
            "%s: %d classes have no example (the first: %s) and are left out", train.name, len(unused), unused[0]
        )
    return tuple(name for name in train.classes if name in one)


def columns_of(data: Any, *kinds: str) -> list[str]:
    """The names of the columns of some types: `Image`, `ClassLabel`, `string`."""
    features = data.features.items()
    return [name for name, feature in features if {type(feature).__name__, getattr(feature, "dtype", "")} & {*kinds}]


def only_column(columns: Sequence[str], usual: Sequence[str], setting: str, name: str) -> str:
    """The only column, or the one with a usual name."""
    column = next((column for column in usual if column in columns), columns[0] if len(columns) == 1 else "")
    if not column:
        raise DataError(
            f"hf:{name}: expected one column of {setting}s, got {', '.join(columns)}: say which with --{setting}."
        )
    if len(columns) > 1:
        others = ", ".join(other for other in columns if other != column)
        log.warning(
            "hf:%s: the %ss are those of the column %s, not of %s (--%s)", name, setting, column, others, setting
        )
    return column
