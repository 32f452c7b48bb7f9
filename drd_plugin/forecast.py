"""`forecast()`: what scoring with a diffusion model will cost, from a few timed batches."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .data import check_split, scaled
from .scores.diffused import DiffusionScore

if TYPE_CHECKING:
    from .data import Split

__all__ = ["Forecast", "forecast"]

SECONDS = 2.0
"""How long a timed batch may take; larger ones are not tried."""

TIMES = 3
"""Timed batches, after one that is not counted."""


@dataclass(frozen=True)
class Forecast:
    """What scoring will cost one process.

    Arguments:
        images: The examples.
        first_forwards: Forward passes of the denoiser, counted in images, before scoring (the search for timesteps).
        forwards_each: Forward passes for each example.
        seconds_forward: For one image, in batches of `batch`.
        seconds_other: For one example's encoding, decoding and distances.
        batch: Images in a timed batch.
        memory: Peak bytes: of the GPU, or of this process.
        disk: Bytes that will be written.
        note: What was assumed.
    """

    images: int
    first_forwards: int
    forwards_each: float
    seconds_forward: float
    seconds_other: float
    batch: int
    memory: int
    disk: int
    note: str

    @property
    def hours(self) -> tuple[float, float]:
        """For what comes first, and for scoring."""
        each = self.forwards_each * self.seconds_forward + self.seconds_other
        return self.first_forwards * self.seconds_forward / 3600, self.images * each / 3600

    @property
    def share(self) -> float:
        """The denoiser's share of the scoring time, from 0 to 1."""
        inside = self.forwards_each * self.seconds_forward
        return inside / (inside + self.seconds_other)

    def rows(self) -> list[tuple[str, str]]:
        """For a table."""
        first, then = self.hours
        return [
            ("images", f"{self.images:,}"),
            ("search for timesteps", f"{self.first_forwards:,} forward passes, {_time(first)}"),
            ("scoring", f"{self.forwards_each * self.images:,.0f} forward passes, {_time(then)}"),
            ("in all, on one such device", _time(first + then)),
            ("denoiser", f"{1 / self.seconds_forward:,.1f} images/s in batches of {self.batch}"),
            ("its share of the scoring time", f"{100 * self.share:.0f} %"),
            ("memory", f"{self.memory / 2**30:.1f} GiB"),
            ("disk", f"{self.disk / 2**20:,.0f} MiB"),
            ("assumed", self.note),
        ]


def forecast(split: Split, what: DiffusionScore, device: torch.device) -> Forecast:
    """Times a few batches on this device.

    Arguments:
        split: The training split.
        what: The score.
        device: Where scoring will run.

    Raises:
        DenoiserError: If there is no denoiser, or it does not fit.
    """
    check_split(split)
    seen = what.sees(split)
    pieces = what.pieces(seen, device)
    x, batch = _batch(pieces.denoiser, what.batch_size, device)
    forward = _timed(lambda: pieces.denoiser.predict_noise(*x), device) / batch
    images = scaled(seen.images[torch.arange(min(4, len(seen)))].to(device))
    with torch.inference_mode():
        latents = torch.cat([pieces.denoiser.encode(image) for image in images.split(1)])
    encode = _for_one(pieces.denoiser.encode, images, device)
    finish = _for_one(pieces.finish, latents, device)
    latent_bytes = 4 * x[0][0].numel() * len(seen) if what.latents else 0
    return Forecast(
        images=len(seen),
        first_forwards=pieces.first_forwards,
        forwards_each=pieces.forwards_each,
        seconds_forward=forward,
        seconds_other=encode + pieces.finishes * finish,
        batch=batch,
        memory=_memory(device),
        disk=len(seen) * (24 + 4 * what.draws) + latent_bytes,
        note=pieces.note,
    )


def _batch(denoiser: Any, most: int, device: torch.device) -> tuple[tuple[torch.Tensor, ...], int]:
    """A batch as scoring would take it, or as many images as `SECONDS` allow."""
    from .diffusion.batching import forward_batch

    def made(size: int) -> tuple[torch.Tensor, ...]:
        chance = torch.Generator().manual_seed(0)
        x = torch.randn(size, *denoiser.latent_shape, generator=chance).to(device)
        t = torch.full((size,), len(denoiser.alphas_cumprod) // 2, device=device)
        return x, t, torch.arange(size, device=device) % denoiser.num_classes

    def seconds(size: int) -> float:
        x = made(size)
        return _timed(lambda: denoiser.predict_noise(*x), device, 1)

    size, working = 1, forward_batch(most, denoiser.latent_shape)
    while 2 * size <= working and 2 * seconds(size) < SECONDS:
        size *= 2
    return made(size), size


def _for_one(run: Callable[[torch.Tensor], Any], items: torch.Tensor, device: torch.device) -> float:
    """Mean seconds for an item, in a batch of all if that is not too long."""
    alone = _timed(lambda: run(items[:1]), device, 1)
    return alone if len(items) * alone > SECONDS else _timed(lambda: run(items), device) / len(items)


def _timed(run: Callable[[], Any], device: torch.device, times: int = TIMES) -> float:
    """Mean seconds of a run, after one that is not counted unless it takes too long."""

    def seconds() -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    first = seconds()
    return first if first > SECONDS else sum(seconds() for _ in range(times)) / times


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _time(hours: float) -> str:
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    return f"{60 * hours:.0f} min" if hours < 2 else f"{hours:,.1f} h"
