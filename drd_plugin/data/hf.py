"""Labelled image sets of the Hugging Face `datasets` package (the extra `hf`), from the hub or from `save_to_disk`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .folders import CROPS
from .split import DataError, Dataset, Split, stratified

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["HubImages", "hugging_face"]


class HubImages:
    """An image column behind the indexing of a tensor; decoded when asked for, resized and centre-cropped like a
    folder's images.
    """

    def __init__(self, table: Any, column: str, size: int, channels: int, crop: str = "fit") -> None:
        self.table, self.column, self.size, self.channels, self.crop = table, column, size, channels, crop

    def decoded(self, size: int, channels: int, crop: str) -> HubImages:
        """The same images in another size, by another crop."""
        return HubImages(self.table, self.column, size, channels, crop)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, C, H, W)."""
        return len(self.table), self.channels, self.size, self.size

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at the positions int64[B], as uint8[B, C, H, W]."""
        import torch

        images = self.table[index.tolist()][self.column]
        return torch.from_numpy(np.stack([CROPS[self.crop](image, self.size, self.channels) for image in images]))


def hugging_face(name: str, root: Path | None = None, size: int | None = None) -> Dataset:
    """A data set of the hub, or one that `save_to_disk` wrote to `root` (or to the folder called `name`).

    The splits `train` and `test` are used, or `validation` where the test labels are withheld (-1); without either, a
    fixed stratified fifth of `train` is held out. Images are as large as the first one, but at most 224 pixels, where
    no `size` is given.

    Raises:
        DataError: If the package is missing, the data cannot be loaded, or there is no train split, no image column or
            no class-label column.
    """
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
    label = _column(parts["train"], datasets.ClassLabel, name)
    labelled = (key for key in ("test", "validation", "valid") if key in parts and min(parts[key][label]) >= 0)
    held_out = next(labelled, None)
    if held_out is not None:
        train, test = parts["train"], parts[held_out]
    else:
        rest, part = stratified(np.array(parts["train"][label]), 0.2)
        train, test = parts["train"].select(rest), parts["train"].select(part)
    size = size or min(224, *train[0][_column(train, datasets.Image, name)].size)
    return Dataset(*(_split(part, name, size) for part in (train, test)))


def _column(table: Any, kind: type, name: str) -> str:
    found = [column for column, feature in table.features.items() if isinstance(feature, kind)]
    if not found:
        raise DataError(f"hf:{name}: found no column of the type {kind.__name__} among {dict(table.features)}.")
    return found[0]


def _split(table: Any, name: str, size: int) -> Split:
    import datasets
    import torch

    image, label = _column(table, datasets.Image, name), _column(table, datasets.ClassLabel, name)
    first = table[0][image]
    images = HubImages(table, image, size, 1 if first.mode in ("L", "1") else 3)
    classes, labels = tuple(table.features[label].names), np.array(table[label])
    if len(table) * np.prod(images.shape[1:]) < 2**30:
        return Split(
            f"hf:{name}", torch.cat([images[part] for part in torch.arange(len(table)).split(1000)]), labels, classes
        )
    return Split(f"hf:{name}", images, labels, classes, content=table._fingerprint)
