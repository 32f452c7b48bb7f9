"""The base classes of the scores by a diffusion model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from .. import diffusion
from ..core.registry import check_least
from ..data import Split
from .base import MapScore

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["DiffusionScore", "DiffusionScorer", "Work", "average_pairs"]


@dataclass(frozen=True)
class DiffusionScore(MapScore):
    """A map score by a class-conditional diffusion model.

    Arguments:
        denoiser: A hub name, a folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this
            data set.
        labels: `auto`, `order`, or a file that maps class names to the model's class numbers (see
            `drd_plugin.diffusion.denoisers.classes`).
        unmapped: `refuse`, or `null`: classes that the model does not have are scored with its null class.
        draws: Noise draws for each image, averaged.
        antithetic: Whether draws come in pairs of opposite noise.
        precision: The denoiser's floating-point precision.
        compiled: Whether the denoiser is compiled (which needs a C++ compiler on CPUs): faster, and rounded otherwise.
        latents: A folder in which encoded images are stored for other scores; none by default.
        batch_size: The most latents in a forward pass, fewer where they are large; it does not change the scores.
    """

    denoiser: str = "auto"
    labels: str = "auto"
    unmapped: Literal["refuse", "null"] = "refuse"
    draws: int = 8
    antithetic: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    compiled: bool = field(default=False, metadata={"identity": False})
    latents: str = field(default="", metadata={"identity": False})
    batch_size: int = field(default=2048, metadata={"identity": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "draws", "batch_size")
        if self.antithetic and self.draws % 2:
            raise ValueError(f"antithetic draws come in pairs: give an even number, got draws={self.draws}.")

    @override
    def resized(self, split: Split) -> Split:
        return diffusion.resized_for(self.denoiser, split)

    @override
    def file_digests(self, split: Split) -> Mapping[str, Any]:
        """The weights' digest, and the mapping of the classes if it is read from a file."""
        mapping = {} if self.labels in ("auto", "order") else {"labels": diffusion.read_mapping(Path(self.labels))}
        return {"denoiser": diffusion.weights_digest(diffusion.denoiser_folder(self.denoiser, split)), **mapping}

    @abstractmethod
    def work(self, split: Split, device: torch.device) -> Work:
        """The work that scoring one example takes, for a forecast.

        Arguments:
            split: The training split, resized for the score.
            device: The device that scores.
        """

    def load(self, split: Split, device: torch.device) -> tuple[diffusion.Denoiser, diffusion.Latents]:
        """The diffusion model, which takes the split's own class numbers, and the encoder of its images.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        denoiser = diffusion.find_denoiser(
            self.denoiser, split, device, self.labels, self.unmapped, self.precision, self.compiled
        )
        folder = diffusion.denoiser_folder(self.denoiser, split)
        return denoiser, diffusion.Latents.in_folder(denoiser, folder, self.latents)


@dataclass(frozen=True, eq=False)
class DiffusionScorer:
    """A diffusion score prepared for a data set; see `Scorer`.

    Arguments:
        score: The score with its settings.
        denoiser: The diffusion model, which takes the data set's class numbers.
        encode: The encoder of images, from float32[B, C, H, W] and their positions int64[B] to latents.
        seed: The noise seed.
        device: The device that computes.
        settings: The choices that were made in preparation, for the provenance.
    """

    score: DiffusionScore
    denoiser: diffusion.Denoiser
    encode: Callable[[Tensor, Tensor], Tensor]
    seed: int
    device: torch.device
    settings: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    @cached_property
    def forward_batches(self) -> diffusion.Batches:
        """The batches of the denoiser's forward passes; a reduced batch size is remembered."""
        shape = tuple(self.denoiser.latent_shape)
        return diffusion.Batches(diffusion.forward_batch(self.score.batch_size, shape, self.device))


@dataclass(frozen=True, eq=False)
class Work:
    """The work that scoring one example takes.

    Arguments:
        denoiser: The diffusion model.
        first_forwards: Forward passes before scoring, counted in images.
        forwards_each: Forward passes for each example.
        latents_each: Latents of each example in one forward pass.
        finishes: How often `finish` runs for each example.
        finish: The step after the last forward pass: decoding latents and measuring distances.
        note: The assumptions.
    """

    denoiser: diffusion.Denoiser
    first_forwards: int
    forwards_each: int
    latents_each: int
    finishes: int
    finish: Callable[[Tensor], Any]
    note: str


def average_pairs(estimates: Tensor, antithetic: bool) -> Tensor:
    """The estimates from float32[B, draws]: the draws themselves, or the mean of each pair of antithetic draws."""
    return estimates.unflatten(1, (-1, 2)).mean(2) if antithetic else estimates
