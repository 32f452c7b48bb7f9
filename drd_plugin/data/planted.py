"""Planted noise, wrong labels and corrupted images, to test which scores find it.

The noisy examples are the first of a random order, so those of a smaller share are among those of a larger one. A wrong
label is drawn evenly from the other classes. The `CORRUPTIONS` are applied to the corrupted images in turn.

References:
    Benchmarking Neural Network Robustness to Common Corruptions and Perturbations (Hendrycks and Dietterich, 2019),
    https://arxiv.org/abs/1903.12261, for the kinds of corruption; the strengths are ours
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from ..core.seeds import generator
from .errors import DataError
from .pixels import handed_over
from .split import Split, check_split, stratified

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CORRUPTIONS", "Planted", "plant", "take"]


def _noise(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Gaussian noise with a standard deviation of 0.3 of the range."""
    import torch

    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape), np.float32))
    return (images + 0.3 * 255 * noise).round().clamp(0, 255).to(torch.uint8)


def _occlusion(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A grey rectangle of half the height and width."""
    height, width = (side // 2 for side in images.shape[2:])
    changed = images.clone()
    for image, (down, right) in zip(changed, rng.random((len(images), 2)), strict=True):
        y, x = int(down * (image.shape[1] - height + 1)), int(right * (image.shape[2] - width + 1))
        image[:, y : y + height, x : x + width] = 128
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
"""Functions from images uint8[B, C, H, W] and a generator to corrupted ones; no image depends on those after it."""


@dataclass(frozen=True, eq=False)
class Planted:
    """A split with planted noise, and the positions of the noise.

    Arguments:
        split: The split.
        wrong: Which labels are wrong, bool[n].
        corrupted: Which images are corrupted, bool[n].
    """

    split: Split
    wrong: np.ndarray = field(repr=False)
    corrupted: np.ndarray = field(repr=False)


def plant(split: Split, wrong_labels: float = 0.0, corrupted: float = 0.0, seed: int = 0) -> Planted:
    """A copy of a split with wrong labels and corrupted images, and which they are.

    Arguments:
        split: The split; to corrupt some of its images, they must be in memory.
        wrong_labels: The share of the examples that get the label of another class, in [0, 1).
        corrupted: The share of the images that are corrupted, in [0, 1); chosen independently.
        seed: Determines the noisy examples, their labels and corruptions.

    Raises:
        DataError: If a share is out of range, labels are to be wrong with only one class, or examples are to be
            corrupted that are not images in memory.
    """
    check_split(split)
    for name, share in (("wrong_labels", wrong_labels), ("corrupted", corrupted)):
        if not isinstance(share, Real) or not 0 <= share < 1:
            raise DataError(f"{name} is the share of the examples that is planted, in [0, 1), got {share!r}.")
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
    return Planted(noisy, *(np.isin(np.arange(len(split)), index) for index in (wrong, broken)))


def _first(split: Split, share: float, seed: int, purpose: str) -> np.ndarray:
    """The first positions of a random order, as many as the share of the split."""
    return generator(seed, purpose).permutation(len(split))[: round(share * len(split))]


def _mislabelled(split: Split, wrong: np.ndarray, seed: int) -> np.ndarray:
    """The labels, with those at the positions `wrong` moved on by 1 to C - 1 classes; each has its own draw."""
    moves = generator(seed, "other classes").integers(1, max(2, split.num_classes), len(split))
    labels = split.labels.copy()
    labels[wrong] = (labels[wrong] + moves[wrong]) % split.num_classes
    return labels


def _corrupted(images: Tensor, broken: np.ndarray, seed: int) -> Tensor:
    import torch

    changed = images.clone()
    for i, (name, corrupt) in enumerate(CORRUPTIONS.items()):
        index = torch.from_numpy(broken[i :: len(CORRUPTIONS)])
        changed[index] = corrupt(changed[index], generator(seed, name))
    return handed_over(changed)


def take(split: Split, examples: int) -> Split:
    """A part of the split with this number of examples and the same class shares; the choice is fixed.

    Raises:
        DataError: If the split has fewer examples or more classes than that, a class has one example alone, or the
            images are not in memory.
    """
    check_split(split)
    if not isinstance(examples, int | np.integer) or not split.num_classes <= examples <= len(split):
        raise DataError(f"{split.name} has {len(split)} examples of {split.num_classes} classes, got {examples!r}.")
    if examples == len(split):
        return split
    if not split.in_memory:
        raise DataError(f"{split.name} is decoded as needed, and is not cut: give a folder with fewer images.")
    rest, index = stratified(split.labels, examples / len(split), classes=split.classes)
    if len(index) < examples:  # the rest got an example of each class, which it does not need here
        index = np.sort(np.concatenate([index, generator(0, "take").permutation(rest)[: examples - len(index)]]))
    return replace(split.part(index), made_from=split.made_from or split.fingerprint)
