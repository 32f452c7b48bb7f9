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
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..diffusion.timestep import SNRWindow
from ..processes import ALONE, Team
from ..registry import check_least
from ..rng import keyed_antithetic
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
        denoiser: A hub name, a folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this
            data set.
        labels: See `DRD`.
        unmapped: See `DRD`.
        draws: Passes over the window, each step with its own noise; averaged.
        antithetic: Whether draws come in pairs of opposite noise.
        precision: What the denoiser computes in.
        compiled: Whether its blocks are compiled.
        batch_size: The most latents in a forward pass, fewer where they are large; it does not change the scores.
    """

    higher_is_harder = True

    denoiser: str = "auto"
    labels: str = "auto"
    unmapped: Literal["refuse", "null"] = "refuse"
    draws: int = 8
    antithetic: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    compiled: bool = field(default=False, metadata={"identity": False})
    batch_size: int = field(default=2048, metadata={"identity": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "draws", "batch_size")
        if self.antithetic and self.draws % 2:
            raise ValueError(f"antithetic draws come in pairs: give an even number, got draws={self.draws}.")

    def sees(self, split: Split) -> Split:
        """See `MapScore`."""
        from ..diffusion.images import seen_by

        return seen_by(self.denoiser, split)

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`."""
        from ..diffusion.denoiser import denoiser_folder, weights_digest

        return {"denoiser": weights_digest(denoiser_folder(self.denoiser, split))}

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
        from ..diffusion.denoiser import find_denoiser

        denoiser = find_denoiser(
            self.denoiser, split, device, self.labels, self.unmapped, self.precision, self.compiled
        )
        window = self.window(denoiser)
        return DenoisingLoss(self, denoiser, window, seed, {"window": window.tolist(), "denoiser": dict(denoiser.card)})


@dataclass(frozen=True, eq=False)
class DenoisingLoss:
    """ELBO made ready for a data set; see `Scorer`.

    Arguments:
        score: The score.
        denoiser: The diffusion model, asked by the data set's classes.
        window: The grid steps to average over, int64[W].
        seed: The noise seed.
        settings: For the provenance.
    """

    score: ELBO
    denoiser: Denoiser
    window: np.ndarray
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`; a pair of antithetic draws is one estimate."""
        import torch

        from ..diffusion.batching import Batches, forward_batch
        from ..diffusion.reconstruction import add_noise, sampling_grid

        x_0, positions = self.denoiser.encode(images), index.cpu().numpy()
        grid = sampling_grid(len(self.denoiser.alphas_cumprod), self.score.steps).to(x_0.device)
        starts = torch.from_numpy(self.window).to(x_0.device)
        shape, draws = (len(starts), *x_0.shape[1:]), self.score.draws

        def loss(pair: Tensor) -> Tensor:
            image, draw = np.divmod(pair.numpy(), draws)
            noise = keyed_antithetic(self.seed, "ELBO", positions[image], draw, shape, self.score.antithetic)
            eps = torch.from_numpy(noise).flatten(0, 1).to(x_0.device)
            row = torch.from_numpy(image.repeat(len(starts))).to(x_0.device)
            t = starts.repeat(len(pair))
            x_t = add_noise(self.denoiser, x_0[row], eps, t, self.score.steps)
            error = (eps - self.denoiser.predict_noise(x_t, grid[t], labels[row])).flatten(1).square().sum(1)
            return error.view(len(pair), -1).mean(1)

        batches = Batches(forward_batch(self.score.batch_size, shape[1:]) // len(starts))
        losses = batches.over(torch.arange(len(images) * draws), loss).view(len(images), draws)
        return losses.unflatten(1, (-1, 2)).mean(2) if self.score.antithetic else losses
