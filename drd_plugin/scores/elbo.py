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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diffusion.timestep import SNRWindow
from ..processes import ALONE, Team
from ..rng import keyed_antithetic
from .diffused import DiffusionScore, Pieces, paired

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..diffusion.batching import Batches
    from ..diffusion.denoiser import Denoiser

__all__ = ["ELBO", "DenoisingLoss"]


@dataclass(frozen=True)
class ELBO(SNRWindow, DiffusionScore):
    """The denoising loss over the steps of the sampling grid with a signal-to-noise ratio in [gamma_min, gamma_max];
    non-negative. A draw is a pass over the window, each step with its own noise.
    """

    higher_is_harder = True

    def __post_init__(self) -> None:
        SNRWindow.__post_init__(self)
        DiffusionScore.__post_init__(self)

    def prepare(
        self,
        split: Split,
        seed: int,
        device: torch.device,
        cache: Path | None = None,
        progress: bool = True,
        team: Team = ALONE,
    ) -> DenoisingLoss:
        """See `MapScore`.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        denoiser, latents = self.load(split, device)
        window = self.window(denoiser)
        settings = {"window": window.tolist(), "denoiser": dict(denoiser.card)}
        return DenoisingLoss(self, denoiser, window, seed, latents, settings, str(device))

    def pieces(self, split: Split, device: torch.device) -> Pieces:
        """See `DiffusionScore`."""
        denoiser, _ = self.load(split, device)
        window = self.window(denoiser)
        note = f"steps {window[0]} to {window[-1]} of {self.steps}, {self.draws} draws"
        each = self.draws * len(window)
        return Pieces(denoiser, 0, each, each, 0, lambda latents: None, note)


@dataclass(frozen=True, eq=False)
class DenoisingLoss:
    """ELBO made ready for a data set; see `Scorer`.

    Arguments:
        score: The score.
        denoiser: The diffusion model, asked by the data set's classes.
        window: The grid steps to average over, int64[W].
        seed: The noise seed.
        latents: Encodes the images.
        settings: For the provenance.
        device: Where it computes.
    """

    score: ELBO
    denoiser: Denoiser
    window: np.ndarray
    seed: int
    latents: Callable[[Tensor, Tensor], Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`."""
        import torch

        from ..diffusion.reconstruction import add_noise, sampling_grid

        x_0, positions = self.latents(images, index), index.cpu().numpy()
        grid = sampling_grid(len(self.denoiser.alphas_cumprod), self.score.steps).to(x_0.device)
        starts = torch.from_numpy(self.window).to(x_0.device)
        shape, draws = (len(starts), *x_0.shape[1:]), self.score.draws

        def loss(pair: Tensor) -> Tensor:
            image, draw = np.divmod(pair.numpy(), draws)
            noise = keyed_antithetic(self.seed, "ELBO", positions[image], draw, shape, self.score.antithetic)
            eps = torch.from_numpy(noise).flatten(0, 1).to(x_0.device)
            rows = torch.from_numpy(image.repeat(len(starts))).to(x_0.device)
            steps = starts.repeat(len(pair))

            def error(i: Tensor) -> Tensor:
                x_t = add_noise(self.denoiser, x_0[rows[i]], eps[i], steps[i], self.score.steps)
                predicted = self.denoiser.predict_noise(x_t, grid[steps[i]], labels[rows[i]])
                return (eps[i] - predicted).flatten(1).square().sum(1)

            errors = self.batches.over(torch.arange(len(rows), device=x_0.device), error)
            return errors.view(len(pair), -1).mean(1)

        whole = max(1, self.batches.most // len(self.window))
        losses = torch.cat([loss(pairs) for pairs in torch.arange(len(images) * draws).split(whole)])
        return paired(losses.view(len(images), draws), self.score.antithetic)

    @cached_property
    def batches(self) -> Batches:
        """The batches of the forward passes, whose size is kept once it had to shrink."""
        import torch

        from ..diffusion.batching import Batches, forward_batch

        shape, device = tuple(self.denoiser.latent_shape), torch.device(self.device)
        return Batches(forward_batch(self.score.batch_size, shape, device))
