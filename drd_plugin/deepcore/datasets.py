"""Data sets that DeepCore lacks, in its form: functions of the data path that return (channel, im_size, num_classes,
class_names, mean, std, dst_train, dst_test).

DeepCore augments CIFAR-10, CIFAR-100 and ImageNet alone; on others, networks see the images as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import Normalize
from torchvision.transforms.functional import resize

from ..data import Dataset, Split, load

__all__ = ["Digits", "ImageNette", "ImageWoof", "SplitDataset"]

Tuple8 = tuple[int, tuple[int, int], int, list[str], list[float], list[float], Any, Any]


class SplitDataset(torch.utils.data.Dataset):
    """A `Split` as a torch data set of DeepCore's kind.

    Arguments:
        split: The images and labels.
        transform: From an image, float32[C, H, W] in [0, 1], to a network's input.
        original: The same images as a diffusion model takes them, if they differ in size.
    """

    def __init__(self, split: Split, transform: Callable[[Tensor], Tensor], original: Split | None = None) -> None:
        self.split, self.transform, self.original = split, transform, original or split
        self.classes, self.targets = list(split.classes), torch.tensor(split.labels)

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.__getitems__([i])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Tensor, int]]:
        """A batch, as torch's `DataLoader` asks for it."""
        index = torch.as_tensor(np.asarray(indices, np.int64))
        images = self.split.images[index].float() / 255
        labels = self.targets[index].tolist()
        return [(self.transform(image), label) for image, label in zip(images, labels, strict=True)]


IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Mean and standard deviation of ImageNet's channels."""


def tuple_of(data: Dataset, statistics: tuple[list[float], list[float]], original: Split | None = None) -> Tuple8:
    """The tuple that a data set function of DeepCore returns."""
    (channels, height, width), (mean, std) = data.train.shape, statistics
    train = SplitDataset(data.train, Normalize(mean, std), original)
    test = SplitDataset(data.test, Normalize(mean, std))
    return channels, (height, width), data.train.num_classes, train.classes, mean, std, train, test


def Digits(data_path: str) -> Tuple8:  # noqa: N802
    """scikit-learn's digits, embedded; enlarged from 8 to 28 pixels, which DeepCore's networks need."""
    data = load("digits")
    large = Dataset(enlarged(data.train, 28), enlarged(data.test, 28))
    return tuple_of(large, large.train.statistics, data.train)


def ImageNette(data_path: str) -> Tuple8:  # noqa: N802
    """Ten easy classes of ImageNet, from `data_path`/imagenette2*; 3 x 224 x 224."""
    return tuple_of(load("imagenette", Path(data_path)), IMAGENET)


def ImageWoof(data_path: str) -> Tuple8:  # noqa: N802
    """Ten breeds of dogs of ImageNet, from `data_path`/imagewoof2*; 3 x 224 x 224."""
    return tuple_of(load("imagewoof", Path(data_path)), IMAGENET)


def enlarged(split: Split, size: int) -> Split:
    """A split in memory with its images resized to `size` pixels."""
    return replace(split, images=resize(split.images, [size, size], antialias=True))
