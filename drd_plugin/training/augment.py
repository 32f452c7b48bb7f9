"""Random augmentation of whole batches on their own device; each image or word has its own random draw."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import Kind
from ..data.text import PADDING, UNKNOWN

__all__ = ["AUGMENTATIONS", "TEXT_AUGMENTATIONS", "augmentation"]

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def none(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images as they are."""
    return images


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images, each moved by up to an eighth of its size in both directions, with its reflection beyond the border.

    Arguments:
        images: float[B, C, H, W].
        generator: Draws the translations; on the images' device.
    """
    size, (height, width) = len(images), images.shape[2:]
    reach = max(1, min(height, width) // 8)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    y, x = torch.randint(0, 2 * reach + 1, (2, size, 1), generator=generator, device=images.device)
    rows = y + torch.arange(height, device=images.device)
    columns = x + torch.arange(width, device=images.device)
    batch = torch.arange(size, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images, each mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(images), generator=generator, device=images.device) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images after `shift` and `flip`: the usual augmentation of CIFAR."""
    return flip(shift(images, generator), generator)


def resized_crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random crop of each image, with 8 to 100 % of its area and an aspect ratio of 3/4 to 4/3, resized to the full
    size, then `flip`: the usual augmentation of ImageNet.
    """
    size, device = len(images), images.device
    area, shape, x, y = torch.rand(4, size, generator=generator, device=device)
    side = (0.08 + 0.92 * area).sqrt()
    ratio = ((2 * shape - 1) * torch.tensor(4 / 3).log()).exp().sqrt()
    width, height = (side * ratio).clamp_max(1), (side / ratio).clamp_max(1)
    theta = torch.zeros(size, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 0, 2] = width, (2 * x - 1) * (1 - width)
    theta[:, 1, 1], theta[:, 1, 2] = height, (2 * y - 1) * (1 - height)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return flip(F.grid_sample(images, grid, align_corners=False, padding_mode="reflection"), generator)


def word_dropout(texts: Tensor, generator: torch.Generator) -> Tensor:
    """The texts, with each word made unknown with probability 1/10.

    Arguments:
        texts: Numbers of words, int64[B, 1, 1, L].
        generator: Draws the words; on the texts' device.
    """
    dropped = torch.rand(texts.shape, generator=generator, device=texts.device) < 0.1
    return texts.masked_fill(dropped & (texts != PADDING), UNKNOWN)


AUGMENTATIONS: dict[str, Augmentation] = {f.__name__: f for f in (none, shift, crop_flip, resized_crop_flip)}
"""The augmentations of images by name."""

TEXT_AUGMENTATIONS: dict[str, Augmentation] = {f.__name__: f for f in (none, word_dropout)}
"""The augmentations of texts by name."""


def augmentation(name: str, kind: Kind) -> Augmentation:
    """The augmentation with this name, for images or for texts.

    Raises:
        ValueError: If there is none for this kind of examples.
    """
    augmentations = {"images": AUGMENTATIONS, "texts": TEXT_AUGMENTATIONS}[kind]
    if name not in augmentations:
        raise ValueError(f"the augmentation {name} is not one of {kind}: give one of {', '.join(augmentations)}.")
    return augmentations[name]
