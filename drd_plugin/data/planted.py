"""Noise that is planted on purpose, to see which scores find it: wrong labels and corrupted images.

The examples are the first of a random order, so that a smaller share is a part of a larger one. A wrong label is drawn
evenly from the other classes. A corrupted image has one of `CORRUPTIONS`, in turn.

References:
    Benchmarking Neural Network Robustness to Common Corruptions and Perturbations (Hendrycks and Dietterich, 2019),
    https://arxiv.org/abs/1903.12261, for the kinds of corruption; the strengths are ours
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.seeds import generator
from .split import DataError, Split, stratified

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CORRUPTIONS", "Planted", "plant", "take"]


def _noise(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Gaussian noise with a standard deviation of 0.3 of the range."""
    import torch

    drawn = torch.from_numpy(rng.standard_normal(tuple(images.shape), np.float32))
    return (images + 0.3 * 255 * drawn).round().clamp(0, 255).to(torch.uint8)


def _occlusion(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A grey rectangle of half the height and width."""
    height, width = (side // 2 for side in images.shape[2:])
    changed = images.clone()
    for image, (down, right) in zip(changed, rng.random((len(images), 2)), strict=True):
        top, left = int(down * (image.shape[1] - height + 1)), int(right * (image.shape[2] - width + 1))
        image[:, top : top + height, left : left + width] = 128
    return changed


def _pixelation(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A quarter of the resolution."""
    from torchvision.transforms.v2.functional import InterpolationMode, resize

    small = resize(images, [max(1, side // 4) for side in images.shape[2:]], antialias=True)
    return resize(small, list(images.shape[2:]), InterpolationMode.NEAREST)


def _blur(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A Gaussian blur with a standard deviation of a twelfth of the width."""
    from torchvision.transforms.v2.functional import gaussian_blur

    sigma = images.shape[3] / 12
    return gaussian_blur(images, [2 * int(np.ceil(2 * sigma)) + 1] * 2, [sigma] * 2)


CORRUPTIONS: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {
    "noise": _noise,
    "occlusion": _occlusion,
    "pixelation": _pixelation,
    "blur": _blur,
}
"""From images uint8[B, C, H, W] and a generator to others; more images change nothing for the first."""


@dataclass(frozen=True, eq=False)
class Planted:
    """A split with noise in it, and where.

    Arguments:
        split: The split.
        wrong: Which labels are wrong, bool[n].
        corrupted: Which images are corrupted, bool[n].
    """

    split: Split
    wrong: np.ndarray = field(repr=False)
    corrupted: np.ndarray = field(repr=False)


def plant(split: Split, wrong_labels: float = 0.0, corrupted: float = 0.0, seed: int = 0) -> Planted:
    """Plants noise in a split.

    Arguments:
        split: The split; its images must be in memory where some are to be corrupted.
        wrong_labels: The share of the examples that get the label of another class, in [0, 1).
        corrupted: The share of the images that are corrupted, in [0, 1); chosen independently.
        seed: Decides which, and how.

    Raises:
        DataError: If a share is out of range, there is only one class, or what is to be corrupted is not images in
            memory.
    """
    for name, share in (("wrong_labels", wrong_labels), ("corrupted", corrupted)):
        if not 0 <= share < 1:
            raise DataError(f"{name} is the share of the examples that is planted, in [0, 1), got {share}.")
    if wrong_labels and split.num_classes < 2:
        raise DataError(f"{split.name} has one class, so that no label can be wrong.")
    if corrupted and split.kind != "images":
        raise DataError(f"{split.name} holds {split.kind}, and only images can be corrupted: plant wrong labels.")
    if corrupted and not split.in_memory:
        raise DataError(f"{split.name} is decoded as needed, and only images in memory can be corrupted.")
    wrong, broken = _first(split, wrong_labels, seed, "wrong labels"), _first(split, corrupted, seed, "corrupted")
    noisy = replace(
        split,
        images=_corrupted(split.images, broken, seed) if len(broken) else split.images,  # type: ignore[arg-type]
        labels=_mislabelled(split, wrong, seed),
        made_from=split.made_from or split.fingerprint,
    )
    return Planted(noisy, *(np.isin(np.arange(len(split)), of) for of in (wrong, broken)))


def _first(split: Split, share: float, seed: int, purpose: str) -> np.ndarray:
    """The first positions of a random order."""
    return generator(seed, purpose).permutation(len(split))[: round(share * len(split))]


def _mislabelled(split: Split, wrong: np.ndarray, seed: int) -> np.ndarray:
    """The labels, of which those at some positions are moved on by 1 to C - 1 classes; each has its own draw."""
    moves = generator(seed, "other classes").integers(1, max(2, split.num_classes), len(split))
    labels = split.labels.copy()
    labels[wrong] = (labels[wrong] + moves[wrong]) % split.num_classes
    return labels


def _corrupted(images: Tensor, broken: np.ndarray, seed: int) -> Tensor:
    import torch

    changed = images.clone()
    for place, (name, corrupt) in enumerate(CORRUPTIONS.items()):
        of = torch.from_numpy(broken[place :: len(CORRUPTIONS)])
        changed[of] = corrupt(changed[of], generator(seed, name))
    return changed


def take(split: Split, examples: int) -> Split:
    """The split with so many of its examples, each class with its share; the choice is fixed.

    Raises:
        DataError: If there are not so many, or too few for each class to have one.
    """
    if not split.num_classes <= examples <= len(split):
        raise DataError(f"{split.name} has {len(split)} examples of {split.num_classes} classes, got {examples}.")
    if examples == len(split):
        return split
    if not split.in_memory:
        raise DataError(f"{split.name} is decoded as needed, and is not cut: give a folder with fewer images.")
    _, kept = stratified(split.labels, examples / len(split))
    return replace(split.part(kept), made_from=split.made_from or split.fingerprint)
