"""The kinds of value that the keys of a grid take, and the error for values of another kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np

__all__ = ["DATASET", "FILE", "GRID", "GridError", "Kind", "plain"]


class GridError(ValueError):
    """A grid that cannot be read or run."""


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Arguments:
        words: What it is called, for messages.
        fits: Whether a value is of this kind.
    """

    words: str
    fits: Callable[[Any], bool]

    def check(self, value: Any, key: str) -> None:
        """Raises GridError unless the value of a key is of this kind."""
        if not self.fits(value):
            raise GridError(f"{key} is {value!r:.80}: expected {self.words}.")


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _listed(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(map(fits, value))


TEXT = Kind("a text", lambda value: isinstance(value, str))
TEXTS = Kind(
    "a list of texts, none of them empty", _listed(lambda value: isinstance(value, str) and bool(value.strip()))
)
NUMBERS = Kind("a list of numbers", _listed(_number))
WHOLES = Kind("a list of whole numbers", _listed(_integer))
COUNT = Kind("a whole number, at least 1", lambda value: _integer(value) and value >= 1)
SHARE = Kind("a number in [0, 1)", lambda value: _number(value) and 0 <= value < 1)
HOURS = Kind("a number, at least 0", lambda value: _number(value) and 0 <= value < math.inf)
TABLE = Kind("a table", _table)
TABLES = Kind("a table of tables", lambda value: _table(value) and all(map(_table, value.values())))
PLACE = Kind("the path of a folder, a text", lambda value: isinstance(value, str | PathLike))

GRID = {
    "methods": TEXTS, "fractions": NUMBERS, "seeds": WHOLES, "dataset": TABLE, "nets": TEXTS, "pin": TABLE,
    "scores": TABLES,
}  # fmt: skip
"""The keys that a `Grid` and its file share, but for the recipes."""

DATASET = {
    "name": TEXT, "root": PLACE, "size": COUNT, "label": TEXT, "image": TEXT, "split": TEXT, "mode": TEXT,
    "background": TEXT, "examples": COUNT, "wrong_labels": SHARE, "corrupted": SHARE,
}  # fmt: skip
"""The keys of a grid's data set."""

FILE = GRID | {
    "recipe": TABLE, "proxy": TABLE, "study": TABLE, "about": TEXT, "published": TEXT, "hours": HOURS, "on": TEXT,
    "sizes": TABLES,
}  # fmt: skip
"""The keys of an experiment's file."""


def plain(value: Any) -> Any:
    """The value with Python's own numbers instead of NumPy's; a list, an array or a range becomes a tuple."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return tuple(map(plain, value)) if isinstance(value, list | tuple | range) else value
