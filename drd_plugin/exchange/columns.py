"""The columns of score files: what their cells say, and what their numbers are."""

from __future__ import annotations

import math
import re
import unicodedata
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np

__all__ = [
    "NUMBER",
    "Column",
    "cells",
    "entry_name",
    "indistinct",
    "is_permutation",
    "is_sorted",
    "numbers",
    "plain",
]

Column = np.ndarray | list[str]
"""An array, or the cells of a text file."""

PLAIN = frozenset("0123456789.+-eE")
"""The signs of which Python reads nothing but numbers."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


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
