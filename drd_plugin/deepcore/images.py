"""The images of a DeepCore data set as they are before normalisation, as a `Split`.

DeepCore's data sets normalise in their `transform`; a diffusion model takes the images themselves. Of the transform,
the steps that set an image's size or type are preserved, normalisation and random augmentation are left out, and any
other step is refused, since its effect on an image is unknown.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets.folder import default_loader
from torchvision.transforms import Compose
from typing_extensions import override

from ..data import DataError, Split
from ..data.decoding import decode, is_grey, open_image
from ..data.hub import IN_MEMORY
from ..data.identity import text_of
from .datasets import SplitDataset

__all__ = ["labels_of", "original_of", "relabelled", "split_of"]

PRESERVED = {
    "CenterCrop", "ConvertImageDtype", "Grayscale", "Identity", "PILToTensor", "Pad", "RGB", "Resize", "ToDtype",
    "ToImage", "ToPILImage", "ToPureTensor", "ToTensor",
}  # fmt: skip
"""Steps that set an image's size or type."""

LEFT_OUT = {
    "AugMix", "AutoAugment", "ColorJitter", "GaussianBlur", "Normalize", "RandAugment", "RandomAdjustSharpness",
    "RandomAffine", "RandomAutocontrast", "RandomCrop", "RandomEqualize", "RandomErasing", "RandomGrayscale",
    "RandomHorizontalFlip", "RandomInvert", "RandomPerspective", "RandomPosterize", "RandomRotation", "RandomSolarize",
    "RandomVerticalFlip", "TrivialAugmentWide",
}  # fmt: skip
"""Normalisation, and random augmentation that keeps the size."""

NAMES = {"FashionMNIST": "fashion_mnist", "CIFAR10": "cifar10", "CIFAR100": "cifar100"}
"""The names in this library of torchvision's data sets that have the same images and labels."""


def split_of(dst_train: Any, workers: int = 0) -> Split:
    """The un-normalised, un-augmented images and the labels of a DeepCore training set.

    Arguments:
        dst_train: A torch data set with `classes` and `targets`, whose items are (image, label).
        workers: Processes that read images which are not in memory.

    Raises:
        DataError: If there are no classes or labels, the transform cannot be undone, or the images differ in size.
    """
    if isinstance(dst_train, SplitDataset):
        return relabelled(dst_train.split, labels_of(dst_train))
    classes = getattr(dst_train, "classes", None)
    if classes is None:
        raise DataError(
            f"{type(dst_train).__name__} has no attribute `classes`, which DeepCore's methods need: set "
            "dst_train.classes to the list of the class names."
        )
    labels, plain = labels_of(dst_train), _plain(dst_train)
    name = NAMES.get(type(dst_train).__name__, type(dst_train).__name__.lower())
    lazy = _Lazy(plain, workers)
    images = _array(plain, lazy)
    if images is None and lazy.bytes < IN_MEMORY:
        images = lazy.all()
    content = lazy.sample_digest() if images is None else ""
    return Split(name, lazy if images is None else images, labels, _class_names(dst_train, classes), content)


def original_of(dst_train: Any, split: Split) -> Split:
    """The split whose images a diffusion model takes: that of the data set, unless it has others for the purpose."""
    return relabelled(dst_train.original, split.labels) if isinstance(dst_train, SplitDataset) else split


def relabelled(split: Split, labels: np.ndarray) -> Split:
    """The split with labels that a script may have changed."""
    return split if np.array_equal(split.labels, labels) else replace(split, labels=labels)


def _class_names(dst_train: Any, classes: Sequence[Any]) -> tuple[str, ...]:
    """The names of the classes as texts. Torchvision's ImageNet has several names for a class, and some for two (the
    crane that flies and the one that lifts), which get their WordNet ids, or else their numbers.
    """
    names = [", ".join(name) if isinstance(name, tuple) else str(name) for name in classes]
    ids = getattr(dst_train, "wnids", range(len(names)))
    count = Counter(names)
    return tuple(f"{name} ({number})" if count[name] > 1 else name for name, number in zip(names, ids, strict=True))


def labels_of(dst_train: Any) -> np.ndarray:
    """The labels of a torch data set, int64[n].

    Raises:
        DataError: If it has neither `targets` nor `labels`.
    """
    labels = next((v for key in ("targets", "labels") if (v := getattr(dst_train, key, None)) is not None), None)
    if labels is None:
        raise DataError(
            f"{type(dst_train).__name__} has no attribute `targets`: set it to a tensor of the labels, one an image."
        )
    if isinstance(labels, (list, tuple)):
        warnings.warn(
            f"{type(dst_train).__name__}.targets is a plain {type(labels).__name__}, from which DeepCore's own "
            "balanced methods select nothing; it is read as an array here.",
            stacklevel=2,
        )
    return np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)


def _plain(dst_train: Any) -> Any:
    """A shallow copy of the data set, whose items are not normalised."""
    plain = copy.copy(dst_train)
    if getattr(dst_train, "loader", None) is default_loader:
        plain.loader = _loaded
    if getattr(dst_train, "transform", None) is not None:
        steps = [step for step in _steps(dst_train.transform) if _is_preserved(step)]
        plain.transform = Compose([_eight_bits, *steps])
    return plain


def _eight_bits(image: Any) -> Any:
    """An image of Pillow upright and in 8 bits of grey or colour (see `drd_plugin.data.decoding`); else as it is."""
    return decode(image, "grey" if is_grey(image) else "rgb").image if isinstance(image, Image) else image


def _loaded(path: str) -> Image:
    """The image in a file in colour, in the place of torchvision's loader, which clips what has more than 8 bits."""
    with open_image(Path(path), text_of(Path(path))) as image:
        return decode(image, "rgb").image


def _steps(transform: Any) -> Iterator[Any]:
    """The single steps of a transform, in order."""
    if isinstance(transform, torch.nn.Sequential):
        inner = list(transform)
    elif type(transform).__name__ == "Compose":
        inner = transform.transforms
    else:
        yield transform
        return
    for step in inner:
        yield from _steps(step)


def _is_preserved(step: Any) -> bool:
    """Whether a step is preserved. One that applies others at random is left out if all of these are."""
    name = type(step).__name__
    if name in ("RandomApply", "RandomChoice", "RandomOrder") and not any(map(_is_preserved, step.transforms)):
        return False
    if name not in PRESERVED | LEFT_OUT:
        raise DataError(
            f"the data set's transform has the step {step}, and what the image is without it cannot be told: select "
            "with a transform of known steps (resizing, cropping, ToTensor, Normalize), and set the other afterwards."
        )
    return name in PRESERVED


def _array(plain: Any, images: _Lazy) -> Tensor | None:
    """All images, uint8[n, C, H, W], if the data set holds them as an array `data` that agrees with its items."""
    data = getattr(plain, "data", None)
    if not isinstance(data, (np.ndarray, Tensor)) or len(data) != len(images):
        return None
    pixels = torch.as_tensor(data)
    if pixels.dtype != torch.uint8 or pixels.ndim not in (3, 4):
        return None
    candidates = [pixels.unsqueeze(1)] if pixels.ndim == 3 else [pixels, pixels.permute(0, 3, 1, 2)]
    some = torch.linspace(0, len(images) - 1, min(len(images), 16)).long()
    expected = images[some]
    for candidate in candidates:
        if torch.equal(candidate[some], expected):
            return candidate.contiguous()
    return None


class _Lazy(torch.utils.data.Dataset[Tensor]):
    """The images of a torch data set, indexed like an image tensor.

    Arguments:
        dataset: Its items are (image, label).
        workers: Processes that read it, see `Loader`.
    """

    def __init__(self, dataset: Any, workers: int) -> None:
        self.dataset, self.workers = dataset, workers
        self.shape = (len(dataset), *_pixels(dataset, 0).shape)

    def __len__(self) -> int:
        return self.shape[0]

    @override
    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at the positions int64[B], as uint8[B, C, H, W]."""
        images = [_pixels(self.dataset, i) for i in index.tolist()]
        wrong = [i for i, image in zip(index.tolist(), images, strict=True) if image.shape != self.shape[1:]]
        if wrong:
            raise DataError(
                f"image {wrong[0]} differs in size from image 0, which is {tuple(self.shape[1:])}: put a Resize and a "
                "CenterCrop into the data set's transform."
            )
        return torch.stack(images)

    @property
    def bytes(self) -> int:
        """The size of all images in memory."""
        return int(np.prod(self.shape))

    def all(self) -> Tensor:
        """All images, uint8[n, C, H, W]."""
        images, batches = torch.empty(self.shape, dtype=torch.uint8), torch.arange(len(self)).split(500)
        loader = DataLoader(self, sampler=batches, batch_size=None, num_workers=self.workers)
        for index, batch in zip(batches, loader, strict=True):
            images[index] = batch
        return images

    def sample_digest(self) -> str:
        """A digest of at most 256 images on a fixed grid."""
        index = torch.linspace(0, len(self) - 1, min(len(self), 256)).long()
        return hashlib.sha256(self[index].numpy().tobytes()).hexdigest()


def _pixels(dataset: Any, i: int) -> Tensor:
    """Image i, uint8[C, H, W]."""
    try:
        image = _eight_bits(dataset[i][0])
    except (DataError, OSError) as error:
        raise DataError(f"image {i} cannot be read ({error}): repair it, or leave it out.") from error
    pixels = torch.as_tensor(image if isinstance(image, (Tensor, np.ndarray)) else np.array(image))
    if pixels.dtype == torch.uint16:
        pixels = pixels.to(torch.int32)
    channels_last = pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4) and pixels.shape[0] not in (1, 3, 4)
    if pixels.ndim == 3 and (channels_last or not isinstance(image, (Tensor, np.ndarray))):
        pixels = pixels.permute(2, 0, 1)
    if pixels.ndim == 2:
        pixels = pixels.unsqueeze(0)
    if pixels.is_floating_point():
        low, high = float(pixels.min()), float(pixels.max())
        if not -1e-6 <= low <= high <= 1 + 1e-6:
            raise DataError(
                f"image {i} has values from {low:.3g} to {high:.3g}, so it was normalised, and how cannot be told: "
                "give a data set whose `transform` normalises, or one with values in [0, 1]."
            )
        pixels = (pixels * 255).round()
    elif pixels.dtype == torch.bool:
        pixels = 255 * pixels.to(torch.uint8)
    elif pixels.dtype != torch.uint8 and (int(pixels.min()) < 0 or int(pixels.max()) > 255):
        raise DataError(
            f"image {i} has whole numbers from {int(pixels.min())} to {int(pixels.max())}, expected 0 to 255: give "
            "images of Pillow, whose 16 bits are read, or divide by 256."
        )
    return pixels.to(torch.uint8)
