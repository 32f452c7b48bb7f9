"""Texts as splits: the numbers of their words stand in the place of images.

A text is cut into words by scikit-learn's `CountVectorizer` (lower case, runs of letters, digits and underscores, of
one character and more). The vocabulary is made from the training texts alone; the test texts are read by it too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .split import DataError, Kind, Split, labelled

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PADDING", "UNKNOWN", "TextSplit", "Vocabulary", "check_no_size", "from_texts", "words_of"]

PADDING, UNKNOWN = 0, 1
"""The numbers that stand for no word, and for a word that is not in the vocabulary."""

LONGEST = 256
"""The most words of a text that are read where nothing else is asked for."""


def words_of(text: str) -> list[str]:
    """The words of a text, in order."""
    return _analyzer()(text)


@cache
def _analyzer() -> Callable[[str], list[str]]:
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(token_pattern=r"(?u)\b\w+\b").build_analyzer()  # noqa: S106


@dataclass(frozen=True)
class Vocabulary:
    """The words that have a number. Those of `words` are 2, 3, ...; any other is `UNKNOWN`.

    Arguments:
        words: Distinct words, as `words_of` gives them.
        length: L, the words of a text that are read; what follows them is cut off.

    Raises:
        DataError: If the length is not positive, or a word is there twice.
    """

    words: tuple[str, ...] = field(repr=False)
    length: int

    def __post_init__(self) -> None:
        if self.length < 1 or len(set(self.words)) < len(self.words):
            raise DataError(
                f"a vocabulary needs distinct words and a length of at least 1, got {len(self.words)} words, "
                f"{len(set(self.words))} of them distinct, and length={self.length}."
            )

    @classmethod
    def of(cls, texts: Iterable[str], most: int = 20_000, least: int = 2, length: int | None = None) -> Vocabulary:
        """The most frequent words of the training texts, by the number of texts they are in; ties by the alphabet.

        Arguments:
            texts: The training texts.
            most: The most words.
            least: In how many texts a word must be.
            length: L; by default as many words as 95 % of the texts have at most, and no more than `LONGEST`.
        """
        cut = [words_of(text) for text in texts]
        counts = Counter(word for words in cut for word in set(words))
        known = sorted((word for word, count in counts.items() if count >= least), key=lambda w: (-counts[w], w))
        if length is None:
            fitting = np.quantile([len(words) for words in cut] or [1], 0.95, method="higher")
            length = int(np.clip(fitting, 1, LONGEST))
        return cls(tuple(known[:most]), length)

    def __len__(self) -> int:
        """How many numbers there are, padding and the unknown word included."""
        return 2 + len(self.words)

    def numbers(self, texts: Sequence[str]) -> Tensor:
        """The numbers of the words of each text, padded at the end, int32[n, 1, 1, L]; a text without any word is one
        unknown word.
        """
        import torch

        rows = np.full((len(texts), self.length), PADDING, np.int32)
        for row, text in zip(rows, texts, strict=True):
            found = [self._number.get(word, UNKNOWN) for word in words_of(text)[: self.length]] or [UNKNOWN]
            row[: len(found)] = found
        return torch.from_numpy(rows)[:, None, None]

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, start=2)}


@dataclass(frozen=True, eq=False)
class TextSplit(Split):
    """Labelled texts. `images` are the numbers of their words, int32[n, 1, 1, L], in 0..V - 1 for the V numbers of the
    vocabulary: what indexes, counts or shapes a split takes them for images of one row. Networks get int64.

    Arguments:
        texts: The texts themselves, with length n.
        vocabulary: What numbered their words.

    Raises:
        DataError: As `Split`; or if texts, numbers and vocabulary do not fit together.
    """

    kind: ClassVar[Kind] = "texts"
    stored: ClassVar[str] = "int32"
    maker: ClassVar[str] = "from_texts"

    texts: tuple[str, ...] = field(kw_only=True, repr=False)
    vocabulary: Vocabulary = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = (len(self.texts), 1, 1, self.vocabulary.length)
        if tuple(self.images.shape) != expected:
            raise DataError(
                f"{self.name}: expected numbers of the shape {expected} for {len(self.texts)} texts, got "
                f"{tuple(self.images.shape)}: build the split with from_texts()."
            )

    @property
    def form(self) -> tuple[int, int]:
        """What a network must know of its inputs: V, the numbers of the vocabulary, and L, the words of a text."""
        return len(self.vocabulary), self.vocabulary.length

    @cached_property
    def statistics(self) -> tuple[list[float], list[float]]:
        """None: numbers of words have no mean."""
        return [], []

    def _at(self, index: np.ndarray) -> dict[str, Any]:
        return super()._at(index) | {"texts": tuple(self.texts[i] for i in index)}

    def _identity(self) -> bytes:
        return json.dumps([self.texts, self.vocabulary.words]).encode()


def from_texts(
    name: str,
    texts: Sequence[str],
    labels: np.ndarray | Sequence[int],
    classes: Sequence[str] | None = None,
    vocabulary: Vocabulary | None = None,
) -> TextSplit:
    """A split from texts.

    Arguments:
        name: The data set's name.
        texts: The texts, with length n.
        labels: Integer labels, with length n.
        classes: The class names; "0", "1", ... by default.
        vocabulary: For a test split, the training split's; by default one is made from the texts.

    Raises:
        DataError: If a text is no string, or a label is out of range.
    """
    texts = tuple(texts)
    wrong = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
    if wrong is not None:
        raise DataError(f"{name}: expected strings, got {texts[wrong]!r} at position {wrong}: repair or leave it out.")
    vocabulary = vocabulary or Vocabulary.of(texts)
    numbers = vocabulary.numbers(texts)
    return TextSplit(name, numbers, *labelled(name, labels, classes), texts=texts, vocabulary=vocabulary)


def check_no_size(name: str, size: int | None) -> None:
    """Raises DataError if a size in pixels was asked for."""
    if size is not None:
        raise DataError(f"{name} holds texts, which have no size in pixels, got {size}: leave the size out.")
