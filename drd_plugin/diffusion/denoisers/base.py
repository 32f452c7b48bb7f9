"""The `Denoiser` protocol: anything that predicts the noise in an image, given a timestep and a class.

x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps, where a_t is `alphas_cumprod[t]`.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ...data import DATASETS, Split

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Denoiser", "DenoiserError", "PredictionType", "how_to_fit"]

PredictionType = Literal["epsilon", "v_prediction"]
"""The quantity that a network predicts, in the terms of diffusers' schedulers."""


class DenoiserError(ValueError):
    """A folder holds no denoiser, or a denoiser does not fit the data."""


class Denoiser(Protocol):
    """Anything that predicts noise; the rest of the package depends on this protocol alone."""

    @property
    def alphas_cumprod(self) -> Tensor:
        """a_t, the signal's share of the variance at each timestep, float64[T] on the CPU, falling."""

    @property
    def num_classes(self) -> int:
        """The number of classes, C; their labels are 0..C - 1."""

    @property
    def null_class(self) -> int | None:
        """The label for no class, or None if the denoiser has none."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""

    @property
    def card(self) -> Mapping[str, Any]:
        """The denoiser's provenance, ready for JSON."""

    def encode(self, images: Tensor) -> Tensor:
        """The latents [B, *latent_shape] of images float32[B, C, H, W] in [-1, 1]."""

    def decode(self, latents: Tensor) -> Tensor:
        """The images float32[B, C, H, W], about in [-1, 1], of latents [B, *latent_shape]."""

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise in x_t [B, *latent_shape] at the timesteps t int64[B] for the classes labels int64[B]; shaped like
        x_t.
        """


def how_to_fit(split: Split) -> str:
    """The command or call that fits a denoiser to a split, for messages."""
    if split.name in DATASETS or ":" in split.name:
        return f"drd-plugin fit --dataset {split.name} --out DIR"
    return (
        "drd_plugin.fit_denoiser(split, 'DIR') in Python; inside DeepCore, split = "
        "drd_plugin.deepcore.split_of(dst_train)"
    )
