r"""DRD: the deviation of an image's partial reconstruction, by a class-conditional diffusion model, from the image.

    DRD(x_0, c) = E_eps d( x_0, x'_{0:t_c} ),    x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps,

where x' is the DDIM path from x_t back to 0 given c, the timestep t_c is chosen class by class (see
`InformationBottleneck`), and d is the LPIPS formula. Theorem 1 of the paper bounds the expected squared deviation from
below by -kappa(t) log q(x_0) plus a constant, so that a small deviation indicates a likely image.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274
    Official code: https://github.com/mchen725/DRD, which was not available; this follows the paper.

Differences: the paper does not say how many noise draws a score averages, which layers LPIPS uses, whether dt counts
sampling or training steps, nor whether the reconstruction is compared with the image or with its round trip through the
VAE. Here the settings `draws`, `distance`, `delta_t` (in sampling steps) and `reference` determine this. Antithetic
draws, several timesteps and few-step solvers are ours; none is on by default.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from typing_extensions import override

from .. import diffusion
from ..artifacts import read_json, write_aside
from ..core.job import Job
from ..core.provenance import digest
from ..core.registry import check_least
from ..core.seeds import keyed_antithetic
from ..data import Split, scaled
from ..diffusion.timesteps.rule import InformationBottleneck
from .diffusion import DiffusionScore, DiffusionScorer, Work, average_pairs

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["DRD", "Deviation"]

STANDARDISED = 256
"""The most images whose deviations are used to standardise several timesteps."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DRD(DiffusionScore):
    """The reconstruction deviation; non-negative, high for unlikely images.

    Arguments:
        steps: The number of steps T' of the sampling grid.
        gamma_min: The least signal-to-noise ratio of a timestep.
        gamma_max: The greatest signal-to-noise ratio of a timestep.
        B: Images of each class from which its timestep is chosen.
        noises: Noise draws for each of these images.
        delta_t: The reach of the finite difference, in grid steps.
        estimator: `eq9`, `eq6` or `mmse`; see `drd_plugin.diffusion.timesteps.rule`.
        search: `exhaustive`, `staged`, or `auto`: exhaustive up to 20 classes.
        competitors: The number of classes with which the staged search compares an image.
        competitors_by: The choice of these classes: `screen`, `proxy`, `wordnet` or a JSON file.
        timestep: The grid step for all classes, in 0..steps - 1; by default each class's own, by the information
            bottleneck.
        timesteps: Several grid steps for all classes instead; their deviations are z-scored and averaged.
        solver: `ddim`, `dpmsolver++` or `unipc` (see `drd_plugin.diffusion.solvers`).
        solver_steps: Forward passes of the solvers of higher order.
        reference: The image to compare the reconstruction with: the `input`, or its round trip through the `vae`.
        distance: `auto`, `network`, `lpips-alex`, `lpips-vgg` or `mse` (see `drd_plugin.diffusion.distance`).
    """

    higher_is_harder = True

    steps: int = 50
    gamma_min: float = 0.05
    gamma_max: float = 1.0
    B: int = 20
    noises: int = 20
    delta_t: int = 1
    estimator: Literal["eq9", "eq6", "mmse"] = "eq9"
    search: Literal["auto", "exhaustive", "staged"] = "auto"
    competitors: int = 24
    competitors_by: str = "screen"
    timestep: int | None = None
    timesteps: tuple[int, ...] = ()
    solver: Literal["ddim", "dpmsolver++", "unipc"] = "ddim"
    solver_steps: int = 6
    reference: Literal["input", "vae"] = "input"
    distance: Literal["auto", "network", "lpips-alex", "lpips-vgg", "mse"] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.rule  # raises if one of its settings is wrong
        check_least(self, 1, "solver_steps")
        object.__setattr__(self, "timesteps", tuple(self.timesteps))
        wrong = [t for t in self.fixed_timesteps if type(t) is not int or not 0 <= t < self.steps]
        if wrong:
            raise ValueError(
                f"expected a timestep in 0..{self.steps - 1} (a step of the sampling grid), got {wrong[0]!r}."
            )
        if self.timesteps and self.timestep is not None:
            raise ValueError(f"give timestep or timesteps, got {self.timestep} and {self.timesteps}.")

    @property
    def rule(self) -> InformationBottleneck:
        """The rule that chooses the timestep of each class."""
        return InformationBottleneck(**{f.name: getattr(self, f.name) for f in fields(InformationBottleneck)})

    @property
    def fixed_timesteps(self) -> tuple[int, ...]:
        """The grid steps that the settings fix for all classes; empty if the rule chooses."""
        return self.timesteps or (() if self.timestep is None else (self.timestep,))

    @override
    def file_digests(self, split: Split) -> Mapping[str, Any]:
        """Beside those of the diffusion model, the distance that `auto` stands for on this machine, and the digest of a
        file of competitors.
        """
        listed = self.competitors_by not in ("screen", "proxy", "wordnet")
        lists = {"competitors_by": digest(diffusion.near_classes(self.competitors_by, split))} if listed else {}
        distance = diffusion.resolve_distance(self.distance, self.resized(split))
        return {**super().file_digests(split), "distance": distance, **lists}

    @override
    def prepare(self, split: Split, seed: int, job: Job = Job()) -> Deviation:
        """Loads the denoiser and the distance's network, and chooses the timesteps.

        Raises:
            DenoiserError: If there is no denoiser for this data set, or it does not fit.
        """
        device = job.torch_device
        denoiser, encode = self.load(split, device)
        starts = self._starts(denoiser, split, seed, job)
        with job.team.first_alone():
            embed = diffusion.embedding(self.distance, split, seed, job)
        settings = {"timesteps": starts.squeeze(1).tolist() if starts.shape[1] == 1 else list(self.timesteps)}
        settings |= {"distance": embed.name, "denoiser": dict(denoiser.card)}
        deviation = Deviation(self, denoiser, encode, seed, device, embed, starts, settings=settings)
        return deviation if starts.shape[1] == 1 else deviation.standardised(split)

    @override
    def work(self, split: Split, device: torch.device) -> Work:
        """Assumes the middle of the window for timesteps that are not chosen yet."""
        denoiser, _ = self.load(split, device)
        window = self.rule.window(denoiser)
        fixed = self.fixed_timesteps
        starts = np.array(fixed or [window[len(window) // 2]])
        timesteps = len(denoiser.alphas_cumprod)
        forwards = int(diffusion.forwards_of(self.solver, starts, self.solver_steps, self.steps, timesteps).sum())
        embed = diffusion.embedding(self.distance, split, 0, Job(str(device)))
        chosen = "" if fixed else f", and the chosen ones lie between {window[0]} and {window[-1]}"
        if self.timesteps:
            first = min(len(split), STANDARDISED) * forwards
        else:
            first = 0 if fixed else diffusion.expected_forwards(self.rule, denoiser, split)
        return Work(
            denoiser,
            first,
            self.draws * forwards,
            self.draws * len(starts),
            self.draws * len(starts) + 1,
            lambda latents: embed(denoiser.decode(latents)),
            f"step {', '.join(map(str, starts))} of {self.steps}{chosen}; {self.draws} draws; distance {embed.name}",
        )

    def _starts(self, denoiser: diffusion.Denoiser, split: Split, seed: int, job: Job) -> np.ndarray:
        """The grid steps of each class, int64[C, T]; an earlier choice is read from the job's folder."""
        if self.fixed_timesteps:
            return np.tile(self.fixed_timesteps, (split.num_classes, 1))
        path = job.path("timesteps.json")
        if path is None or not path.exists():
            choice = diffusion.choose_timesteps(self.rule, denoiser, split, seed, job, self.batch_size)
            log.info("timesteps %d to %d: %s", choice.chosen.min(), choice.chosen.max(), choice)
            if path is None:
                return choice.chosen[:, None]
            _write(choice, path)
        return np.array(read_json(path, "remove it, and they are chosen again", "timesteps")["timesteps"])[:, None]


def _write(choice: diffusion.TimestepChoice, path: Path) -> None:
    """Writes the choice, unless another process of the job was first: then all processes use that one's."""
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


@dataclass(frozen=True, eq=False)
class Deviation(DiffusionScorer):
    """DRD prepared for a data set; see `Scorer`.

    Arguments:
        embed: The distance's embedding.
        starts: The grid steps of each class, int64[C, T].
        centre: The number to subtract from the deviations at each of the T steps, float64[T].
        scale: The number to divide them by, float64[T].
    """

    score: DRD
    embed: diffusion.Embedding
    starts: np.ndarray
    centre: np.ndarray = field(default_factory=lambda: np.zeros(1))
    scale: np.ndarray = field(default_factory=lambda: np.ones(1))

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The estimates of a batch: the mean deviation over the steps, of each draw or antithetic pair of draws."""
        import torch

        deviations = self.at_each_step(images, labels, index)
        centre, scale = (torch.from_numpy(v).to(deviations) for v in (self.centre, self.scale))
        return average_pairs(((deviations - centre) / scale).mean(2), self.score.antithetic)

    def at_each_step(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The deviation of each draw at each of the class's steps, float32[B, draws, T]."""
        import torch

        x_0 = self.encode(images, index)
        positions, starts = index.cpu().numpy(), torch.from_numpy(self.starts).to(labels.device)[labels]
        counts = self.score.draws, self.starts.shape[1]
        if self.score.reference == "input":
            reference = self.image_batches.over(images, self.embed)
        else:
            reference = self.image_batches.over(x_0, lambda latents: self.embed(self.denoiser.decode(latents)))

        def reconstruct(rows: Tensor) -> Tensor:
            image, draw, step = np.unravel_index(rows.numpy(), (len(images), *counts))
            row = torch.from_numpy(image).to(x_0.device)
            start = starts[row, torch.from_numpy(step).to(x_0.device)]
            return self.reconstruct(x_0[row], labels[row], positions[image], draw, start)

        rows = torch.arange(len(images) * counts[0] * counts[1])
        reconstructions = self.forward_batches.over(rows, reconstruct)

        def deviation(part: Tensor) -> Tensor:
            embedded = self.embed(self.denoiser.decode(reconstructions[part]))
            return (embedded - reference[part // (counts[0] * counts[1])]).square().sum(1)

        return self.image_batches.over(rows.to(x_0.device), deviation).view(len(images), *counts)

    def reconstruct(
        self, x_0: Tensor, labels: Tensor, positions: np.ndarray, draw: np.ndarray, start: Tensor
    ) -> Tensor:
        """The reconstruction of each latent by the score's solver, in the shape of `x_0`.

        Arguments:
            x_0: The latents, [B, *latent_shape].
            labels: int64[B].
            positions: The positions of the examples in the data set, by which noise is keyed, int64[B].
            draw: The number of each noise draw, int64[B].
            start: The grid step at which each path begins, int64[B].
        """
        import torch

        noise = keyed_antithetic(self.seed, "DRD", positions, draw, tuple(x_0.shape[1:]), self.score.antithetic)
        eps, score = torch.from_numpy(noise).to(x_0.device), self.score
        return diffusion.reconstruct_by(
            score.solver, self.denoiser, x_0, eps, start, labels, score.steps, score.solver_steps
        )

    @cached_property
    def image_batches(self) -> diffusion.Batches:
        """The batches of images for decoding and embedding; a reduced batch size is remembered."""
        return diffusion.Batches(diffusion.image_batch(tuple(self.denoiser.image_shape)))

    def standardised(self, split: Split) -> Deviation:
        """The scorer with centre and scale from the deviations, one draw each, of `STANDARDISED` images that are evenly
        spaced in the data set.
        """
        import torch

        index = torch.linspace(0, len(split) - 1, min(len(split), STANDARDISED)).long()
        one = replace(self, score=replace(self.score, draws=1, antithetic=False))
        labels = torch.from_numpy(split.labels)
        with torch.inference_mode():
            parts = [
                one.at_each_step(scaled(split.images[i].to(self.device)), labels[i].to(self.device), i)
                for i in index.split(64)
            ]
        sample = torch.cat(parts)[:, 0].double().cpu().numpy()
        return replace(self, centre=sample.mean(0), scale=sample.std(0) + 1e-12)
