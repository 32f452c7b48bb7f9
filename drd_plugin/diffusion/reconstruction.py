"""Partial DDIM reconstruction: noises an image to a step of the sampling grid, and denoises it.

The grid has T' of the model's T training timesteps with `leading` spacing: step i is the timestep i * (T // T'), so
with T = 1000 and T' = 50 the grid is 0, 20, ..., 980; below step 0 is the clean image (a = 1). Predicted images are
never clipped.

References:
    Denoising Diffusion Implicit Models (Song et al., 2021), https://arxiv.org/abs/2010.02502
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026), Eqs. 1 and 4,
    https://arxiv.org/abs/2511.19274
"""

from __future__ import annotations

import torch
from torch import Tensor

from .denoisers.base import Denoiser

__all__ = ["add_noise", "reconstruct", "sampling_grid", "signal"]


def sampling_grid(train_timesteps: int, steps: int) -> Tensor:
    """The training timesteps of the sampling grid's steps, int64[steps], rising.

    Raises:
        ValueError: If there are more steps than training timesteps.
    """
    if not 1 <= steps <= train_timesteps:
        raise ValueError(f"expected 1 to {train_timesteps} sampling steps, got {steps}.")
    return torch.arange(steps) * (train_timesteps // steps)


def signal(denoiser: Denoiser, steps: int) -> Tensor:
    """a_t at each step of the grid, float64[steps]."""
    return denoiser.alphas_cumprod[sampling_grid(len(denoiser.alphas_cumprod), steps)]


def add_noise(denoiser: Denoiser, x_0: Tensor, noise: Tensor, start: Tensor, steps: int) -> Tensor:
    """x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise (Eq. 1), shaped like x_0.

    Arguments:
        denoiser: The model with the a_t.
        x_0: Latents, float32[B, ...].
        noise: Standard normal, shaped like x_0.
        start: The grid step of each latent, int64[B].
        steps: The number of steps of the grid.
    """
    a = signal(denoiser, steps)[start.cpu()]
    return _like(a.sqrt(), x_0) * x_0 + _like((1 - a).sqrt(), x_0) * noise


def reconstruct(
    denoiser: Denoiser, x_0: Tensor, noise: Tensor, start: Tensor, labels: Tensor, steps: int = 50
) -> Tensor:
    """x'_{0:t}: each latent noised to its own step and denoised by DDIM (Eq. 4) with only the conditional branch.

    It takes start + 1 forward passes for each latent; latents with a lower start join the batch at their step.

    Arguments:
        denoiser: The diffusion model.
        x_0: Latents, float32[B, ...].
        noise: Standard normal, shaped like x_0.
        start: The grid step of each latent, int64[B], in 0..steps - 1.
        labels: The class of each latent, int64[B].
        steps: The number of steps of the grid.

    Returns:
        The reconstructed latents, shaped like x_0.
    """
    order = torch.argsort(start, descending=True, stable=True)
    start, labels = start[order], labels[order]
    x = add_noise(denoiser, x_0[order], noise[order], start, steps)
    grid, a = sampling_grid(len(denoiser.alphas_cumprod), steps).tolist(), signal(denoiser, steps).tolist()
    for i in range(int(start.max()), -1, -1):
        active = int((start >= i).sum())
        x_t = x[:active]
        eps = denoiser.predict_noise(x_t, torch.full((active,), grid[i], device=x.device), labels[:active])
        x_0_hat = (x_t - (1 - a[i]) ** 0.5 * eps) / a[i] ** 0.5
        below = a[i - 1] if i > 0 else 1.0
        x = torch.cat([below**0.5 * x_0_hat + (1 - below) ** 0.5 * eps, x[active:]])
    return x[torch.argsort(order)]


def _like(values: Tensor, x: Tensor) -> Tensor:
    """Coefficients [B] as float32 on x's device, shaped to multiply x [B, ...]."""
    return values.to(x.device, x.dtype).view(-1, *[1] * (x.ndim - 1))
