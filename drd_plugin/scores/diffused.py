"""What the scores that ask a diffusion model have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..registry import check_least
from .base import MapScore

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..diffusion.denoiser import Denoiser
    from ..diffusion.latents import Latents

__all__ = ["DiffusionScore", "Pieces", "paired"]


@dataclass(frozen=True)
class DiffusionScore(MapScore):
    """A map score that asks a class-conditional diffusion model.

    Arguments:
        denoiser: A hub name, a folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this
            data set.
        labels: `auto`, `order`, or a file that maps class names to the model's class numbers (see
            `drd_plugin.diffusion.labels`).
        unmapped: `refuse`, or `null`: classes that the model does not have are scored with its null class.
        draws: Noise draws an image, averaged.
        antithetic: Whether draws come in pairs of opposite noise.
        precision: What the denoiser computes in.
        compiled: Whether the denoiser is compiled (which needs a C++ compiler on CPUs): faster, and rounded otherwise.
        latents: A folder in which encoded images are kept for other scores; none by default.
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

    def sees(self, split: Split) -> Split:
        """See `MapScore`; files are decoded again in the denoiser's size."""
        from ..diffusion.images import seen_by

        return seen_by(self.denoiser, split)

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`; the weights' digest, and the mapping of the classes where there is a file."""
        from ..diffusion.denoiser import denoiser_folder, weights_digest
        from ..diffusion.labels import read_mapping

        mapping = {} if self.labels in ("auto", "order") else {"labels": read_mapping(Path(self.labels))}
        return {"denoiser": weights_digest(denoiser_folder(self.denoiser, split)), **mapping}

    @abstractmethod
    def pieces(self, split: Split, device: torch.device) -> Pieces:
        """What the work consists of, for `drd_plugin.forecast`.

        Arguments:
            split: The training split, as the score sees it.
            device: Where to compute.
        """

    def load(self, split: Split, device: torch.device) -> tuple[Denoiser, Latents]:
        """The diffusion model, asked by the split's classes, and what encodes its images.

        Raises:
            DenoiserError: If there is none, or it does not fit.
        """
        from ..diffusion.denoiser import denoiser_folder, find_denoiser
        from ..diffusion.latents import Latents

        denoiser = find_denoiser(
            self.denoiser, split, device, self.labels, self.unmapped, self.precision, self.compiled
        )
        return denoiser, Latents.kept(denoiser, denoiser_folder(self.denoiser, split), self.latents)


@dataclass(frozen=True, eq=False)
class Pieces:
    """What the work on one example consists of, for a forecast.

    Arguments:
        denoiser: The diffusion model.
        first_forwards: Forward passes, counted in images, before scoring.
        forwards_each: Forward passes for each example.
        latents_each: Latents of each example that go through the denoiser side by side.
        finishes: How often `finish` runs for each example.
        finish: What is done with latents after the last forward pass.
        note: What was assumed.
    """

    denoiser: Denoiser
    first_forwards: int
    forwards_each: int
    latents_each: int
    finishes: int
    finish: Callable[[Tensor], Any]
    note: str


def paired(estimates: Tensor, antithetic: bool) -> Tensor:
    """Estimates [B, draws]; a pair of antithetic draws is one estimate."""
    return estimates.unflatten(1, (-1, 2)).mean(2) if antithetic else estimates
