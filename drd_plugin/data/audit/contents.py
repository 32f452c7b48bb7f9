"""What an audit reads: the examples of a data set as they lie, whether or not it can be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..split import Images, Kind
from .findings import Example

__all__ = ["Contents", "Part"]


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test split.

    Arguments:
        images: The images, with length n; of texts, the texts.
        labels: int64[n].
        names: The name of each example, of length n.
    """

    images: Images | Sequence[str] = field(repr=False)
    labels: np.ndarray = field(repr=False)
    names: Sequence[str] = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Contents:
    """A data set as it lies.

    Arguments:
        name: Its name.
        kind: `images` or `texts`.
        classes: The names of all classes, C.
        train: The training split.
        test: The test split; empty where a fifth of the examples cannot be held out.
        root: Where it lies; "" where it has no place.
        held_out: Whether the test split is, or should be, a fifth of the examples.
        strays: The names of files and folders that are not read or lie where they are not expected, by the kind.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    train: Part
    test: Part
    root: str = ""
    held_out: bool = False
    strays: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.train) + len(self.test)

    @property
    def parts(self) -> dict[str, Part]:
        """The two parts by name."""
        return {"train": self.train, "test": self.test}

    @property
    def labels(self) -> np.ndarray:
        """The labels of all examples, those of the training split first, int64[n]."""
        return np.concatenate([self.train.labels, self.test.labels])

    @property
    def in_test(self) -> np.ndarray:
        """Which of all examples are in the test split, bool[n]."""
        return np.arange(len(self)) >= len(self.train)

    def part_at(self, place: int) -> tuple[str, int]:
        """The part of the example at a place, and its position there."""
        n = len(self.train)
        return ("train", int(place)) if place < n else ("test", int(place) - n)

    def example(self, place: int, remark: str = "") -> Example:
        """The example at a place among all."""
        name, i = self.part_at(place)
        part = self.parts[name]
        return Example(name, part.names[i], self.classes[part.labels[i]], remark, int(place))

    def counts(self, part: str) -> np.ndarray:
        """The number of examples of each class in a part, int64[C]."""
        return np.bincount(self.parts[part].labels, minlength=len(self.classes))
