"""A `Split`: un-augmented images with their labels and an identity; a `Dataset`: a training and a test split.

Images are uint8[n, C, H, W]. Small sets are one tensor in memory; the images of folders are decoded on access and
indexed in the same way. Splits of texts are a subclass (see `drd_plugin.data.text`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from ..artifacts.vectors import positions_of
from .errors import DataError
from .labels import labelled
from .parts import stratified
from .pixels import handed_over, owned, pixels_of

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "CACHE",
    "DataError",
    "Dataset",
    "Images",
    "Kind",
    "Split",
    "check_images",
    "check_split",
    "from_arrays",
    "scaled",
    "stratified",
]

Kind = Literal["images", "texts"]
"""The kind of examples that a split holds, and that a network, an augmentation or a score takes."""

CACHE = Path("~/.cache/drd_plugin/data").expanduser()
"""The folder that data sets are downloaded to."""


class Images(Protocol):
    """Un-augmented images by position: a uint8 tensor, or the images of a folder, decoded on access. An optional
    attribute `workers` is the number of processes that read them; by default the number of cores that this process may
    use, at most 8.
    """

    @property
    def shape(self) -> Sequence[int]:
        """(n, C, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """The images at the positions int64[B], as uint8[B, C, H, W]."""


@dataclass(frozen=True, eq=False)
class Split:
    """Un-augmented, labelled images. A split holds copies of the tensor and the labels that it is made from.

    Arguments:
        name: The data set's name.
        images: uint8[n, C, H, W], in memory or decoded on access.
        labels: The class of each image, int64[n], in 0..C-1; every class has an example. See `from_arrays`.
        classes: The class names, in order; no two are the same.
        content: A digest that identifies the images (for a folder, that of the paths and sizes of its files); images in
            memory are identified by their pixels.
        made_from: The fingerprint of the split that this one was made from, by leaving out examples or planting noise;
            "" for none. The denoiser that is bundled for that split serves this one too.
        kind: The kind of the examples; subclasses override it.
        stored: The dtype of `images` if they are one tensor.
        maker: The function that builds such a split from a user's data.

    Raises:
        DataError: If lengths differ, a label is out of range or a class has no example or no name of its own.
    """

    kind: ClassVar[Kind] = "images"
    stored: ClassVar[str] = "uint8"
    maker: ClassVar[str] = "from_arrays"

    name: str
    images: Images = field(repr=False)
    labels: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    content: str = field(default="", repr=False)
    made_from: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        labels, classes = labelled(self.name, self.labels, self.classes)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "classes", classes)
        if len(labels) != len(self.images) or len(labels) == 0:
            raise DataError(
                f"{self.name}: expected as many labels as {self.kind} and at least one, got {len(labels)} labels and "
                f"{len(self.images)} {self.kind}."
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(wrong):
            raise DataError(
                f"{self.name}: labels must be in 0..{len(self.classes) - 1} for {len(self.classes)} classes, "
                f"got {labels[wrong[0]]} at position {wrong[0]} ({len(wrong)} such labels)."
            )
        empty = [name for name, count in zip(self.classes, self.class_counts, strict=True) if count == 0]
        if empty:
            raise DataError(
                f"{self.name}: no example of {', '.join(empty[:5])} ({len(empty)} empty classes; labels count from 0): "
                "add examples or leave the classes out."
            )
        if self.in_memory:
            self._own()

    def _own(self) -> None:
        """Replaces the tensor by a copy that nobody else holds; raises DataError if it has another type or shape."""
        images: Any = self.images
        kind = f"{type(images).__module__.partition('.')[0]}.{images.dtype}".replace("torch.torch", "torch")
        if kind != f"torch.{self.stored}":
            raise DataError(
                f"{self.name}: expected {self.stored} {self.kind}, got {kind}: build the split with {self.maker}()."
            )
        if images.ndim != 4 or 0 in images.shape[1:]:
            raise DataError(
                f"{self.name}: expected {self.kind} of the shape [n, C, H, W] with pixels, got {tuple(images.shape)}: "
                f"build the split with {self.maker}()."
            )
        object.__setattr__(self, "images", owned(images))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def in_memory(self) -> bool:
        """Whether the images are one tensor."""
        return hasattr(self.images, "dtype")

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return len(self.classes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def form(self) -> tuple[int, int]:
        """The two numbers by which a network is built for these examples: the images' channels, and their height."""
        return self.shape[0], self.shape[1]

    def part(self, index: np.ndarray) -> Split:
        """The split with only the examples at the positions int64[k], or of a mask bool[n]; they must be in memory."""
        index = positions_of(index, len(self))
        return replace(self, labels=self.labels[index], **self._at(index))

    def _at(self, index: np.ndarray) -> dict[str, Any]:
        """The fields of length n, without the labels, restricted to some positions."""
        import torch

        return {"images": handed_over(self.images[torch.from_numpy(index)])}

    def _identity(self) -> bytes:
        """The bytes that identify the examples, without their labels."""
        return self.images.numpy().tobytes() if self.in_memory else self.content.encode()  # type: ignore[attr-defined]

    @cached_property
    def class_counts(self) -> np.ndarray:
        """The number of examples of each class, int64[C]."""
        return np.bincount(self.labels, minlength=self.num_classes)

    @cached_property
    def fingerprint(self) -> str:
        """The split's identity: its name and a digest of shape, number of classes, labels and content."""
        sha = hashlib.sha256(repr((tuple(self.images.shape), self.num_classes)).encode())
        sha.update(self.labels.tobytes())
        sha.update(self._identity())
        return f"{self.name}:{sha.hexdigest()[:16]}"

    @cached_property
    def statistics(self) -> tuple[list[float], list[float]]:
        """The mean and standard deviation of each channel for pixels in [0, 1], over at most 10,000 images at even
        distances.
        """
        import torch

        index = torch.linspace(0, len(self) - 1, min(len(self), 10_000)).long()
        total, square, count = torch.zeros(self.shape[0]), torch.zeros(self.shape[0]), 0
        for part in index.split(500):
            pixels = self.images[part].float().div_(255)
            total += pixels.sum((0, 2, 3))
            square += pixels.square().sum((0, 2, 3))
            count += pixels[:, 0].numel()
        mean = total / count
        return mean.tolist(), (square / count - mean.square()).clamp_min(1e-8).sqrt().tolist()


@dataclass(frozen=True, eq=False)
class Dataset:
    """The training split, from which subsets are selected, and the test split, which no selection sees."""

    train: Split
    test: Split

    def __post_init__(self) -> None:
        train, test = self.train, self.test
        check_split(train)
        check_split(test)
        if train.classes != test.classes or (train.kind, train.shape) != (test.kind, test.shape):
            pairs = (("training", train, test), ("test", test, train))
            lacking = {part: [c for c in one.classes if c not in other.classes] for part, one, other in pairs}
            alone = [f"only the {part} split has {', '.join(names[:5])}" for part, names in lacking.items() if names]
            same = train.classes == test.classes
            detail = "" if same else f": {'; '.join(alone) or 'the classes are the same in another order'}"
            raise DataError(
                f"{train.name}: the training split has {train.num_classes} classes and {train.kind} {train.shape}, the "
                f"test split {test.num_classes} and {test.kind} {test.shape}; they must agree{detail}."
            )
        if getattr(train, "vocabulary", None) != getattr(test, "vocabulary", None):
            raise DataError(
                f"{train.name}: the test split was read by another vocabulary than the training split: give "
                "from_texts(..., vocabulary=train.vocabulary)."
            )


def check_split(split: object) -> None:
    """Raises DataError if this is not a `Split` (but a `Dataset`, say)."""
    if not isinstance(split, Split):
        hint = ": give its .train" if isinstance(split, Dataset) else ""
        raise DataError(f"expected a Split, got a {type(split).__name__}{hint}.")


def check_images(split: Split, consumer: str) -> None:
    """Raises DataError, which names the consumer of the images, unless the split holds images."""
    if split.kind != "images":
        raise DataError(f"{consumer} takes images, and {split.name} holds {split.kind}: give a data set of images.")


def from_arrays(
    name: str, images: np.ndarray | Tensor, labels: np.ndarray | Sequence[Any], classes: Sequence[str] | None = None
) -> Split:
    """The split of images in memory, which are copied.

    Arguments:
        name: The data set's name.
        images: Integers in 0..255, floating point in [0, 1], or truth values (black and white), with shape [n, C, H, W]
            or [n, H, W]. Of integers of 16 bits without sign of which one is above 255, the high byte is taken.
        labels: Integer labels or class names, with length n.
        classes: The class names; by default "0", "1", ..., or the names among the labels, sorted (by value if all are
            whole numbers).

    Raises:
        DataError: If a pixel is NaN or out of range, the images have another shape, or a label is no integer and no
            class name, or out of range.
    """
    return Split(name, pixels_of(name, images), *labelled(name, labels, classes))


def scaled(images: Tensor) -> Tensor:
    """Images uint8[B, C, H, W] scaled for a diffusion model, float32[B, C, H, W] in [-1, 1]."""
    return images.float() / 127.5 - 1
