r"""The analytic Gaussian mixture: a denoiser with exact noise predictions and likelihoods, the reference of the tests.

Class c is a mixture of K isotropic Gaussians, q(x_0 | c) = sum_k w_ck N(m_ck, s_ck I). With noise, it is one still:

    q(x_t | c) = sum_k w_ck N(sqrt(a_t) m_ck, (a_t s_ck + 1 - a_t) I)

and the best noise prediction is eps = -sqrt(1 - a_t) grad log q(x_t | c).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

__all__ = ["GaussianMixture", "linear_schedule"]


def linear_schedule(timesteps: int = 1000, beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """a_t of the linear noise schedule of DDPM and DiT, float64[timesteps]."""
    return (1 - torch.linspace(beta_min, beta_max, timesteps, dtype=torch.float64)).cumprod(0)


class GaussianMixture:
    """A `Denoiser` with exact predictions.

    Arguments:
        means: m, float64[C, K, D].
        variances: s, positive, float64[C, K].
        weights: w, rows that sum to 1, float64[C, K]; equal by default.
        image_shape: (channels, height, width) with product D.
        alphas_cumprod: a_t, float64[T]; the linear schedule by default.
    """

    def __init__(
        self,
        means: Tensor,
        variances: Tensor,
        weights: Tensor | None = None,
        image_shape: tuple[int, int, int] | None = None,
        alphas_cumprod: Tensor | None = None,
    ) -> None:
        self.means, self.variances = means.double(), variances.double()
        self.num_classes, components, dimension = means.shape
        self.null_class = self.num_classes
        self.log_weights = (
            torch.full_like(self.variances, 1 / components) if weights is None else weights.double()
        ).log()
        self.image_shape = self.latent_shape = image_shape or (1, 1, dimension)
        self.alphas_cumprod = linear_schedule() if alphas_cumprod is None else alphas_cumprod.double()
        self.card: Mapping[str, Any] = {
            "model": "GaussianMixture",
            "num_classes": self.num_classes,
            "components": components,
        }

    @cached_property
    def pooled(self) -> GaussianMixture:
        """The mixture with all classes, equally weighted, merged into one."""
        weights = (self.log_weights.exp() / self.num_classes).flatten()[None]
        means = self.means.flatten(0, 1)[None]
        return GaussianMixture(means, self.variances.flatten()[None], weights, self.image_shape, self.alphas_cumprod)

    def encode(self, images: Tensor) -> Tensor:
        """The images themselves."""
        return images

    def decode(self, latents: Tensor) -> Tensor:
        """The latents themselves."""
        return latents

    def log_likelihood(self, x: Tensor, labels: Tensor, a: Tensor | float = 1.0) -> Tensor:
        """log q(x_t | c) at a_t = a (1: the clean data), in nats.

        Arguments:
            x: Images, [B, ...] with D values each.
            labels: The class of each image, int64[B].
            a: a_t, a number or float64[B].
        """
        return torch.logsumexp(self.terms(x, labels, a)[0], 1)

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The exact E[eps | x_t, c]; for the null class E[eps | x_t], with equally weighted classes."""
        if (labels == self.null_class).any():
            null = (labels == self.null_class).view(-1, *[1] * (x_t.ndim - 1))
            of_class = self.predict_noise(x_t, t, labels.clamp(max=self.num_classes - 1))
            return torch.where(null, self.pooled.predict_noise(x_t, t, torch.zeros_like(labels)), of_class)
        a = self.alphas_cumprod[t.cpu()].to(x_t.device)
        terms, difference, variance = self.terms(x_t, labels, a)
        score = -(terms.softmax(1)[..., None] * difference / variance[..., None]).sum(1)
        return (-(1 - a).sqrt()[:, None] * score).view_as(x_t).to(x_t.dtype)

    def sample(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """One x_0 for each label, float64[B, *image_shape]."""
        component = torch.multinomial(self.log_weights.exp()[labels], 1, generator=generator).squeeze(1)
        noise = torch.randn(len(labels), self.means.shape[-1], generator=generator, dtype=torch.float64)
        x = self.means[labels, component] + self.variances[labels, component].sqrt()[:, None] * noise
        return x.view(-1, *self.image_shape)

    def terms(self, x: Tensor, labels: Tensor, a: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
        """log (w_k N(x; sqrt(a) m_k, v_k I)) [B, K], x - sqrt(a) m_k [B, K, D] and v_k = a s_k + 1 - a [B, K]."""
        a = torch.as_tensor(a, dtype=torch.float64, device=x.device).expand(len(x))
        means, variances, log_weights = (
            part.to(x.device)[labels] for part in (self.means, self.variances, self.log_weights)
        )
        difference = x.double().flatten(1)[:, None] - a.sqrt()[:, None, None] * means
        variance = a[:, None] * variances + (1 - a)[:, None]
        dimension = self.means.shape[-1]
        exponent = -difference.square().sum(-1) / (2 * variance) - dimension / 2 * (2 * math.pi * variance).log()
        return log_weights + exponent, difference, variance
