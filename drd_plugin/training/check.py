"""Whether a recipe's network and augmentation take the examples of a split, found out before any training."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from contextlib import suppress
from functools import cache

import torch

from ..core.seeds import seeded
from ..data import DataError, Split
from .augment import augmentation
from .names import NETS
from .nets import check_net
from .recipe import Recipe

__all__ = ["check_recipe"]

LARGEST = 64
"""The greatest side in pixels that is tried for the message on images that are too small."""


def check_recipe(recipe: Recipe, split: Split, *, least_classes: int = 2, single: bool = False) -> None:
    """Checks that a recipe can train on the examples of a split; one image goes through the network.

    Arguments:
        recipe: The recipe.
        split: The training split.
        least_classes: The least number of classes.
        single: Whether a batch may be one example.

    Raises:
        DataError: If the split has too few classes, or images of a size that the network or the augmentation cannot
            take.
        ValueError: If this is no recipe, or the network or the augmentation takes another kind of examples.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"expected a Recipe, got {recipe!r}.")
    check_net(recipe.net, split.kind)
    augment = augmentation(recipe.augment, split.kind)
    if split.num_classes < least_classes:
        raise DataError(
            f"{split.name} has one class, {split.classes[0]}, and the training of a classifier ({recipe.net}) needs at "
            "least two classes: add examples of another class, or take a method that trains none (Random, or a "
            "diffusion model's score)."
        )
    if split.kind != "images":
        return
    _, height, width = split.shape
    try:
        augment(torch.zeros(1, *split.shape), torch.Generator())
    except RuntimeError as error:
        raise DataError(
            f"the augmentation {recipe.augment} cannot take images of {height} x {width} pixels, as in {split.name}: "
            "load them in a larger size, or take the augmentation none."
        ) from error
    for training in (False, *([True] if single else [])):
        problem = _trial(recipe.net, split.shape, split.num_classes, training)
        if problem:
            raise DataError(_remedy(recipe.net, split, training, problem))


@cache
def _trial(net: str, shape: tuple[int, int, int], num_classes: int, training: bool) -> str:
    """The reason why a network cannot take one image of this shape; empty if it can.

    Raises:
        ValueError: If the network itself says so.
    """
    channels, height, _ = shape
    try:
        with seeded(0), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # layers without weights, for images that are too small
            NETS[net](channels, height, num_classes).train(training)(torch.zeros(1, *shape))
    except (RuntimeError, AssertionError, ArithmeticError, IndexError) as error:
        return str(error).strip().partition("\n")[0] or type(error).__name__
    except ValueError as error:
        if not training:
            raise
        return str(error)
    return ""


def _remedy(net: str, split: Split, training: bool, problem: str) -> str:
    """The message on images that the network cannot take."""
    channels, height, width = split.shape
    pixels = f"{height} x {width} pixels, as in {split.name}"
    if training:
        return (
            f"{net} cannot train on a batch of one image of {pixels} ({problem}): take a larger batch_size, more "
            "examples, or larger images."
        )
    least = _least_side(net, channels, split.num_classes)
    if least is not None and min(height, width) < least:
        problem, remedy = f"it needs at least {least} x {least}", "load them in a larger size"
    else:
        remedy = "load them square" if height != width else "load them in another size"
    return f"{net} cannot take images of {pixels} ({problem}): {remedy}, or take another network."


def _least_side(net: str, channels: int, num_classes: int) -> int | None:
    """The least side in pixels of a square image that a network takes; None if that is above `LARGEST`."""

    def takes(side: int) -> bool:
        with suppress(ValueError):
            return not _trial(net, (channels, side, side), num_classes, False)
        return False

    sides = range(1, LARGEST + 1)
    place = bisect_left(sides, True, key=takes)
    return sides[place] if place < LARGEST else None
