"""Denoisers in the latent space of a VAE: the models of diffusers' `DiTPipeline`, such as DiT-XL/2.

An image is encoded to the mean of the VAE's posterior (DiT was trained on its samples; the mean is not random), times
the VAE's scaling factor. Only the conditional branch is evaluated; if a network predicts a variance too, it is ignored.

References:
    Scalable Diffusion Models with Transformers (Peebles and Xie, 2023), https://arxiv.org/abs/2212.09748,
    https://github.com/facebookresearch/DiT
    High-Resolution Image Synthesis with Latent Diffusion Models (Rombach et al., 2022),
    https://arxiv.org/abs/2112.10752
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from .base import PredictionType
from .pixel import PixelDenoiser

__all__ = ["LatentDenoiser"]


class LatentDenoiser(PixelDenoiser):
    """A `Denoiser` whose network predicts the noise in a VAE's latents.

    Arguments:
        model: The network, a `DiTTransformer2DModel`; it is put in `eval` mode.
        vae: An `AutoencoderKL`; it is put in `eval` mode and works in float32, since float16 overflows in it.
        alphas_cumprod: a_t, float64[T].
        num_classes: The number of classes; the label `num_classes` is the null class.
        card: The model's provenance.
        prediction_type: See `PixelDenoiser`.
    """

    def __init__(
        self,
        model: Any,
        vae: Any,
        alphas_cumprod: Tensor,
        num_classes: int,
        card: Mapping[str, Any] | None = None,
        prediction_type: PredictionType = "epsilon",
    ) -> None:
        super().__init__(model, alphas_cumprod, num_classes, card, prediction_type)
        self.vae = vae.eval().requires_grad_(False)
        size = model.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
        self.image_shape = (vae.config.in_channels, size, size)

    @override
    def encode(self, images: Tensor) -> Tensor:
        """The scaled mean of the posterior, float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.vae.encode(images.float()).latent_dist.mode() * self.vae.config.scaling_factor

    @override
    def decode(self, latents: Tensor) -> Tensor:
        """The images of latents, float32."""
        with torch.autocast(latents.device.type, enabled=False):
            return self.vae.decode(latents.float() / self.vae.config.scaling_factor, return_dict=False)[0]
