"""The search for one class: its images, what they are compared with, and the file in which the result is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..artifacts.tensors import load_tensors, save_tensors
from ..data import Split, scaled
from .competitors import confused_by_proxy, near_classes, rivals_of, screened
from .denoiser import Denoiser, DenoiserError
from .latents import Latents
from .losses import ImageLosses
from .reconstruction import signal
from .search import Found, Rivals, exhaustive, staged
from .timestep import InformationBottleneck

__all__ = ["ClassSearch"]


class ClassSearch:
    """The search by which a rule finds log p(c | x_t) for one class after another.

    Arguments:
        rule: The rule.
        denoiser: The diffusion model, asked by the data set's classes.
        split: The training images.
        seed: Decides noise and sampled competitors.
        device: Where the denoiser is.
        batch_size: The most latents in a forward pass.

    Raises:
        DenoiserError: If the competitors that the rule names cannot be had.
    """

    def __init__(
        self,
        rule: InformationBottleneck,
        denoiser: Denoiser,
        split: Split,
        seed: int,
        device: torch.device,
        batch_size: int,
    ) -> None:
        self.rule, self.denoiser, self.split, self.seed = rule, denoiser, split, seed
        self.device, self.batch_size = device, batch_size
        self.staged = rule.is_staged(split.num_classes)
        self.many = self.staged and split.num_classes > rule.competitors + 1
        self.near = near_classes(rule.competitors_by, split) if self.many else None
        if self.many and rule.competitors_by == "proxy":
            self.near = confused_by_proxy(split, rule.representatives(split, seed), seed, str(device))

    def of(self, own: int, index: np.ndarray, evaluated: np.ndarray, cache: Path | None) -> Found:
        """What is found for a class.

        Arguments:
            own: The class.
            index: The positions of its images in the data set, int64[b].
            evaluated: The grid steps, int64[N].
            cache: A folder in which it is kept, and found again.
        """
        kept = None if cache is None else cache / "timesteps" / f"class-{own:04d}.safetensors"
        if kept is not None and kept.exists():
            known, _ = load_tensors(kept)
            return Found(known["log_posterior"].numpy(), float(known["dropped"]), int(known["forwards"]))
        found = self.find(own, index, evaluated)
        if kept is not None:
            scalars = {"dropped": torch.tensor(found.dropped), "forwards": torch.tensor(found.forwards)}
            save_tensors({"log_posterior": torch.from_numpy(found.log_posterior), **scalars}, kept)
        return found

    def find(self, own: int, index: np.ndarray, evaluated: np.ndarray) -> Found:
        """`of`, without a folder."""
        rule, num_classes = self.rule, self.split.num_classes
        with torch.inference_mode():
            images = scaled(self.split.images[torch.from_numpy(index)].to(self.device))
            x_0 = Latents(self.denoiser)(images, torch.from_numpy(index))
        losses = ImageLosses(self.denoiser, x_0, index, rule.steps, self.seed, self.batch_size)
        if rule.estimator == "mmse":
            return self._by_errors(losses, own, len(index), evaluated)
        rivals = Rivals.all(len(index), own, num_classes)
        if not self.staged:
            found = exhaustive(losses, rivals, evaluated, rule.noises)
            return replace(found, forwards=losses.forwards)
        if self.many:
            middle = int(evaluated[len(evaluated) // 2])
            near = self.near[own] if self.near else screened(losses, len(index), num_classes, middle)
            rivals = rivals_of(own, len(index), num_classes, near, rule.competitors, self.seed)
        found = staged(losses, rivals, evaluated, rule.noises, rule.delta_t, rule.criterion)
        return replace(found, forwards=losses.forwards)

    def _by_errors(self, losses: ImageLosses, own: int, images: int, evaluated: np.ndarray) -> Found:
        """The slope of the mutual information by the losses with and without the class."""
        null = self.denoiser.null_class
        if null is None:
            raise DenoiserError("the estimator mmse compares with no class, and this denoiser has no null class.")
        shape = (images, self.rule.noises, 2)
        image, draw, side = (axis.ravel() for axis in np.indices(shape))
        label = np.where(side, null, own)
        reach = self.rule.delta_t
        candidates = evaluated[reach:-reach]
        means = [losses(image, np.full_like(image, step), draw, label).reshape(shape).mean(1) for step in candidates]
        a = signal(self.denoiser, self.rule.steps).numpy()
        fall = -np.gradient(np.log(a / (1 - a)))[candidates]
        gain = np.stack([mean[:, 1] - mean[:, 0] for mean in means], axis=1)
        sides = ((0, 0), (reach, reach))
        return Found(np.pad(0.5 * gain * fall, sides, constant_values=np.nan), forwards=losses.forwards)
