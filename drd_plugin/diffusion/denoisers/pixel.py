"""Denoisers on pixels: diffusers' `UNet2DModel` and `DiTTransformer2DModel`, as `drd-plugin fit` makes them.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Scalable Diffusion Models with Transformers (Peebles and Xie, 2023), https://arxiv.org/abs/2212.09748
    Progressive Distillation for Fast Sampling of Diffusion Models (Salimans and Ho, 2022),
    https://arxiv.org/abs/2202.00512: v = sqrt(a_t) eps - sqrt(1 - a_t) x_0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from .base import PredictionType

__all__ = ["PixelDenoiser"]


class PixelDenoiser:
    """A `Denoiser` whose class-conditional network predicts the noise in images.

    Arguments:
        model: The network; it is put in `eval` mode.
        alphas_cumprod: a_t, float64[T].
        num_classes: The number of classes; the label `num_classes` is the null class, unless the network has no
            embedding for it.
        card: The model's provenance.
        prediction_type: `epsilon`, the noise, or `v_prediction`, from which the noise is computed.
    """

    def __init__(
        self,
        model: nn.Module,
        alphas_cumprod: Tensor,
        num_classes: int,
        card: Mapping[str, Any] | None = None,
        prediction_type: PredictionType = "epsilon",
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.alphas_cumprod = alphas_cumprod.double().cpu()
        self._copied: Tensor | None = None
        config: Any = model.config
        self.num_classes = num_classes
        self.null_class = None if config.get("num_class_embeds") == num_classes else num_classes
        self.dtype = next(model.parameters()).dtype
        self.image_shape = (config.in_channels, config.sample_size, config.sample_size)
        self.latent_shape = self.image_shape
        self.card, self.prediction_type = card or {}, prediction_type

    def encode(self, images: Tensor) -> Tensor:
        """The images themselves."""
        return images

    def decode(self, latents: Tensor) -> Tensor:
        """The latents themselves."""
        return latents

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise in x_t; if the network predicts a variance too, it is ignored."""
        output = self.model(x_t.to(self.dtype), timestep=t, class_labels=labels, return_dict=False)[0]
        predicted = output[:, : x_t.shape[1]].to(x_t.dtype)
        if self.prediction_type == "epsilon":
            return predicted
        a = self._schedule(x_t)[t].view(-1, *[1] * (x_t.dim() - 1))
        return a.sqrt() * predicted + (1 - a).sqrt() * x_t

    def _schedule(self, x_t: Tensor) -> Tensor:
        """a_t on the device and in the precision of x_t, copied there once."""
        if self._copied is None or (self._copied.device, self._copied.dtype) != (x_t.device, x_t.dtype):
            self._copied = self.alphas_cumprod.to(x_t)
        return self._copied
