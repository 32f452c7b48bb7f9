"""Reading every example of a data set, each at one time, in parallel."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from ..decoded import DecodedImages
from ..decoding import Decoding, decode, open_image
from ..split import DataError
from ..text import words_of
from .contents import Contents, Part

__all__ = ["THUMB", "Readings", "picture", "read_all"]

BLOCK = 128
"""The examples that a worker reads at a time."""

FEW = 1000
"""The examples below which threads are used, since processes take a second to start."""

THUMB = 12
"""The side of the thumbnails that are compared, in pixels."""

LARGE = 256
"""The shorter side in pixels from which an image is halved, or more, before it is hashed, which saves time."""

MESSAGE = re.compile(r" cannot be read as an image \((.*)\): .*|.*: row \d+ (.*): .*", re.DOTALL)
"""An error of `open_image` or of a table, of which the reason is of interest."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What was read of n examples.

    Arguments:
        errors: Why an example cannot be read, by its place.
        remarks: The remarks of the decoder, by the place of the example.
        empty: Which images have one colour, or texts no word; bool[n].
        digests: Digests of the pixels, or of the words, uint64[n].
        hashes: Perceptual hashes of images, uint64[n].
        thumbs: Thumbnails of images, uint8[n, THUMB * THUMB * 3].
    """

    errors: dict[int, str] = field(repr=False)
    remarks: dict[int, tuple[str, ...]] = field(repr=False)
    empty: np.ndarray = field(repr=False)
    digests: np.ndarray = field(repr=False)
    hashes: np.ndarray = field(repr=False)
    thumbs: np.ndarray = field(repr=False)

    @classmethod
    def none(cls, n: int, images: bool) -> Readings:
        """Room for the readings of n images, or texts."""
        hashes, thumbs = (n, (n, THUMB * THUMB * 3)) if images else (0, 0)
        return cls(
            {}, {}, np.zeros(n, bool), np.zeros(n, np.uint64), np.zeros(hashes, np.uint64), np.zeros(thumbs, np.uint8)
        )

    @property
    def readable(self) -> np.ndarray:
        """Which examples could be read, bool[n]."""
        readable = np.ones(len(self.empty), bool)
        readable[[*self.errors]] = False
        return readable


def read_all(contents: Contents, progress: bool = True) -> Readings:
    """What is read of all examples of a data set, those of the training split first.

    Arguments:
        contents: The data set.
        progress: Whether to show a progress bar.
    """
    readings = Readings.none(len(contents), contents.kind == "images")
    with tqdm(total=len(contents), desc="read", unit=contents.kind[:-1], disable=not progress) as bar:
        for first, block in _results(contents):
            where = slice(first, first + len(block.empty))
            readings.errors.update({first + i: error for i, error in block.errors.items()})
            readings.remarks.update({first + i: remarks for i, remarks in block.remarks.items()})
            readings.empty[where], readings.digests[where] = block.empty, block.digests
            if contents.kind == "images":
                readings.hashes[where], readings.thumbs[where] = block.hashes, block.thumbs
            bar.update(len(block.empty))
    return readings


def _results(contents: Contents) -> Iterator[tuple[int, Readings]]:
    from joblib import Parallel, cpu_count, delayed, parallel_config

    few = len(contents) < FEW
    with parallel_config("threading" if few else "loky", n_jobs=cpu_count()):
        parallel = Parallel(return_as="generator_unordered", batch_size=1, max_nbytes=None)
        yield from parallel(delayed(_read)(*block, sys.path) for block in _blocks(contents))


def _blocks(contents: Contents) -> Iterator[tuple[int, Any, Decoding | None]]:
    """The place of the first example of each block, its sources or arrays or texts, and how they are decoded."""
    first = 0
    for part in contents.parts.values():
        how = part.images.decoding if isinstance(part.images, DecodedImages) else None
        for start in range(0, len(part), BLOCK):
            block = _sources(part, range(start, min(start + BLOCK, len(part))))
            yield first + start, block, how
        first += len(part)


def _sources(part: Part, index: Sequence[int]) -> Any:
    """The sources of the examples at some positions of a part; a text where there is none, which says why."""
    images: Any = part.images
    if isinstance(images, tuple | list):
        return images[index[0] : index[-1] + 1]
    if not isinstance(images, DecodedImages):
        import torch

        return images[torch.tensor([*index])].numpy()
    try:
        return [source for source, _ in images.sources(index)]
    except DataError as error:
        return [str(error)] if len(index) == 1 else [_sources(part, [i])[0] for i in index]


def _read(first: int, block: Any, how: Decoding | None, path: list[str]) -> tuple[int, Readings]:
    """What is read of a block, in a worker that imports modules from its parent's paths."""
    sys.path[:] = path
    images = how is not None or isinstance(block, np.ndarray)
    readings = Readings.none(len(block), images)
    for i, source in enumerate(block):
        if not images:
            words = words_of(source)
            readings.empty[i], readings.digests[i] = not words, _digest(" ".join(words).encode())
            continue
        try:
            image, remarks = _decoded(source, how)
            _measure(readings, i, image, source)
        except DataError as error:
            readings.errors[i] = _reason(error, source)
            continue
        if remarks:
            readings.remarks[i] = remarks
    return first, readings


def _decoded(source: Any, how: Decoding | None) -> tuple[Image.Image, tuple[str, ...]]:
    """The image of a source, and the remarks of the decoder."""
    if how is None:
        return _as_image(source), ()
    if isinstance(source, str):
        raise DataError(source)
    with open_image(source, "") as image:
        return decode(image, how.mode, how.background)


def _as_image(array: np.ndarray) -> Image.Image:
    """The image of an array uint8[C, H, W], by its mean over the channels if there are neither one nor three."""
    if len(array) not in (1, 3):
        array = array.mean(0, keepdims=True).astype(np.uint8)
    return Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))


def _measure(readings: Readings, i: int, image: Image.Image, source: Any) -> None:
    """Writes down what there is to compare of an image."""
    import imagehash

    pixels = source.tobytes() if isinstance(source, np.ndarray) else image.tobytes()
    readings.digests[i] = _digest(repr(image.size).encode() + pixels)
    extrema: Any = image.getextrema()
    readings.empty[i] = all(low == high for low, high in ([extrema] if image.mode == "L" else extrema))
    if min(image.size) >= LARGE:
        image = image.reduce(min(image.size) * 2 // LARGE)
    readings.hashes[i] = np.packbits(imagehash.phash(image).hash).view(np.uint64)[0]
    small = image.convert("RGB").resize((THUMB, THUMB), Image.Resampling.BOX)
    readings.thumbs[i] = np.frombuffer(small.tobytes(), np.uint8)


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _reason(error: DataError, source: Any) -> str:
    """Why an image cannot be read."""
    empty = isinstance(source, bytes) and not source
    if isinstance(source, Path):
        if source.is_symlink() and not source.exists():
            return "a link to a file that is not there"
        empty = source.is_file() and not source.stat().st_size
    message = MESSAGE.fullmatch(str(error))
    return "it is empty" if empty else (message[1] or message[2]) if message else str(error)


def picture(contents: Contents, place: int) -> Image.Image | None:
    """The image at a place among all examples, in colour; None if it cannot be read."""
    name, i = contents.part_at(place)
    part = contents.parts[name]
    how = part.images.decoding if isinstance(part.images, DecodedImages) else None
    try:
        return _decoded(_sources(part, [i])[0], how)[0].convert("RGB")
    except DataError:
        return None
