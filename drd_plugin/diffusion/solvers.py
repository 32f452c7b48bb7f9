"""Few-step solvers of the reverse process, which start at the reconstruction's timestep.

DDIM takes a forward pass for each step of the sampling grid from the start. A solver of second order takes a given
number of larger steps from the start to the clean image: DPM-Solver++ at even distances of the logarithm of the
signal-to-noise ratio, UniPC at the noise levels of Karras et al.; with even distances in timesteps, the error is ten
times as large. On the analytic mixture, six such steps are nearer to the exact path than 21 of DDIM.

References:
    DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models (Lu et al., 2022),
    https://arxiv.org/abs/2211.01095
    UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models (Zhao et al., 2023),
    https://arxiv.org/abs/2302.04867
    Elucidating the Design Space of Diffusion-Based Generative Models (Karras et al., 2022),
    https://arxiv.org/abs/2206.00364
    Both in the implementation of diffusers: https://huggingface.co/docs/diffusers/api/schedulers/overview
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .denoisers.base import Denoiser
from .reconstruction import add_noise, reconstruct, sampling_grid

__all__ = ["Solver", "forwards_of", "reconstruct_by", "solve"]

Solver = Literal["ddim", "dpmsolver++", "unipc"]


def reconstruct_by(
    solver: Solver,
    denoiser: Denoiser,
    x_0: Tensor,
    noise: Tensor,
    start: Tensor,
    labels: Tensor,
    steps: int = 50,
    solver_steps: int = 6,
) -> Tensor:
    """x'_{0:t} by any solver; see `drd_plugin.diffusion.reconstruction.reconstruct`.

    Arguments:
        solver: `ddim`, `dpmsolver++` (second order) or `unipc` (second order).
        denoiser: The diffusion model.
        x_0: Latents, float32[B, ...].
        noise: Standard normal, shaped like x_0.
        start: The grid step of each latent, int64[B].
        labels: The class of each latent, int64[B].
        steps: The number of steps of the sampling grid, to which `start` refers.
        solver_steps: The most forward passes of a solver of second order.

    Returns:
        The reconstructed latents, shaped like x_0.
    """
    if solver == "ddim":
        return reconstruct(denoiser, x_0, noise, start, labels, steps)
    x_t, out = add_noise(denoiser, x_0, noise, start, steps), torch.empty_like(x_0)
    grid = sampling_grid(len(denoiser.alphas_cumprod), steps)
    for step in start.unique().tolist():
        rows = (start == step).nonzero().squeeze(1)
        if step == 0:  # a single step, the same for all solvers
            out[rows] = reconstruct(denoiser, x_0[rows], noise[rows], start[rows], labels[rows], steps)
        else:
            out[rows] = solve(solver, denoiser, x_t[rows], int(grid[step]), labels[rows], solver_steps)
    return out


def forwards_of(solver: Solver, start: np.ndarray, solver_steps: int, steps: int, train_timesteps: int) -> np.ndarray:
    """The number of forward passes of a reconstruction from each grid step, int64, shaped like start."""
    if solver == "ddim":
        return start + 1
    timesteps = sampling_grid(train_timesteps, steps).numpy()[start]
    return np.where(start == 0, 1, np.minimum(solver_steps, np.maximum(timesteps, 1)))


def solve(
    solver: Solver,
    denoiser: Denoiser,
    x: Tensor,
    timestep: int,
    labels: Tensor,
    solver_steps: int,
    clipped: bool = False,
) -> Tensor:
    """The clean latents that a solver of second order reaches from one timestep, shaped like x.

    Arguments:
        solver: `dpmsolver++` or `unipc`.
        denoiser: The diffusion model.
        x: Latents noised to the timestep, [B, ...].
        timestep: One of the model's training timesteps, from 1.
        labels: The class of each latent, int64[B].
        solver_steps: The most forward passes.
        clipped: Whether each estimate of x_0 is clipped to [-1, 1], as is usual for sampling pixels from pure noise.
    """
    import diffusers

    kinds: dict[str, Any] = {
        "dpmsolver++": partial(diffusers.DPMSolverMultistepScheduler, use_lu_lambdas=True),
        "unipc": partial(diffusers.UniPCMultistepScheduler, use_karras_sigmas=True),
    }
    a = denoiser.alphas_cumprod[: timestep + 1]
    betas = 1 - a / torch.cat([torch.ones(1).double(), a[:-1]])
    scheduler = kinds[solver](
        num_train_timesteps=len(betas),
        trained_betas=betas.tolist(),
        solver_order=2,
        timestep_spacing="linspace",  # the schedule ends at the start, so the first step is the start itself
        final_sigmas_type="zero",
        thresholding=clipped,
        sample_max_value=1.0,
    )
    scheduler.set_timesteps(min(solver_steps, max(timestep, 1)), device=x.device)
    for t in scheduler.timesteps:
        eps = denoiser.predict_noise(x, t.expand(len(x)).long(), labels)
        x = scheduler.step(eps, t, x, return_dict=False)[0]
    return x
