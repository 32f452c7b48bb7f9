"""Data sets of the Hugging Face `datasets` package (the extra `hf`): labelled images or texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from typing_extensions import override

from ..core.registry import unknown
from .decoded import DecodedImages
from .decoding import Decoding, Mode, is_grey, open_image
from .identity import digest_of_content, digests_of_files
from .pixels import handed_over
from .split import DataError, Dataset, Split
from .tables import Table, classes_of, columns_of, only_column, train_and_test
from .text import Vocabulary, check_no_size, from_texts

__all__ = ["IN_MEMORY", "HubImages", "as_images", "hugging_face", "image_column"]

IN_MEMORY = 2**30
"""The most bytes of images that are read into memory."""


class HubImages(DecodedImages):
    """The images in a column of a table."""

    def __init__(self, table: Table, column: str, decoding: Decoding) -> None:
        from datasets import Image

        super().__init__(decoding)
        self.table, self.column = table, column
        self._cells = table.data.select_columns([column]).cast_column(column, Image(decode=False))

    @override
    def __len__(self) -> int:
        return len(self.table)

    @override
    def sources(self, index: Sequence[int]) -> list[tuple[Path | bytes, str]]:
        rows = self.table.rows[np.asarray(index, np.int64)].tolist()
        sources: list[tuple[Path | bytes, str]] = []
        for row, cell in zip(rows, self._cells[rows][self.column], strict=True):
            name = f"{self.table.name}: row {row}"
            if not cell or (cell["bytes"] is None and not cell["path"]):
                raise DataError(f"{name} has no image in the column {self.column}: fill it, or leave the row out.")
            sources.append((Path(cell["path"]) if cell["bytes"] is None else cell["bytes"], name))
        return sources

    def blocks(self) -> Iterator[Sequence[int]]:
        """The positions, a thousand at a time."""
        return (range(i, min(i + 1000, len(self))) for i in range(0, len(self), 1000))

    @property
    def fits_memory(self) -> bool:
        """Whether the set is small enough to be read into memory."""
        return int(np.prod(self.shape)) < IN_MEMORY

    @cached_property
    def has_colour(self) -> bool:
        """Whether any image has colour, by its mode."""
        for source, name in (each for block in self.blocks() for each in self.sources(block)):
            with open_image(source, name) as image:
                if not is_grey(image):
                    return True
        return False

    def digest(self) -> str:
        """The digest of the images' contents."""
        sha = hashlib.sha256(self.decoding.background_rgb)
        for block in self.blocks():
            cells = self._cells.with_format("arrow")[self.table.rows[block].tolist()][self.column].combine_chunks()
            for content, path in zip(cells.field("bytes"), cells.field("path"), strict=True):
                buffer = content.as_buffer()
                sha.update(digests_of_files([path.as_py()])[0] if buffer is None else digest_of_content(buffer))
        return sha.hexdigest()


def hugging_face(
    name: str,
    root: Path | None = None,
    size: int | None = None,
    *,
    image: str = "",
    label: str = "",
    split: str = "train",
    mode: Mode | None = None,
    background: str = "white",
) -> Dataset:
    """A data set of the hub, NAME or NAME:CONFIGURATION; or, from `root` (or the folder called `name`), one that
    `save_to_disk` wrote, or Parquet files whose names say their part (`cifar10-train.parquet`,
    `data/test-00000-of-00001.parquet`); of several data sets in a folder, the files whose names have NAME in them.

    The test split is the part `test`, or `validation` where the labels of that are withheld (-1 or missing); without
    either, a fixed stratified fifth of the training part is held out. Without a column of images, the examples are
    texts: those of the column of strings whose first thousand are the longest. Classes of which no part has an example
    are left out, which is logged.

    Arguments:
        name: The name.
        root: The folder, or a Parquet file.
        size: Height and width; by default those of the first image, but at most 224 pixels.
        image: The column of images; by default the only one, or that called `image` or `img`.
        label: The column of labels, numbers or texts; by default the only one of the type ClassLabel, or that called
            `label`. Where the test part lacks it, that has its own default.
        split: The part to train on.
        mode: `rgb` or `grey`; by default grey where a set that fits into memory has no image with colour.
        background: The colour behind transparent pixels.

    Raises:
        DataError: If the package is missing, the data cannot be loaded, there is no such part, no or more than one
            column of images, strings or labels and none is chosen, a label or an image is missing or cannot be read
            (the message has its row), or a size is given for texts.
    """
    train, test = train_and_test(name, root, split, label)
    classes = classes_of(train, test)
    column = image or image_column(train, name)
    if not column:
        return _texts(name, train, test, classes, size)
    pair = [HubImages(as_images(part, column), column, Decoding(background=background)) for part in (train, test)]
    how = Decoding(_first_size(pair[0]) if size is None else size, mode or "rgb", background=background)
    pair = [HubImages(part.table, column, how) for part in pair]
    if mode is None and all(part.fits_memory for part in pair) and not any(part.has_colour for part in pair):
        pair = [HubImages(part.table, column, replace(how, mode="grey")) for part in pair]
    return Dataset(*(_images(f"hf:{name}", images, classes) for images in pair))


def image_column(table: Table, name: str) -> str:
    """The name of the column of images, "" where there is none; raises DataError if it is unclear which it is."""
    columns = columns_of(table.data, "Image")
    return only_column(columns, ("image", "img"), "image", name) if columns else ""


def as_images(table: Table, column: str) -> Table:
    """The table with this column as images; raises DataError unless it holds contents or paths of image files."""
    from datasets import Image

    if column not in table.data.column_names:
        raise unknown(f"column of {table.name}", column, table.data.column_names)
    try:
        return replace(table, data=table.data.cast_column(column, Image()))
    except Exception as error:  # of the many kinds that its readers raise
        raise DataError(
            f"{table.name}: the column {column} holds {table.data.features[column]}, expected images ({error})."
        ) from error


def _first_size(images: HubImages) -> int:
    """The shorter side of the first image as it stands, at most 224 pixels."""
    [(source, name)] = images.sources([0])
    with open_image(source, name) as image:
        return min(224, *image.size)


def _images(name: str, images: HubImages, classes: tuple[str, ...]) -> Split:
    import torch

    labels = images.table.numbers(classes)
    if images.fits_memory:
        pixels = handed_over(torch.cat([images[torch.tensor(block)] for block in images.blocks()]))
        return Split(name, pixels, labels, classes)
    return Split(name, images, labels, classes, content=images.digest())


def _texts(name: str, train: Table, test: Table, classes: tuple[str, ...], size: int | None) -> Dataset:
    strings = columns_of(train.data, "string", "large_string")
    if not strings:
        raise DataError(f"hf:{name}: found no column of images or strings among {dict(train.data.features)}.")
    check_no_size(f"hf:{name}", size)
    column = max(strings, key=lambda column: sum(len(text or "") for text in train.data[:1000][column]))
    vocabulary: Vocabulary | None = None
    splits = []
    for table in (train, test):
        values = table.data[column][:]
        texts = [values[row] for row in table.rows]
        for row, text in zip(table.rows, texts, strict=True):
            if text is None:
                raise DataError(
                    f"{table.name}: row {row} has no text in the column {column}: fill it, or leave it out."
                )
        splits.append(from_texts(f"hf:{name}", texts, table.numbers(classes), classes, vocabulary))
        vocabulary = splits[0].vocabulary
    return Dataset(*splits)
