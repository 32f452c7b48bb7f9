r"""ELBO: the mean denoising loss over a window of timesteps, an estimate of -log p(x_0 | c) up to a constant and a
weighting of timesteps.

    ELBO(x_0, c) = mean_t E_eps || eps - eps_theta(x_t, t, c) ||^2

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026), Eq. 2,
    https://arxiv.org/abs/2511.19274
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), Eq. 14,
    https://arxiv.org/abs/2006.11239
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diffusion.timestep import SNRWindow
from ..registry import check_least
from ..rng import keyed_normal
from .base import MapScore

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..diffusion.denoiser import Denoiser

__all__ = ["ELBO", "DenoisingLoss"]


@dataclass(frozen=True)
class ELBO(SNRWindow, MapScore):
    """The denoising loss over the steps of the sampling grid with a signal-to-noise ratio in [gamma_min, gamma_max];
    non-negative.

    Arguments:
        denoiser: A folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this data set.
        draws: Passes over the window, each step with its own noise; averaged.
        batch_size: The most latents in a forward pass, fewer where they are large; it does not change the scores.
    """

    higher_is_harder = True

    denoiser: str = "auto"
    draws: int = 8
    batch_size: int = field(default=2048, metadata={"identity": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "draws", "batch_size")

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`."""
        from ..diffusion.denoiser import denoiser_folder, weights_digest

        return {"denoiser": weights_digest(denoiser_folder(self.denoiser, split))}

    def prepare(
        self, split: Split, seed: int, device: torch.device, cache: Path | None = None, progress: bool = True
    ) -> DenoisingLoss:
        """See `MapScore`.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        from ..diffusion.denoiser import find_denoiser

        denoiser = find_denoiser(self.denoiser, split, device)
        window = self.window(denoiser)
        settings = {"window": window.tolist(), "denoiser": dict(denoiser.card)}
        return DenoisingLoss(denoiser, window, self.steps, self.draws, seed, self.batch_size, settings)


@dataclass(frozen=True, eq=False)
class DenoisingLoss:
    """ELBO made ready for a data set; see `Scorer`.

    Arguments:
        denoiser: The diffusion model.
        window: The grid steps to average over, int64[W].
        steps: The number of steps of the sampling grid.
        draws: Passes over the window.
        seed: The noise seed.
        batch_size: The most latents in a forward pass.
        settings: For the provenance.
    """

    denoiser: Denoiser
    window: np.ndarray
    steps: int
    draws: int
    seed: int
    batch_size: int = 2048
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`."""
        import torch

        from ..diffusion.reconstruction import add_noise, forward_batch, sampling_grid

        x_0, positions = self.denoiser.encode(images), index.cpu().numpy()
        grid = sampling_grid(len(self.denoiser.alphas_cumprod), self.steps).to(x_0.device)
        starts = torch.from_numpy(self.window).to(x_0.device)
        shape = (len(starts), *x_0.shape[1:])
        pairs, losses = torch.arange(len(images) * self.draws), []
        for pair in pairs.split(max(1, forward_batch(self.batch_size, shape[1:]) // len(starts))):
            image, draw = pair // self.draws, pair % self.draws
            noise = keyed_normal(self.seed, "ELBO", positions[image.numpy()], draw.numpy(), shape)
            eps = torch.from_numpy(noise).flatten(0, 1).to(x_0.device)
            row, t = image.to(x_0.device).repeat_interleave(len(starts)), starts.repeat(len(pair))
            x_t = add_noise(self.denoiser, x_0[row], eps, t, self.steps)
            error = (eps - self.denoiser.predict_noise(x_t, grid[t], labels[row])).flatten(1).square().sum(1)
            losses.append(error.view(len(pair), -1).mean(1))
        return torch.cat(losses).view(len(images), self.draws)
