r"""DRD: how far a class-conditional diffusion model's partial reconstruction of an image deviates from it.

    DRD(x_0, c) = E_eps d( x_0, x'_{0:t_c} ),    x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps,

where x' is the DDIM path from x_t back to 0 given c, the timestep t_c is chosen class by class (see
`InformationBottleneck`), and d is the LPIPS formula. Theorem 1 of the paper bounds the expected squared deviation from
below by -kappa(t) log q(x_0) plus a constant, so that a small deviation speaks for a likely image.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274
    Official code: https://github.com/mchen725/DRD, which could not be had; this follows the paper.

Differences: the paper does not say how many noise draws a score averages, which layers LPIPS uses, whether dt counts
sampling or training steps, nor whether the reconstruction is compared with the image or with its round trip through the
VAE. Here `draws`, `distance`, the grid's unit of `delta_t` and `reference` say so. Antithetic draws, several timesteps
and few-step solvers are ours; none is on by default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..artifacts import write_aside
from ..diffusion.timestep import InformationBottleneck
from ..processes import ALONE, Team
from ..registry import check_least
from ..rng import keyed_antithetic
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
        denoiser: A hub name, a folder in the diffusers format, or `auto`: the bundled denoiser that was fitted to this
            data set.
        labels: `auto`, or a file that maps class names to the model's class numbers (see
            `drd_plugin.diffusion.labels`).
        unmapped: `refuse`, or `null`: classes that the model does not have are scored with its null class.
        timestep: The grid step for all classes, in 0..steps - 1; by default each class's own, by the information
            bottleneck.
        timesteps: Several grid steps for all classes instead, whose deviations are z-scored and averaged.
        draws: Noise draws an image, averaged.
        antithetic: Whether draws come in pairs of opposite noise.
        solver: `ddim`, `dpmsolver++` or `unipc` (see `drd_plugin.diffusion.solvers`).
        solver_steps: Forward passes of the solvers of higher order.
        reference: What the reconstruction is compared with: the `input`, or its round trip through the `vae`.
        distance: `auto`, `network`, `lpips-alex`, `lpips-vgg` or `mse` (see `drd_plugin.diffusion.perceptual`).
        precision: What the denoiser computes in.
        compiled: Whether its blocks are compiled.
        batch_size: The most latents in a forward pass, fewer where they are large; it does not change the scores.
    """

    higher_is_harder = True

    denoiser: str = "auto"
    labels: str = "auto"
    unmapped: Literal["refuse", "null"] = "refuse"
    timestep: int | None = None
    timesteps: tuple[int, ...] = ()
    draws: int = 8
    antithetic: bool = False
    solver: Literal["ddim", "dpmsolver++", "unipc"] = "ddim"
    solver_steps: int = 6
    reference: Literal["input", "vae"] = "input"
    distance: str = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    compiled: bool = field(default=False, metadata={"identity": False})
    batch_size: int = field(default=2048, metadata={"identity": False})

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [*self.timesteps, *([] if self.timestep is None else [self.timestep])]
        wrong = next((t for t in given if not 0 <= t < self.steps), None)
        if wrong is not None:
            raise ValueError(f"expected a timestep in 0..{self.steps - 1} (a step of the sampling grid), got {wrong}.")
        if self.timesteps and self.timestep is not None:
            raise ValueError(f"give timestep or timesteps, got {self.timestep} and {self.timesteps}.")
        if self.antithetic and self.draws % 2:
            raise ValueError(f"antithetic draws come in pairs: give an even number, got draws={self.draws}.")
        check_least(self, 1, "draws", "solver_steps", "batch_size")

    def sees(self, split: Split) -> Split:
        """See `MapScore`."""
        from ..diffusion.images import seen_by

        return seen_by(self.denoiser, split)

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`."""
        from ..diffusion.denoiser import denoiser_folder, weights_digest
        from ..diffusion.perceptual import resolve_distance

        folder = denoiser_folder(self.denoiser, split)
        return {"denoiser": weights_digest(folder), "distance": resolve_distance(self.distance, split)}

    def prepare(
        self,
        split: Split,
        seed: int,
        device: torch.device,
        cache: Path | None = None,
        progress: bool = True,
        team: Team = ALONE,
    ) -> Deviation:
        """See `MapScore`; chooses the timesteps and makes the distance's network ready.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        from ..diffusion.denoiser import find_denoiser
        from ..diffusion.perceptual import embedding

        denoiser = find_denoiser(
            self.denoiser, split, device, self.labels, self.unmapped, self.precision, self.compiled
        )
        if self.timesteps:
            starts = np.tile(self.timesteps, (split.num_classes, 1))
        else:
            starts = self._timesteps(denoiser, split, seed, device, cache, progress, team)[:, None]
        with team.first_alone():
            embed = embedding(self.distance, split, seed, device, cache)
        settings = {"timesteps": starts.squeeze(1).tolist() if starts.shape[1] == 1 else list(self.timesteps)}
        settings |= {"distance": embed.name, "denoiser": dict(denoiser.card)}
        deviation = Deviation(self, denoiser, embed, starts, seed, settings)
        return deviation if starts.shape[1] == 1 else deviation.standardised(split, device)

    def _timesteps(
        self,
        denoiser: Denoiser,
        split: Split,
        seed: int,
        device: torch.device,
        cache: Path | None,
        progress: bool,
        team: Team,
    ) -> np.ndarray:
        if self.timestep is not None:
            return np.full(split.num_classes, self.timestep)
        path = None if cache is None else cache / "timesteps.json"
        if path is not None and path.exists():
            return np.array(json.loads(path.read_text())["timesteps"])
        choice = self.choose(denoiser, split, seed, device, self.batch_size, progress, cache, (team.index, team.count))
        if path is not None:
            content = {
                "timesteps": choice.chosen.tolist(),
                "window": choice.window.tolist(),
                "slope": [[None if math.isnan(v) else v for v in row] for row in choice.slope.tolist()],
                "forwards": choice.forwards,
                "exhaustive": choice.exhaustive,
                "dropped": choice.dropped,
            }
            with write_aside(path) as aside:
                aside.write_text(json.dumps(content))
        return choice.chosen


@dataclass(frozen=True, eq=False)
class Deviation:
    """DRD made ready for a data set; see `Scorer`.

    Arguments:
        score: The score.
        denoiser: The diffusion model, asked by the data set's classes.
        embed: The distance's embedding.
        starts: The grid steps of each class, int64[C, T].
        seed: The noise seed.
        settings: For the provenance.
        centre: What is taken off the deviations at each of the T steps, float64[T].
        scale: What they are divided by, float64[T].
    """

    score: DRD
    denoiser: Denoiser
    embed: Embedding
    starts: np.ndarray
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    centre: np.ndarray = field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`; a pair of antithetic draws is one estimate."""
        import torch

        deviations = self.at_each_step(images, labels, index)
        centre, scale = (torch.from_numpy(v).to(deviations) for v in (self.centre, self.scale))
        estimates = ((deviations - centre) / scale).mean(2)
        return estimates.unflatten(1, (-1, 2)).mean(2) if self.score.antithetic else estimates

    def at_each_step(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The deviation of each draw at each of the class's steps, float32[B, draws, T]; the reference is embedded once
        for all.
        """
        import torch

        from ..diffusion.batching import Batches, forward_batch
        from ..diffusion.solvers import reconstruct_by

        x_0 = self.denoiser.encode(images)
        reference = self.embed(images if self.score.reference == "input" else self.denoiser.decode(x_0))
        positions, starts = index.cpu().numpy(), torch.from_numpy(self.starts).to(labels.device)[labels]
        shape, counts = tuple(x_0.shape[1:]), (self.score.draws, self.starts.shape[1])

        def deviation(part: Tensor) -> Tensor:
            image, draw, step = np.unravel_index(part.numpy(), (len(images), *counts))
            row = torch.from_numpy(image).to(x_0.device)
            noise = keyed_antithetic(self.seed, "DRD", positions[image], draw, shape, self.score.antithetic)
            again = reconstruct_by(
                self.score.solver,
                self.denoiser,
                x_0[row],
                torch.from_numpy(noise).to(x_0.device),
                starts[row, torch.from_numpy(step).to(x_0.device)],
                labels[row],
                self.score.steps,
                self.score.solver_steps,
            )
            return (self.embed(self.denoiser.decode(again)) - reference[row]).square().sum(1)

        every = torch.arange(len(images) * counts[0] * counts[1])
        batches = Batches(forward_batch(self.score.batch_size, shape))
        return batches.over(every, deviation).view(len(images), *counts)

    def standardised(self, split: Split, device: torch.device) -> Deviation:
        """With centre and scale of the deviations of at most 256 images on a fixed grid, one draw each."""
        import torch

        from ..data import scaled

        index = torch.linspace(0, len(split) - 1, min(len(split), 256)).long()
        one = replace(self, score=replace(self.score, draws=1, antithetic=False))
        with torch.inference_mode():
            parts = [
                one.at_each_step(scaled(split.images[i].to(device)), torch.from_numpy(split.labels)[i].to(device), i)
                for i in index.split(64)
            ]
        sample = torch.cat(parts)[:, 0].double().cpu().numpy()
        return replace(self, centre=sample.mean(0), scale=sample.std(0) + 1e-12)
