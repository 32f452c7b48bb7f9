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

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from typing_extensions import override

from .. import diffusion
from ..core.job import Job
from ..core.seeds import keyed_antithetic
from ..data import Split
from ..diffusion.timesteps.rule import SNRWindow
from .diffusion import DiffusionScore, DiffusionScorer, Work, average_pairs

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["ELBO", "DenoisingLoss"]


@dataclass(frozen=True)
class ELBO(DiffusionScore):
    """The denoising loss over the steps of the sampling grid with a signal-to-noise ratio in [gamma_min, gamma_max];
    non-negative. A draw is a pass over the window, each step with its own noise.

    Arguments:
        steps: The number of steps T' of the sampling grid.
        gamma_min: The least signal-to-noise ratio.
        gamma_max: The greatest signal-to-noise ratio.
    """

    higher_is_harder = True

    steps: int = 50
    gamma_min: float = 0.05
    gamma_max: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.window  # raises if one of its settings is wrong

    @property
    def window(self) -> SNRWindow:
        """The rule that gives the window of steps."""
        return SNRWindow(self.steps, self.gamma_min, self.gamma_max)

    @override
    def prepare(self, split: Split, seed: int, job: Job = Job()) -> DenoisingLoss:
        """Loads the denoiser.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        device = job.torch_device
        denoiser, encode = self.load(split, device)
        window = self.window.window(denoiser)
        settings = {"window": window.tolist(), "denoiser": dict(denoiser.card)}
        return DenoisingLoss(self, denoiser, encode, seed, device, window, settings=settings)

    @override
    def work(self, split: Split, device: torch.device) -> Work:
        denoiser, _ = self.load(split, device)
        window = self.window.window(denoiser)
        note = f"steps {window[0]} to {window[-1]} of {self.steps}, {self.draws} draws"
        each = self.draws * len(window)
        return Work(denoiser, 0, each, each, 0, lambda latents: None, note)


@dataclass(frozen=True, eq=False)
class DenoisingLoss(DiffusionScorer):
    """ELBO prepared for a data set; see `Scorer`.

    Arguments:
        window: The grid steps to average over, int64[W].
    """

    score: ELBO
    window: np.ndarray

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The estimates of a batch: the mean loss over the window, of each draw or antithetic pair of draws."""
        import torch

        x_0, positions = self.encode(images, index), index.cpu().numpy()
        grid = diffusion.sampling_grid(len(self.denoiser.alphas_cumprod), self.score.steps).to(x_0.device)
        starts = torch.from_numpy(self.window).to(x_0.device)
        shape, draws = (len(starts), *x_0.shape[1:]), self.score.draws

        def loss(pairs: Tensor) -> Tensor:
            image, draw = np.divmod(pairs.numpy(), draws)
            noise = keyed_antithetic(self.seed, "ELBO", positions[image], draw, shape, self.score.antithetic)
            eps = torch.from_numpy(noise).flatten(0, 1).to(x_0.device)
            rows = torch.from_numpy(image.repeat(len(starts))).to(x_0.device)
            steps = starts.repeat(len(pairs))

            def error(i: Tensor) -> Tensor:
                x_t = diffusion.add_noise(self.denoiser, x_0[rows[i]], eps[i], steps[i], self.score.steps)
                predicted = self.denoiser.predict_noise(x_t, grid[steps[i]], labels[rows[i]])
                return (eps[i] - predicted).flatten(1).square().sum(1)

            errors = self.forward_batches.over(torch.arange(len(rows), device=x_0.device), error)
            return errors.view(len(pairs), -1).mean(1)

        pairs_at_once = max(1, self.forward_batches.most // len(self.window))
        losses = torch.cat([loss(pairs) for pairs in torch.arange(len(images) * draws).split(pairs_at_once)])
        return average_pairs(losses.view(len(images), draws), self.score.antithetic)
