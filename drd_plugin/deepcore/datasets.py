"""Data sets that DeepCore lacks, as it wants them: functions of the data path that give (channel, im_size, num_classes,
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

from ..data import Dataset, Split, load

__all__ = ["Digits", "ImageNette", "ImageWoof", "SplitDataset"]

Tuple8 = tuple[int, tuple[int, int], int, list[str], list[float], list[float], Any, Any]


class SplitDataset(torch.utils.data.Dataset):
    """A `Split` as a torch data set of DeepCore's kind.

    Arguments:
        split: The images and labels.
        transform: From an image, float32[C, H, W] in [0, 1], to what a network sees.
        original: The same images as a diffusion model wants them, where they differ in size.
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
        return [
            (self.transform(image), label) for image, label in zip(images, self.targets[index].tolist(), strict=True)
        ]


IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
"""Mean and standard deviation of ImageNet's channels."""


def tuple_of(data: Dataset, statistics: tuple[list[float], list[float]], original: Split | None = None) -> Tuple8:
    """What a data set function of DeepCore returns."""
    from torchvision.transforms import Normalize

    channels, *size = data.train.shape
    mean, std = statistics
    train = SplitDataset(data.train, Normalize(mean, std), original)
    test = SplitDataset(data.test, Normalize(mean, std))
    return channels, (size[0], size[1]), data.train.num_classes, train.classes, mean, std, train, test


def Digits(data_path: str) -> Tuple8:  # noqa: N802
    """scikit-learn's digits, embedded; enlarged from 8 to 28 pixels, since DeepCore's networks need as many."""
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
    from torchvision.transforms.functional import resize

    return replace(split, images=resize(split.images, [size, size], antialias=True))
