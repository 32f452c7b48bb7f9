"""Choosing the timestep of each class: for every class, its images, the classes they are compared with, the search, and
the file with its result.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from tqdm.auto import tqdm

from ...artifacts.files import load_tensors, save_tensors
from ...core.job import Job
from ...data import Split, scaled
from ..denoisers.base import Denoiser, DenoiserError
from ..denoisers.latents import Latents
from ..reconstruction import signal
from .competitors import SCREENED, confused_by_proxy, near_classes, rivals_of, screened
from .losses import ImageLosses
from .rule import InformationBottleneck, TimestepChoice
from .search import Rivals, SearchResult, exhaustive, staged

__all__ = ["ClassSearch", "choose_timesteps", "expected_forwards"]


def choose_timesteps(
    rule: InformationBottleneck,
    denoiser: Denoiser,
    split: Split,
    seed: int = 0,
    job: Job = Job(),
    batch_size: int = 2048,
) -> TimestepChoice:
    """The choice of a grid step for each class.

    Arguments:
        rule: The rule.
        denoiser: The diffusion model, with the data set's classes as labels.
        split: The training split.
        seed: Determines the B images that stand for a class, their noise, and the sampled competitors.
        job: How and where. The result of each class is stored in its folder, and read from there by a resumed run. Each
            process of its team begins with the classes of its own number, and goes on with those still missing.
        batch_size: The most latents in a forward pass.

    Raises:
        ValueError: If the finite difference reaches outside the grid.
    """
    window, evaluated = rule.window(denoiser), rule.evaluated(denoiser)
    classes, index, count = np.arange(split.num_classes), job.team.index, job.team.count
    order = sorted(classes.tolist(), key=lambda c: (c - index) % count)
    members = rule.representatives(split, seed)
    search = ClassSearch(rule, denoiser, split, seed, job, batch_size)
    results = {
        c: search.result(c, members[c], evaluated)
        for c in tqdm(order, "timesteps", unit="class", disable=not job.progress)
    }
    slope = np.stack([rule.criterion(results[c].log_posterior).mean(0) for c in classes])
    return TimestepChoice(
        chosen=window[np.nanargmax(slope, axis=1)],
        window=window,
        slope=slope,
        log_posterior=np.stack([results[c].log_posterior.mean(0) for c in classes]),
        evaluated=evaluated,
        forwards=sum(results[c].forwards for c in classes),
        exhaustive=sum(map(len, members)) * len(evaluated) * rule.noises * split.num_classes,
        dropped=max(results[c].dropped for c in classes),
    )


def expected_forwards(rule: InformationBottleneck, denoiser: Denoiser, split: Split) -> int:
    """The number of forward passes of the search, counted in images; an estimate for the staged search, which took at
    most about two draws at all steps in our measurements.
    """
    images, steps = np.minimum(split.class_counts, rule.B).sum(), len(rule.evaluated(denoiser))
    if rule.estimator == "mmse":
        return int(images * len(rule.window(denoiser)) * rule.noises * 2)
    if not rule.is_staged(split.num_classes):
        return int(images * steps * rule.noises * split.num_classes)
    competitors = min(rule.competitors, split.num_classes - 1)
    screened = SCREENED * split.num_classes**2 if competitors < split.num_classes - 1 else 0
    return int(images * steps * 2 * (competitors + 1)) + screened * (rule.competitors_by == "screen")


class ClassSearch:
    """A rule's search for log p(c | x_t), class by class; for its arguments see `choose_timesteps`.

    Raises:
        DenoiserError: If the rule's competitors cannot be read or do not fit the classes.
    """

    def __init__(
        self, rule: InformationBottleneck, denoiser: Denoiser, split: Split, seed: int, job: Job, batch_size: int
    ) -> None:
        self.rule, self.denoiser, self.split, self.seed = rule, denoiser, split, seed
        self.job, self.device, self.batch_size = job, job.torch_device, batch_size
        self.staged = rule.is_staged(split.num_classes)
        self.many = self.staged and split.num_classes > rule.competitors + 1
        self.near = near_classes(rule.competitors_by, split) if self.many else None
        if self.many and rule.competitors_by == "proxy":
            self.near = confused_by_proxy(split, rule.representatives(split, seed), seed, str(self.device))

    def result(self, own: int, index: np.ndarray, evaluated: np.ndarray) -> SearchResult:
        """The result for a class, read from the job's folder if it is there.

        Arguments:
            own: The class.
            index: The positions of its images in the data set, int64[b].
            evaluated: The grid steps, int64[N].
        """
        path = self.job.path(f"timesteps/class-{own:04d}.safetensors")
        if path is not None and path.exists():
            stored, _ = load_tensors(path)
            return SearchResult(stored["log_posterior"].numpy(), float(stored["dropped"]), int(stored["forwards"]))
        result = self._search(own, index, evaluated)
        if path is not None:
            scalars = {"dropped": torch.tensor(result.dropped), "forwards": torch.tensor(result.forwards)}
            save_tensors({"log_posterior": torch.from_numpy(result.log_posterior), **scalars}, path)
        return result

    def _search(self, own: int, index: np.ndarray, evaluated: np.ndarray) -> SearchResult:
        rule, num_classes = self.rule, self.split.num_classes
        with torch.inference_mode():
            images = scaled(self.split.images[torch.from_numpy(index)].to(self.device))
            x_0 = Latents(self.denoiser)(images, torch.from_numpy(index))
        losses = ImageLosses(self.denoiser, x_0, index, rule.steps, self.seed, self.batch_size)
        if rule.estimator == "mmse":
            return self._by_errors(losses, own, len(index), evaluated)
        rivals = Rivals.all(len(index), own, num_classes)
        if not self.staged:
            result = exhaustive(losses, rivals, evaluated, rule.noises)
            return replace(result, forwards=losses.forwards)
        if self.many:
            middle = int(evaluated[len(evaluated) // 2])
            near = self.near[own] if self.near else screened(losses, len(index), num_classes, middle)
            rivals = rivals_of(own, len(index), num_classes, near, rule.competitors, self.seed)
        result = staged(losses, rivals, evaluated, rule.noises, rule.delta_t, rule.criterion)
        return replace(result, forwards=losses.forwards)

    def _by_errors(self, losses: ImageLosses, own: int, images: int, evaluated: np.ndarray) -> SearchResult:
        """The slope of the mutual information from the losses with and without the class (`mmse`)."""
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
        return SearchResult(np.pad(0.5 * gain * fall, sides, constant_values=np.nan), forwards=losses.forwards)
