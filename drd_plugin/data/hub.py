"""Labelled images or texts of the Hugging Face `datasets` package (the extra `hf`), from the hub or from a folder that
its `save_to_disk` wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from .folders import DecodedImages
from .split import DataError, Dataset, Split, stratified
from .text import TextSplit, Vocabulary, check_no_size, from_texts

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["HubImages", "hugging_face"]


class HubImages(DecodedImages):
    """The images in a column of a `datasets.Dataset`."""

    def __init__(self, table: Any, column: str, size: int, channels: int) -> None:
        super().__init__(size, channels)
        self.table, self.column = table, column

    @override
    def __len__(self) -> int:
        return len(self.table)

    @override
    def __getitem__(self, index: Tensor) -> Tensor:
        import torch

        return torch.from_numpy(np.stack([self.square(image) for image in self.table[index.tolist()][self.column]]))


def hugging_face(name: str, root: Path | None = None, size: int | None = None) -> Dataset:
    """A data set of the hub, or one that `save_to_disk` wrote to `root` (or to the folder called `name`).

    The splits are `train` and `test`, or `validation` if the test labels are withheld (-1); without either, a fixed
    stratified fifth of `train` is held out. The examples are those of the first column of images; `size` is by default
    that of the first image, but at most 224 pixels. Without a column of images, the examples are texts: those of the
    column of strings whose first thousand are the longest.

    Raises:
        DataError: If the package is missing, the data cannot be loaded, there is no train split, no column of images
            or strings or no class-label column, or a size is given for texts.
    """
    train, test = _tables(name, root)
    images, strings = _columns(train, "Image"), _strings(train)
    if images:
        size = size or min(224, *train[0][images[0]].size)
        return Dataset(*(_images(part, name, images[0], size) for part in (train, test)))
    if not strings:
        raise DataError(f"hf:{name}: found no column of images or strings among {dict(train.features)}.")
    check_no_size(f"hf:{name}", size)
    longest = max(strings, key=lambda column: sum(len(text or "") for text in train[:1000][column]))
    texts = _texts(train, name, longest)
    return Dataset(texts, _texts(test, name, longest, texts.vocabulary))


def _tables(name: str, root: Path | None) -> tuple[Any, Any]:
    """The rows of the training split, and those of the test split."""
    try:
        import datasets
    except ImportError as error:
        raise DataError("hf:NAME needs the Hugging Face datasets package: pip install datasets.") from error
    saved = root or (Path(name) if Path(name).is_dir() else None)
    try:
        parts = datasets.load_from_disk(str(saved)) if saved else datasets.load_dataset(name)
    except (OSError, ValueError) as error:
        raise DataError(
            f"hf:{name} cannot be loaded from {saved or 'the hub'} ({error}): give a name on the hub, or a folder that "
            "save_to_disk wrote."
        ) from error
    if not isinstance(parts, datasets.DatasetDict) or "train" not in parts:
        raise DataError(f"hf:{name}: expected a data set with a split called 'train', got {parts}.")
    label = _label(parts["train"], name)
    labelled = (key for key in ("test", "validation", "valid") if key in parts and min(parts[key][label]) >= 0)
    held_out = next(labelled, None)
    if held_out is not None:
        return parts["train"], parts[held_out]
    rest, part = stratified(np.array(parts["train"][label]), 0.2)
    return parts["train"].select(rest), parts["train"].select(part)


def _columns(table: Any, kind: str) -> list[str]:
    """The names of the columns of a type."""
    return [column for column, feature in table.features.items() if type(feature).__name__ == kind]


def _strings(table: Any) -> list[str]:
    return [column for column in _columns(table, "Value") if table.features[column].dtype in ("string", "large_string")]


def _label(table: Any, name: str) -> str:
    columns = _columns(table, "ClassLabel")
    if not columns:
        raise DataError(f"hf:{name}: found no column of the type ClassLabel among {dict(table.features)}.")
    return columns[0]


def _labels(table: Any, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels, and the class names."""
    label = _label(table, name)
    return np.array(table[label]), tuple(table.features[label].names)


def _texts(table: Any, name: str, column: str, vocabulary: Vocabulary | None = None) -> TextSplit:
    return from_texts(f"hf:{name}", table[column], *_labels(table, name), vocabulary)


def _images(table: Any, name: str, column: str, size: int) -> Split:
    import torch

    first, (labels, classes) = table[0][column], _labels(table, name)
    images = HubImages(table, column, size, 1 if first.mode in ("L", "1") else 3)
    if len(table) * np.prod(images.shape[1:]) < 2**30:
        pixels = torch.cat([images[part] for part in torch.arange(len(table)).split(1000)])
        return Split(f"hf:{name}", pixels, labels, classes)
    return Split(f"hf:{name}", images, labels, classes, content=table._fingerprint)
