"""A `Recipe`: all that determines how a network is trained but data and seeds; a `Goal`: when a training ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..core.registry import check_fields, check_least

__all__ = ["PROXY", "Goal", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """How to train a network.

    Arguments:
        net: The network's name in `NETS`.
        steps: Optimiser steps; equal for every fraction, so that subsets are compared at equal training cost. 300 if
            neither steps nor epochs are given.
        epochs: Passes over the subset, instead of `steps`.
        batch_size: Examples a step; a smaller subset is one batch.
        optimizer: `sgd`, `adam` or `adamw`.
        lr: The peak learning rate.
        momentum: SGD's momentum, in [0, 1).
        nesterov: Whether SGD's momentum is Nesterov's.
        weight_decay: Decoupled for AdamW, L2 for SGD and Adam; at least 0; biases and normalisation are left out.
        decay_all: Whether biases and normalisation decay too.
        min_lr: The learning rate at which `cosine` and `linear` end.
        schedule: `cosine`, `linear`, `step` (a tenth at 1/3 and 2/3), or `constant`.
        warmup: The share of the steps in which the learning rate rises linearly from zero.
        augment: `none`, `shift` (random translation by an eighth), `crop_flip` (that and a horizontal flip), or
            `resized_crop_flip` (random resized crop and flip, for large images); for texts `none` or `word_dropout` (a
            tenth of the words become unknown).
        label_smoothing: In [0, 1).
        precision: `float32`, `bfloat16` (autocast), or `auto`: bfloat16 on a GPU, float32 on a CPU.
        evaluations: How often the test accuracy is measured, evenly over the training; the last time is after the last
            step.

    Raises:
        UnknownName: If a field is none of its options.
        ValueError: If a field has a value that it cannot have.
    """

    net: str = "convnet"
    steps: int | None = None
    epochs: int | None = None
    batch_size: int = 64
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay_all: bool = False
    min_lr: float = 0.0
    schedule: Literal["cosine", "linear", "step", "constant"] = "cosine"
    warmup: float = 0.1
    augment: Literal["none", "shift", "crop_flip", "resized_crop_flip", "word_dropout"] = "none"
    label_smoothing: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    evaluations: int = 5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.steps is not None and self.epochs is not None:
            raise ValueError(f"a recipe has either steps or epochs, got steps={self.steps} and epochs={self.epochs}.")
        if self.steps is None and self.epochs is None:
            object.__setattr__(self, "steps", 300)
        check_least(self, 1, "steps", "epochs", "batch_size", "evaluations")
        for name in ("steps", "epochs", "batch_size", "evaluations"):
            if (getattr(self, name) or 0) >= 2**31:
                raise ValueError(f"Recipe.{name} must be below 2^31, got {getattr(self, name)}.")
        check_least(self, 0, "weight_decay")
        if not 0 <= self.min_lr <= self.lr or self.lr == 0:
            raise ValueError(f"expected lr > 0 and min_lr in [0, lr], got lr={self.lr}, min_lr={self.min_lr}.")
        for name in ("momentum", "warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"Recipe.{name} must be in [0, 1), got {getattr(self, name)}.")

    def for_epochs(self, epochs: int) -> Recipe:
        """The same recipe for this number of epochs, instead of its steps or epochs."""
        return replace(self, epochs=epochs, steps=None)

    def steps_per_epoch(self, n: int) -> int:
        """The number of steps for one pass over n examples; an incomplete last batch counts."""
        return -(-n // self.batch_size)

    def total_steps(self, n: int) -> int:
        """The number of steps of the training on n examples."""
        return self.steps if self.steps is not None else (self.epochs or 0) * self.steps_per_epoch(n)


PROXY = Recipe().for_epochs(30)
"""The default recipe of the proxy, whose training the fold scores watch."""


@dataclass(frozen=True)
class Goal:
    """When a training ends: after the first step at which the amount is reached.

    Arguments:
        axis: The unit of the amount: `epochs` (with a fraction for the current one), `steps` of the optimiser,
            `samples` (examples presented), or `wall` (seconds, without the tests).
        amount: The amount, above 0.
    """

    axis: Literal["epochs", "steps", "samples", "wall"]
    amount: float

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.amount > 0:
            raise ValueError(f"a training needs {self.axis} above 0, got {self.amount}.")
