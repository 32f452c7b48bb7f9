r"""DRD: how far a class-conditional diffusion model's partial reconstruction of an image deviates from it.

    DRD(x_0, c) = E_eps d( x_0, x'_{0:t_c} ),    x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps,

where x' is the DDIM path from x_t back to 0 given c, the timestep t_c is chosen class by class (see
`InformationBottleneck`), and d is the LPIPS formula. Theorem 1 of the paper bounds the expected squared deviation from
below by -kappa(t) log q(x_0) plus a constant, so that a small deviation speaks for a likely image.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274
    Official code: https://github.com/mchen725/DRD, which could not be had; this follows the paper.

Differences: the paper does not say how many noise draws a score averages, which layers LPIPS uses, nor whether dt
counts sampling or training steps. Here `draws`, `distance` and the grid's unit of `delta_t` say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts import write_aside
from ..diffusion.timestep import InformationBottleneck
from ..registry import check_least
from ..rng import keyed_normal
from .base import MapScore

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..diffusion.denoiser import Denoiser
    from ..diffusion.perceptual import Embedding

__all__ = ["DRD", "Deviation"]


@dataclass(frozen=True)
class DRD(InformationBottleneck, MapScore):
    """The reconstruction deviation; non-negative, high for unlikely images.

    Arguments:
        denoiser: A folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this data set.
        timestep: The grid step for all classes, in 0..steps - 1; by default each class's own, by the information
            bottleneck.
        draws: Noise draws an image, averaged.
        distance: `auto`, `network`, `lpips-alex`, `lpips-vgg` or `mse` (see `drd_plugin.diffusion.perceptual`).
        batch_size: The most latents in a forward pass, fewer where they are large; it does not change the scores.
    """

    higher_is_harder = True

    denoiser: str = "auto"
    timestep: int | None = None
    draws: int = 8
    distance: str = "auto"
    batch_size: int = field(default=2048, metadata={"identity": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.timestep is not None and not 0 <= self.timestep < self.steps:
            raise ValueError(
                f"expected a timestep in 0..{self.steps - 1} (a step of the sampling grid), got {self.timestep}."
            )
        check_least(self, 1, "draws", "batch_size")

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`."""
        from ..diffusion.denoiser import denoiser_folder, weights_digest
        from ..diffusion.perceptual import resolve_distance

        folder = denoiser_folder(self.denoiser, split)
        return {"denoiser": weights_digest(folder), "distance": resolve_distance(self.distance, split)}

    def prepare(
        self, split: Split, seed: int, device: torch.device, cache: Path | None = None, progress: bool = True
    ) -> Deviation:
        """See `MapScore`; chooses the timesteps and makes the distance's network ready.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        from ..diffusion.denoiser import find_denoiser
        from ..diffusion.perceptual import embedding

        denoiser = find_denoiser(self.denoiser, split, device)
        timesteps = self._timesteps(denoiser, split, seed, device, cache, progress)
        embed = embedding(self.distance, split, seed, device, cache)
        settings = {"timesteps": timesteps.tolist(), "distance": embed.name, "denoiser": dict(denoiser.card)}
        return Deviation(denoiser, embed, timesteps, self.steps, self.draws, seed, self.batch_size, settings)

    def _timesteps(
        self, denoiser: Denoiser, split: Split, seed: int, device: torch.device, cache: Path | None, progress: bool
    ) -> np.ndarray:
        if self.timestep is not None:
            return np.full(split.num_classes, self.timestep)
        path = None if cache is None else cache / "timesteps.json"
        if path is not None and path.exists():
            return np.array(json.loads(path.read_text())["timesteps"])
        choice = self.choose(denoiser, split, seed, device, self.batch_size, progress, cache)
        if path is not None:
            content = {
                "timesteps": choice.chosen.tolist(),
                "window": choice.window.tolist(),
                "slope": choice.slope.tolist(),
                "forwards": choice.forwards,
            }
            with write_aside(path) as aside:
                aside.write_text(json.dumps(content))
        return choice.chosen


@dataclass(frozen=True, eq=False)
class Deviation:
    """DRD made ready for a data set; see `Scorer`.

    Arguments:
        denoiser: The diffusion model.
        embed: The distance's embedding.
        timesteps: The grid step of each class, int64[C].
        steps: The number of steps of the sampling grid.
        draws: Noise draws an image.
        seed: The noise seed.
        batch_size: The most latents in a forward pass.
        settings: For the provenance.
    """

    denoiser: Denoiser
    embed: Embedding
    timesteps: np.ndarray
    steps: int
    draws: int
    seed: int
    batch_size: int = 2048
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`; the reference is embedded once for all draws."""
        import torch

        from ..diffusion.reconstruction import forward_batch, reconstruct

        x_0, reference = self.denoiser.encode(images), self.embed(images)
        positions, start = index.cpu().numpy(), torch.from_numpy(self.timesteps).to(labels.device)[labels]
        shape = tuple(x_0.shape[1:])
        pairs, parts = torch.arange(len(images) * self.draws), []
        for pair in pairs.split(forward_batch(self.batch_size, shape)):
            image, draw = pair // self.draws, pair % self.draws
            noise = keyed_normal(self.seed, "DRD", positions[image.numpy()], draw.numpy(), shape)
            row = image.to(x_0.device)
            eps = torch.from_numpy(noise).to(x_0.device)
            again = reconstruct(self.denoiser, x_0[row], eps, start[row], labels[row], self.steps)
            parts.append((self.embed(self.denoiser.decode(again)) - reference[row]).square().sum(1))
        return torch.cat(parts).view(len(images), self.draws)
