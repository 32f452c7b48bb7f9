"""`forecast()`: an estimate of the cost of scoring with a diffusion model, from a few timed batches."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..data import Split, check_split
from ..diffusion import forward_batch, image_batch
from ..scores.diffusion import DiffusionScore
from .maps import images_at_once

__all__ = ["Forecast", "forecast"]

SECONDS = 2.0
"""The longest time of a timed batch; larger batches are not tried."""

TIMES = 3
"""The number of timed batches, after their size is determined."""


@dataclass(frozen=True)
class Forecast:
    """The expected cost of scoring for one process.

    Arguments:
        images: The number of examples.
        first_forwards: Forward passes of the denoiser, counted in images, before scoring (the search for timesteps).
        forwards_each: Forward passes for each example.
        seconds_forward: The seconds of a forward pass for one image, in batches of `batch`.
        seconds_other: The seconds of reading, encoding, decoding and distances for one example.
        batch: Images in a timed batch.
        memory: Peak bytes, of the GPU or of this process.
        disk: Bytes to write.
        note: The assumptions.
    """

    images: int
    first_forwards: int
    forwards_each: int
    seconds_forward: float
    seconds_other: float
    batch: int
    memory: int
    disk: int
    note: str

    @property
    def hours(self) -> tuple[float, float]:
        """The hours of the search for timesteps, and of scoring."""
        each = self.forwards_each * self.seconds_forward + self.seconds_other
        return self.first_forwards * self.seconds_forward / 3600, self.images * each / 3600

    @property
    def share(self) -> float:
        """The denoiser's share of the scoring time, in [0, 1]."""
        inside = self.forwards_each * self.seconds_forward
        return inside / (inside + self.seconds_other)

    def rows(self) -> list[tuple[str, str]]:
        """The rows of a table: names and texts."""
        first, then = self.hours
        return [
            ("images", f"{self.images:,}"),
            ("search for timesteps", f"{self.first_forwards:,} forward passes, {_time(first)}"),
            ("scoring", f"{self.forwards_each * self.images:,} forward passes, {_time(then)}"),
            ("in all, on one such device", _time(first + then)),
            ("denoiser", f"{1 / self.seconds_forward:,.1f} images/s in batches of {self.batch}"),
            ("its share of the scoring time", f"{100 * self.share:.0f} %"),
            ("memory", f"{self.memory / 2**30:.1f} GiB"),
            ("disk", f"{self.disk / 2**20:,.0f} MiB"),
            ("assumed", self.note),
        ]


def forecast(split: Split, score: DiffusionScore, device: torch.device) -> Forecast:
    """Forecasts the cost of scoring from a few timed batches.

    Arguments:
        split: The training split.
        score: The score.
        device: The device that will score.

    Raises:
        DataError: If the split holds no images.
        DenoiserError: If there is no denoiser for this data set, or it does not fit.
    """
    check_split(split)
    score.check(split)
    resized = score.resized(split)
    work = score.work(resized, device)
    denoiser, n = work.denoiser, len(resized)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    rows = work.latents_each * min(n, images_at_once(resized.shape))
    forward, batch = _seconds_each(
        lambda size: denoiser.predict_noise(*_inputs(denoiser, size, device)),
        min(rows, forward_batch(score.batch_size, tuple(denoiser.latent_shape), device)),
        device,
    )
    most = image_batch(tuple(denoiser.image_shape))
    read, _ = _seconds_each(lambda size: resized.images[torch.arange(size)], min(n, 8), device)
    encode, _ = _seconds_each(
        lambda size: denoiser.encode(torch.zeros(size, *resized.shape, device=device)), min(n, most), device
    )
    finish, _ = _seconds_each(lambda size: work.finish(_inputs(denoiser, size, device)[0]), min(rows, most), device)
    return Forecast(
        images=n,
        first_forwards=work.first_forwards,
        forwards_each=work.forwards_each,
        seconds_forward=forward,
        seconds_other=read + encode + work.finishes * finish,
        batch=batch,
        memory=_memory(device),
        disk=n * (24 + 4 * score.draws + (4 * math.prod(denoiser.latent_shape) if score.latents else 0)),
        note=work.note,
    )


def _inputs(denoiser: Any, size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Arbitrary latents, timesteps and labels for a batch of this size."""
    x = torch.randn(size, *denoiser.latent_shape, generator=torch.Generator().manual_seed(0)).to(device)
    t = torch.full((size,), len(denoiser.alphas_cumprod) // 2, device=device)
    return x, t, torch.arange(size, device=device) % denoiser.num_classes


def _seconds_each(run: Callable[[int], Any], most: int, device: torch.device) -> tuple[float, int]:
    """The mean seconds for an item in a batch, and the size of the batch: at most `most`, and fewer if more would take
    longer than `SECONDS` or exceed the memory.
    """

    def seconds(size: int) -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            run(size)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    size, spent = 1, seconds(1)
    while size < most and 2 * spent < SECONDS:
        larger = min(2 * size, most)
        try:
            seconds(larger)
            size, spent = larger, seconds(larger)
        except torch.OutOfMemoryError:
            break
    times = [spent] if spent > SECONDS else [seconds(size) for _ in range(TIMES)]
    return sum(times) / len(times) / size, size


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.1f} h"
