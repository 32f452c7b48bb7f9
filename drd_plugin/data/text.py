"""Splits of texts, whose words are numbered; the numbers take the place of pixels.

A text is cut into words by scikit-learn's `CountVectorizer` (lower case, runs of letters, digits and underscores, of
one character and more). The vocabulary comes from the training texts alone, and numbers the test texts too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from typing_extensions import override

from .errors import DataError
from .labels import labelled
from .pixels import handed_over
from .split import Kind, Split

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PADDING", "UNKNOWN", "TextSplit", "Vocabulary", "check_no_size", "from_texts", "words_of"]

PADDING, UNKNOWN = 0, 1
"""The numbers of the padding behind a text's words, and of every word that is not in the vocabulary."""

LONGEST = 256
"""The most words of a text that are read by default."""


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return _analyzer()(text)


@cache
def _analyzer() -> Callable[[str], list[str]]:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=r"(?u)\b\w+\b").build_analyzer()  # noqa: S106


@dataclass(frozen=True)
class Vocabulary:
    """The numbers of words: 2, 3, ... for those in `words`, and `UNKNOWN` for any other.

    Arguments:
        words: Distinct words, as `words_of` returns them.
        length: L, the number of words of a text that are read; the rest is cut off.

    Raises:
        DataError: If the length is not positive, or a word appears twice.
    """

    words: tuple[str, ...] = field(repr=False)
    length: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", _checked("a vocabulary", self.words))
        if not isinstance(self.length, int | np.integer) or self.length < 1 or len(set(self.words)) < len(self.words):
            raise DataError(
                f"a vocabulary needs distinct words and a length of at least 1, got {len(self.words)} words, "
                f"{len(set(self.words))} of them distinct, and length={self.length}."
            )

    @classmethod
    def from_texts(
        cls, texts: Iterable[str], most: int = 20_000, least: int = 2, length: int | None = None
    ) -> Vocabulary:
        """The vocabulary of the words that are in the most training texts; ties are broken alphabetically.

        Arguments:
            texts: The training texts.
            most: The greatest number of words.
            least: The number of texts that a word must be in.
            length: L; by default the 95 % quantile of the texts' lengths, at most `LONGEST`.

        Raises:
            DataError: If a text is no string, or all of them are one.
        """
        cut = [words_of(text) for text in _checked("a vocabulary", texts)]
        counts = Counter(word for words in cut for word in set(words))
        frequent = sorted((word for word, count in counts.items() if count >= least), key=lambda w: (-counts[w], w))
        if length is None:
            quantile = np.quantile([len(words) for words in cut] or [1], 0.95, method="higher")
            length = int(np.clip(quantile, 1, LONGEST))
        return cls(tuple(frequent[:most]), length)

    def __len__(self) -> int:
        """The number of different numbers, V: those of the words, of padding and of unknown words."""
        return 2 + len(self.words)

    def numbers(self, texts: Sequence[str]) -> Tensor:
        """The numbers of each text's words, int32[n, 1, 1, L], padded at the end; without words, one unknown word."""
        import torch

        texts = _checked("a vocabulary", texts)
        rows = np.full((len(texts), self.length), PADDING, np.int32)
        for row, text in zip(rows, texts, strict=True):
            numbers = [self._number.get(word, UNKNOWN) for word in words_of(text)[: self.length]] or [UNKNOWN]
            row[: len(numbers)] = numbers
        return handed_over(torch.from_numpy(rows)[:, None, None])

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=2)}


@dataclass(frozen=True, eq=False)
class TextSplit(Split):
    """Labelled texts. `images` are the numbers of their words, int32[n, 1, 1, L] in 0..V - 1 for the V numbers of the
    vocabulary, so that code for images, such as indexing, works for texts too. Networks get int64.

    Arguments:
        texts: The texts themselves, with length n.
        vocabulary: The vocabulary that numbered their words.

    Raises:
        DataError: As `Split`; or if texts, numbers and vocabulary do not fit together.
    """

    kind: ClassVar[Kind] = "texts"
    stored: ClassVar[str] = "int32"
    maker: ClassVar[str] = "from_texts"

    texts: tuple[str, ...] = field(kw_only=True, repr=False)
    vocabulary: Vocabulary = field(kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", _checked(self.name, self.texts))
        super().__post_init__()
        expected = (len(self.texts), 1, 1, self.vocabulary.length)
        if tuple(self.images.shape) != expected:
            raise DataError(
                f"{self.name}: expected numbers of the shape {expected} for {len(self.texts)} texts, got "
                f"{tuple(self.images.shape)}: build the split with from_texts()."
            )

    @property
    @override
    def form(self) -> tuple[int, int]:
        """The two numbers by which a network is built for these examples: V, and L."""
        return len(self.vocabulary), self.vocabulary.length

    @cached_property
    @override
    def statistics(self) -> tuple[list[float], list[float]]:
        """Two empty lists: numbers of words have no mean."""
        return [], []

    @override
    def _at(self, index: np.ndarray) -> dict[str, Any]:
        return super()._at(index) | {"texts": tuple(self.texts[i] for i in index)}

    @override
    def _identity(self) -> bytes:
        return json.dumps([self.texts, self.vocabulary.words]).encode()


def from_texts(
    name: str,
    texts: Sequence[str],
    labels: np.ndarray | Sequence[int],
    classes: Sequence[str] | None = None,
    vocabulary: Vocabulary | None = None,
) -> TextSplit:
    """The split of labelled texts.

    Arguments:
        name: The data set's name.
        texts: The texts, with length n.
        labels: Integer labels or class names, with length n.
        classes: The class names; by default "0", "1", ..., or the names among the labels (see `from_arrays`).
        vocabulary: That of these texts by default; for a test split, give the training split's.

    Raises:
        DataError: If a text is no string, or a label is no integer and no class name, or out of range.
    """
    texts = _checked(name, texts)
    vocabulary = Vocabulary.from_texts(texts) if vocabulary is None else vocabulary
    if not isinstance(vocabulary, Vocabulary):
        raise DataError(f"{name}: expected a Vocabulary, as of a TextSplit, got a {type(vocabulary).__name__}.")
    numbers = vocabulary.numbers(texts)
    return TextSplit(name, numbers, *labelled(name, labels, classes), texts=texts, vocabulary=vocabulary)


def _checked(name: str, texts: Iterable[str]) -> tuple[str, ...]:
    """The texts in a tuple; raises DataError unless they are a list of strings."""
    if isinstance(texts, str | bytes | Mapping | set | frozenset) or not isinstance(texts, Iterable):
        raise DataError(f"{name}: expected a list of texts, got a {type(texts).__name__}: give [text, ...].")
    texts = tuple(texts)
    wrong = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    if wrong is not None:
        raise DataError(f"{name}: expected strings, got {texts[wrong]!r} at position {wrong}: repair or leave it out.")
    return texts


def check_no_size(name: str, size: int | None) -> None:
    """Raises DataError if a size in pixels is given."""
    if size is not None:
        raise DataError(f"{name} holds texts, which have no size in pixels, got {size}: leave the size out.")
