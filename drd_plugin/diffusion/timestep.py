r"""The reconstruction timestep, chosen class by class where the noised image loses its class fastest (Eqs. 6 to 9).

The diffusion classifier gives, for an image x_0 of class c noised to x_t,

    log p(c | x_t) = log softmax_{c'} ( -E_eps || eps - eps_theta(x_t, t, c') ||^2 )        (Eq. 7)

where the norm sums over the latent's elements. Its rate of change at the grid step t is

    (log p(c | x_{t+dt}) - log p(c | x_{t-dt})) / (2 dt)                                    (Eq. 8)

and the class takes the step with

    eq9:  the largest mean over B images of the absolute rate (what the paper says it runs; biased upward by noise)
    eq6:  the largest absolute value of the mean rate (Lemma 1: the slope of the mutual information I(x_t; c))

among the steps whose signal-to-noise ratio a_t / (1 - a_t) lies in [gamma_min, gamma_max]. The steps are those of the
sampling grid, and so is the unit of dt; the paper does not say which grid its dt = 1 refers to.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274
    Your Diffusion Model is Secretly a Zero-Shot Classifier (Li et al., 2023),
    https://arxiv.org/abs/2303.16203
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..artifacts import write_aside
from ..data import scaled
from ..registry import check_fields, check_least
from ..rng import generator, keyed_normal

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from .denoiser import Denoiser

__all__ = ["InformationBottleneck", "SNRWindow", "TimestepChoice"]


@dataclass(frozen=True)
class SNRWindow:
    """The steps of the sampling grid that are neither trivial nor hopeless.

    Arguments:
        steps: The number of steps T' of the sampling grid.
        gamma_min: The least signal-to-noise ratio.
        gamma_max: The greatest signal-to-noise ratio.
    """

    steps: int = 50
    gamma_min: float = 0.05
    gamma_max: float = 1.0

    def __post_init__(self) -> None:
        check_fields(self)
        check_least(self, 1, "steps")

    def window(self, denoiser: Denoiser) -> np.ndarray:
        """The grid steps with a_t / (1 - a_t) in [gamma_min, gamma_max], int64, rising.

        Raises:
            ValueError: If there are none.
        """
        from .reconstruction import signal

        a = signal(denoiser, self.steps).numpy()
        snr = a / (1 - a)
        inside = np.flatnonzero((snr >= self.gamma_min) & (snr <= self.gamma_max))
        if not len(inside):
            raise ValueError(
                f"no step of {self.steps} has a signal-to-noise ratio in [{self.gamma_min}, {self.gamma_max}]: the "
                f"model's range is {snr.min():.2g} to {snr.max():.2g}; widen the window or take more steps."
            )
        return inside


@dataclass(frozen=True, eq=False)
class TimestepChoice:
    """The chosen steps and what they were chosen from.

    Arguments:
        chosen: The grid step of each class, int64[C].
        window: The candidate steps, int64[W].
        slope: The criterion at each candidate, float64[C, W].
        log_posterior: The mean log p(c | x_t) at the candidates and their neighbours, float64[C, N].
        evaluated: The grid steps of `log_posterior`, int64[N].
        forwards: Forward passes of the denoiser, counted in images.
    """

    chosen: np.ndarray
    window: np.ndarray
    slope: np.ndarray
    log_posterior: np.ndarray
    evaluated: np.ndarray
    forwards: int


@dataclass(frozen=True)
class InformationBottleneck(SNRWindow):
    """The rule that chooses a grid step for each class.

    Arguments:
        B: Images of each class.
        noises: Noise draws an image, shared by all classes and steps.
        delta_t: The finite difference's reach, in grid steps.
        estimator: `eq9` or `eq6`.
    """

    B: int = 20
    noises: int = 20
    delta_t: int = 1
    estimator: Literal["eq9", "eq6"] = "eq9"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "B", "noises", "delta_t")

    def choose(
        self,
        denoiser: Denoiser,
        split: Split,
        seed: int,
        device: torch.device,
        batch_size: int = 2048,
        progress: bool = True,
        cache: Path | None = None,
    ) -> TimestepChoice:
        """The exhaustive search: every class against every other, at every candidate step and its neighbours, each step
        once.

        Arguments:
            denoiser: The diffusion model.
            split: The training images.
            seed: Decides which B images stand for a class, and their noise.
            device: Where the denoiser is.
            batch_size: The most latents in a forward pass.
            progress: Whether to show a progress bar.
            cache: A folder in which each step's result is kept, so that a resumed run finds it again.
        """
        import torch
        from safetensors.numpy import load_file, save_file
        from tqdm.auto import tqdm

        window = self.window(denoiser)
        evaluated = np.arange(window[0] - self.delta_t, window[-1] + self.delta_t + 1)
        if evaluated[0] < 0 or evaluated[-1] >= self.steps:
            raise ValueError(
                f"delta_t={self.delta_t} reaches from {evaluated[0]} to {evaluated[-1]}, outside the grid "
                f"0..{self.steps - 1}."
            )
        index = self.representatives(split, seed)
        x_0 = torch.cat([_latents(denoiser, split, part, device) for part in torch.from_numpy(index).split(500)])
        log_posterior = np.empty((len(index), len(evaluated)))
        labels = torch.from_numpy(split.labels[index])
        forwards = len(index) * len(evaluated) * self.noises * denoiser.num_classes
        with tqdm(
            total=forwards, desc="timesteps", unit="forward", unit_scale=True, disable=not progress, mininterval=1
        ) as bar:
            for column, step in enumerate(evaluated):
                kept = None if cache is None else cache / f"timestep-{step:03d}.safetensors"
                if kept is not None and kept.exists():
                    log_posterior[:, column] = load_file(kept)["log_posterior"]
                    bar.update(forwards // len(evaluated))
                    continue
                error = self._errors(denoiser, x_0, index, int(step), seed, batch_size, bar.update)
                log_p = (-error).log_softmax(1).gather(1, labels[:, None]).squeeze(1)
                log_posterior[:, column] = log_p.numpy()
                if kept is not None:
                    with write_aside(kept) as aside:
                        save_file({"log_posterior": log_p.numpy()}, aside)
        rate = (log_posterior[:, 2 * self.delta_t :] - log_posterior[:, : -2 * self.delta_t]) / (2 * self.delta_t)
        rate = rate[:, window - window[0]]
        if self.estimator == "eq9":
            slope = _class_means(np.abs(rate), labels.numpy(), split.num_classes)
        else:
            slope = np.abs(_class_means(rate, labels.numpy(), split.num_classes))
        means = _class_means(log_posterior, labels.numpy(), split.num_classes)
        return TimestepChoice(window[slope.argmax(1)], window, slope, means, evaluated, forwards)

    def representatives(self, split: Split, seed: int) -> np.ndarray:
        """B random images of each class (all of them where a class has fewer), int64[<= C * B], class by class."""
        rng = generator(seed, "timestep images")
        members = [np.flatnonzero(split.labels == c) for c in range(split.num_classes)]
        return np.concatenate([np.sort(rng.choice(m, min(self.B, len(m)), replace=False)) for m in members])

    def _errors(
        self,
        denoiser: Denoiser,
        x_0: Tensor,
        index: np.ndarray,
        step: int,
        seed: int,
        batch_size: int,
        advance: Callable[[int], Any],
    ) -> Tensor:
        """E_eps || eps - eps_theta(x_t, t, c') ||^2 for each image and class, float64[len(x_0), C] on the CPU."""
        import torch

        from .batching import forward_batch
        from .reconstruction import add_noise, sampling_grid

        num_classes, shape = denoiser.num_classes, tuple(x_0.shape[1:])
        at_once = max(1, forward_batch(batch_size, shape) // num_classes)
        timestep = int(sampling_grid(len(denoiser.alphas_cumprod), self.steps)[step])
        images, draws = np.divmod(np.arange(len(x_0) * self.noises), self.noises)
        total = torch.zeros(len(x_0), num_classes, dtype=torch.float64)
        classes = torch.arange(num_classes, device=x_0.device)
        for part in np.array_split(np.arange(len(images)), -(-len(images) // at_once)):
            image = torch.from_numpy(images[part])
            noise = keyed_normal(seed, "timestep", index[images[part]], draws[part], shape)
            eps = torch.from_numpy(noise).to(x_0.device)
            x_t = add_noise(denoiser, x_0[image.to(x_0.device)], eps, torch.full((len(part),), step), self.steps)
            asked = classes.repeat(len(part))
            predicted = denoiser.predict_noise(
                x_t.repeat_interleave(num_classes, 0), torch.full_like(asked, timestep), asked
            )
            squares = (eps.repeat_interleave(num_classes, 0) - predicted).flatten(1).square().sum(1)
            total.index_add_(0, image, squares.view(len(part), num_classes).double().cpu())
            advance(len(asked))
        return total / self.noises


def _latents(denoiser: Denoiser, split: Split, index: Tensor, device: torch.device) -> Tensor:
    """The latents of the images at these positions, float32[B, ...]."""
    return denoiser.encode(scaled(split.images[index].to(device)))


def _class_means(values: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    return np.stack([values[labels == c].mean(axis=0) for c in range(num_classes)])
