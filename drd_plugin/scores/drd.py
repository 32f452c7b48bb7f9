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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..artifacts import write_aside
from ..diffusion.timestep import InformationBottleneck
from ..processes import ALONE, Team
from ..provenance import digest
from ..registry import check_least
from ..rng import keyed_antithetic
from .diffused import DiffusionScore, Pieces, paired

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..diffusion.batching import Batches
    from ..diffusion.denoiser import Denoiser
    from ..diffusion.perceptual import Embedding

__all__ = ["DRD", "Deviation"]

STANDARDISED = 256
"""The most images by whose deviations several timesteps are made comparable."""


@dataclass(frozen=True)
class DRD(InformationBottleneck, DiffusionScore):
    """The reconstruction deviation; non-negative, high for unlikely images.

    Arguments:
        timestep: The grid step for all classes, in 0..steps - 1; by default each class's own, by the information
            bottleneck.
        timesteps: Several grid steps for all classes instead, whose deviations are z-scored and averaged.
        solver: `ddim`, `dpmsolver++` or `unipc` (see `drd_plugin.diffusion.solvers`).
        solver_steps: Forward passes of the solvers of higher order.
        reference: What the reconstruction is compared with: the `input`, or its round trip through the `vae`.
        distance: `auto`, `network`, `lpips-alex`, `lpips-vgg` or `mse` (see `drd_plugin.diffusion.perceptual`).
    """

    higher_is_harder = True

    timestep: int | None = None
    timesteps: tuple[int, ...] = ()
    solver: Literal["ddim", "dpmsolver++", "unipc"] = "ddim"
    solver_steps: int = 6
    reference: Literal["input", "vae"] = "input"
    distance: str = "auto"

    def __post_init__(self) -> None:
        InformationBottleneck.__post_init__(self)
        DiffusionScore.__post_init__(self)
        check_least(self, 1, "solver_steps")
        object.__setattr__(self, "timesteps", tuple(self.timesteps))
        given = [*self.timesteps, *([] if self.timestep is None else [self.timestep])]
        wrong = [t for t in given if type(t) is not int or not 0 <= t < self.steps]
        if wrong:
            raise ValueError(
                f"expected a timestep in 0..{self.steps - 1} (a step of the sampling grid), got {wrong[0]!r}."
            )
        if self.timesteps and self.timestep is not None:
            raise ValueError(f"give timestep or timesteps, got {self.timestep} and {self.timesteps}.")

    def inputs(self, split: Split) -> Mapping[str, Any]:
        """See `Score`; beside the diffusion model, the distance that `auto` stands for here, and the lists of
        competitors where there is a file.
        """
        from ..diffusion.competitors import near_classes
        from ..diffusion.perceptual import resolve_distance

        listed = self.competitors_by not in ("screen", "proxy", "wordnet")
        lists = {"competitors_by": digest(near_classes(self.competitors_by, split))} if listed else {}
        return {**super().inputs(split), "distance": resolve_distance(self.distance, self.sees(split)), **lists}

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
        from ..diffusion.perceptual import embedding

        denoiser, latents = self.load(split, device)
        if self.timesteps:
            starts = np.tile(self.timesteps, (split.num_classes, 1))
        else:
            starts = self._timesteps(denoiser, split, seed, device, cache, progress, team)[:, None]
        with team.first_alone():
            embed = embedding(self.distance, split, seed, device, cache)
        settings = {"timesteps": starts.squeeze(1).tolist() if starts.shape[1] == 1 else list(self.timesteps)}
        settings |= {"distance": embed.name, "denoiser": dict(denoiser.card)}
        deviation = Deviation(self, denoiser, embed, starts, seed, latents, settings, device=str(device))
        return deviation if starts.shape[1] == 1 else deviation.standardised(split, device)

    def pieces(self, split: Split, device: torch.device) -> Pieces:
        """See `DiffusionScore`; for steps that are not chosen yet, the middle of the window is taken."""
        from ..diffusion.perceptual import embedding
        from ..diffusion.solvers import forwards_of

        denoiser, _ = self.load(split, device)
        window = self.window(denoiser)
        given = self.timesteps or (() if self.timestep is None else (self.timestep,))
        starts = np.array(given or [window[len(window) // 2]])
        forwards = forwards_of(self.solver, starts, self.solver_steps, self.steps, len(denoiser.alphas_cumprod)).sum()
        embed = embedding(self.distance, split, 0, device)
        chosen = "" if given else f", and the chosen ones lie between {window[0]} and {window[-1]}"
        first = min(len(split), STANDARDISED) * int(forwards) if self.timesteps else 0
        return Pieces(
            denoiser,
            first if given else self.expected_forwards(denoiser, split),
            self.draws * int(forwards),
            self.draws * len(starts),
            self.draws * len(starts) + 1,
            lambda latents: embed(denoiser.decode(latents)),
            f"step {', '.join(map(str, starts))} of {self.steps}{chosen}; {self.draws} draws; distance {embed.name}",
        )

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
            return _read(path)
        from tqdm.auto import tqdm

        choice = self.choose(denoiser, split, seed, device, self.batch_size, progress, cache, (team.index, team.count))
        if progress:
            tqdm.write(f"timesteps {choice.chosen.min()} to {choice.chosen.max()}: {choice}")
        if path is None:
            return choice.chosen
        content = {
            "timesteps": choice.chosen.tolist(),
            "window": choice.window.tolist(),
            "slope": [[None if math.isnan(v) else v for v in row] for row in choice.slope.tolist()],
            "forwards": choice.forwards,
            "exhaustive": choice.exhaustive,
            "dropped": choice.dropped,
        }
        with write_aside(path, first=True) as aside:
            aside.write_text(json.dumps(content))
        return _read(path)


def _read(path: Path) -> np.ndarray:
    """The timesteps that all processes of a job agree on."""
    return np.array(json.loads(path.read_text())["timesteps"])


@dataclass(frozen=True, eq=False)
class Deviation:
    """DRD made ready for a data set; see `Scorer`.

    Arguments:
        score: The score.
        denoiser: The diffusion model, asked by the data set's classes.
        embed: The distance's embedding.
        starts: The grid steps of each class, int64[C, T].
        seed: The noise seed.
        latents: Encodes the images.
        settings: For the provenance.
        centre: What is taken off the deviations at each of the T steps, float64[T].
        scale: What they are divided by, float64[T].
        device: Where it computes.
    """

    score: DRD
    denoiser: Denoiser
    embed: Embedding
    starts: np.ndarray
    seed: int
    latents: Callable[[Tensor, Tensor], Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)
    centre: np.ndarray = field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))
    device: str = "cpu"

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """See `Scorer`."""
        import torch

        deviations = self.at_each_step(images, labels, index)
        centre, scale = (torch.from_numpy(v).to(deviations) for v in (self.centre, self.scale))
        return paired(((deviations - centre) / scale).mean(2), self.score.antithetic)

    def at_each_step(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The deviation of each draw at each of the class's steps, float32[B, draws, T]; the reference is embedded once
        for all.
        """
        import torch

        from ..diffusion.solvers import reconstruct_by

        x_0 = self.latents(images, index)
        positions, starts = index.cpu().numpy(), torch.from_numpy(self.starts).to(labels.device)[labels]
        shape, counts = tuple(x_0.shape[1:]), (self.score.draws, self.starts.shape[1])
        if self.score.reference == "input":
            reference = self.images_at_once.over(images, self.embed)
        else:
            reference = self.images_at_once.over(x_0, lambda latents: self.embed(self.denoiser.decode(latents)))

        def reconstruction(part: Tensor) -> Tensor:
            image, draw, step = np.unravel_index(part.numpy(), (len(images), *counts))
            row = torch.from_numpy(image).to(x_0.device)
            noise = keyed_antithetic(self.seed, "DRD", positions[image], draw, shape, self.score.antithetic)
            return reconstruct_by(
                self.score.solver,
                self.denoiser,
                x_0[row],
                torch.from_numpy(noise).to(x_0.device),
                starts[row, torch.from_numpy(step).to(x_0.device)],
                labels[row],
                self.score.steps,
                self.score.solver_steps,
            )

        every = torch.arange(len(images) * counts[0] * counts[1])
        again = self.batches.over(every, reconstruction)

        def deviation(part: Tensor) -> Tensor:
            apart = self.embed(self.denoiser.decode(again[part])) - reference[part // (counts[0] * counts[1])]
            return apart.square().sum(1)

        return self.images_at_once.over(every.to(x_0.device), deviation).view(len(images), *counts)

    @cached_property
    def batches(self) -> Batches:
        """The batches of the forward passes, whose size is kept once it had to shrink."""
        import torch

        from ..diffusion.batching import Batches, forward_batch

        shape, device = tuple(self.denoiser.latent_shape), torch.device(self.device)
        return Batches(forward_batch(self.score.batch_size, shape, device))

    @cached_property
    def images_at_once(self) -> Batches:
        """The batches of what is decoded and embedded, likewise."""
        from ..diffusion.batching import Batches, image_batch

        return Batches(image_batch(tuple(self.denoiser.image_shape)))

    def standardised(self, split: Split, device: torch.device) -> Deviation:
        """With centre and scale of the deviations of `STANDARDISED` images on a fixed grid, one draw each."""
        import torch

        from ..data import scaled

        index = torch.linspace(0, len(split) - 1, min(len(split), STANDARDISED)).long()
        one = replace(self, score=replace(self.score, draws=1, antithetic=False))
        with torch.inference_mode():
            parts = [
                one.at_each_step(scaled(split.images[i].to(device)), torch.from_numpy(split.labels)[i].to(device), i)
                for i in index.split(64)
            ]
        sample = torch.cat(parts)[:, 0].double().cpu().numpy()
        return replace(self, centre=sample.mean(0), scale=sample.std(0) + 1e-12)
