"""What a denoiser is: anything that predicts the noise in an image, given a timestep and a class.

x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps, where a_t is `alphas_cumprod[t]`.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ...data import DATASETS

if TYPE_CHECKING:
    from torch import Tensor

    from ...data import Split

__all__ = ["Denoiser", "DenoiserError", "PredictionType", "how_to_fit"]

PredictionType = Literal["epsilon", "v_prediction"]
"""What a network predicts, as diffusers' schedulers name it."""


class DenoiserError(ValueError):
    """A folder that holds no denoiser, or a denoiser that does not fit the data."""


class Denoiser(Protocol):
    """Anything that predicts noise; nothing else in the package knows where it came from."""

    @property
    def alphas_cumprod(self) -> Tensor:
        """The signal's share a_t of the variance at each timestep, float64[T] on the CPU, falling."""

    @property
    def num_classes(self) -> int:
        """The number of classes it can be asked for."""

    @property
    def null_class(self) -> int | None:
        """The label that stands for no class, or None."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images it takes."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one latent."""

    @property
    def card(self) -> Mapping[str, Any]:
        """Where it came from, ready for JSON."""

    def encode(self, images: Tensor) -> Tensor:
        """Images float32[B, C, H, W] in [-1, 1] to latents [B, *latent_shape]."""

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, *latent_shape] to images float32[B, C, H, W], about [-1, 1]."""

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise in x_t [B, *latent_shape] at the timesteps t int64[B] for the classes labels int64[B]; same shape
        as x_t.
        """


def how_to_fit(split: Split) -> str:
    """What makes a denoiser for a split."""
    if split.name in DATASETS or ":" in split.name:
        return f"drd-plugin fit --dataset {split.name} --out DIR"
    return (
        "drd_plugin.fit_denoiser(split, 'DIR') in Python; inside DeepCore, split = "
        "drd_plugin.deepcore.split_of(dst_train)"
    )
