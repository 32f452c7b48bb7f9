"""Labels and class names as users give them, and as a split holds them.

Labels are whole numbers, also as floating point, truth values (0 and 1), or class names. Class names get the numbers of
`classes`, or where that is missing those of their order: sorted, and by value if all are whole numbers.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..artifacts.vectors import as_array, whole_numbers
from ..core.names import natural_order
from .errors import DataError

__all__ = ["class_names", "labelled"]


def labelled(name: str, labels: Any, classes: Sequence[str] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """A copy of the labels, int64[n], and the class names, by default "0", "1", ...

    Arguments:
        name: The data set's name, for messages.
        labels: The label of each example: whole numbers or class names, [n] or [n, 1].
        classes: The class names.

    Raises:
        DataError: If a label is neither a whole number nor the name of a class, or a class has no name of its own.
    """
    array = as_array(labels)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        several = array.ndim == 2 and array.shape[1] > 1
        raise DataError(
            f"{name}: expected a label for each example, [n], got "
            + (f"an array of the shape {array.shape}" if array.ndim else f"a {type(labels).__name__}")
            + (f": if they are one-hot, for {array.shape[1]} classes, give labels.argmax(1)." if several else ".")
        )
    names = None if classes is None else class_names(name, classes)
    if array.dtype.kind in "UT" or (array.dtype.kind == "O" and len(array) and isinstance(array[0], str)):
        return _numbered(name, array, names)
    numbers = whole_numbers(array, "labels", DataError, f"{name}: ").astype(np.int64)
    most = int(numbers.max(initial=0))
    if names is None and most > max(10 * len(numbers), 10_000):
        raise DataError(
            f"{name}: the label {most} at position {int(numbers.argmax())} is no class number; they count from 0: give "
            "np.unique(labels, return_inverse=True)[1]."
        )
    return numbers, tuple(map(str, range(most + 1))) if names is None else names


def _numbered(name: str, labels: np.ndarray, names: tuple[str, ...] | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of class names, and the names."""
    wrong = next((i for i, label in enumerate(labels) if not isinstance(label, str)), None)
    if wrong is not None:
        raise DataError(f"{name}: expected class names as labels, got {labels[wrong]!r} at position {wrong}.")
    if names is None:
        names = class_names(name, natural_order({str(label) for label in labels}))
    number_of = {class_name: number for number, class_name in enumerate(names)}
    numbers = np.array([number_of.get(str(label), -1) for label in labels], np.int64)
    if (numbers < 0).any():
        wrong = int(numbers.argmin())
        raise DataError(
            f"{name}: the label {str(labels[wrong])!r} at position {wrong} is none of the classes "
            f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''} ({(numbers < 0).sum()} such labels)."
        )
    return numbers, names


def class_names(name: str, classes: Sequence[str]) -> tuple[str, ...]:
    """The class names as texts.

    Arguments:
        name: The data set's name, for messages.
        classes: Texts, or numbers that stand for themselves.

    Raises:
        DataError: If one is missing, or two are the same but for white space and the composition of letters.
    """
    if isinstance(classes, str | bytes | Mapping | set | frozenset) or not hasattr(classes, "__iter__"):
        raise DataError(
            f"{name}: expected a list of class names in order, got the {type(classes).__name__} {classes!r}."
        )
    classes, names = tuple(classes), dict[str, int]()
    for number, given_name in enumerate(classes):
        plain = isinstance(given_name, str | int | np.integer | np.bool_)
        key = unicodedata.normalize("NFC", " ".join(str(given_name).split())) if plain else ""
        if not key:
            raise DataError(f"{name}: expected a text as the name of class {number}, got {given_name!r}.")
        if names.setdefault(key, number) != number:
            raise DataError(
                f"{name}: the classes {names[key]} and {number} are both named {str(given_name)!r}: give each class a "
                "name of its own, or examples of both the same label."
            )
    return tuple(map(str, classes))
