r"""The reconstruction timestep, chosen class by class where the noised image loses its class fastest (Eqs. 6 to 9).

The diffusion classifier gives, for an image x_0 of class c noised to x_t,

    log p(c | x_t) = log softmax_{c'} ( -E_eps || eps - eps_theta(x_t, t, c') ||^2 )        (Eq. 7)

where the norm sums over the latent's elements. Its rate of change at the grid step t is

    (log p(c | x_{t+dt}) - log p(c | x_{t-dt})) / (2 dt)                                    (Eq. 8)

and the class takes the step with

    eq9:  the largest mean over B images of the absolute rate (what the paper says it runs; biased upward by noise)
    eq6:  the largest absolute value of the mean rate (Lemma 1: the slope of the mutual information I(x_t; c))
    mmse: the largest slope of I(x_t; c) by another formula, which is ours: with the ratio r = a / (1 - a),
              d I(x_t; c) / d log r = 1/2 ( E || eps - eps_theta(x_t, t) ||^2 - E || eps - eps_theta(x_t, t, c) ||^2 ),
          the denoising losses without and with the class. It takes two forward passes for any number of classes.

among the steps whose signal-to-noise ratio lies in [gamma_min, gamma_max]. Eq. 7 averages over the noise inside the
softmax and leaves out the losses' weights, so eq9 and eq6 find a noisier step than that at which I(x_t; c) falls
fastest (on the analytic mixture, by four to eight steps of 50); mmse finds that step. The steps are those of the
sampling grid, and so is the unit of dt; the paper does not say which grid its dt = 1 refers to.

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274
    Your Diffusion Model is Secretly a Zero-Shot Classifier (Li et al., 2023),
    https://arxiv.org/abs/2303.16203
    Mutual Information and Minimum Mean-Square Error in Gaussian Channels (Guo, Shamai and Verdu, 2005),
    https://arxiv.org/abs/cs/0412108
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...core.registry import check_fields, check_least
from ...core.seeds import generator
from ...data import Split
from ..denoisers.base import Denoiser

__all__ = ["InformationBottleneck", "SNRWindow", "TimestepChoice"]

EXHAUSTIVE = 20
"""The greatest number of classes for which `auto` searches exhaustively."""


@dataclass(frozen=True)
class SNRWindow:
    """The steps of the sampling grid with neither too little nor too much noise.

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
        check_least(self, 0, "gamma_min", "gamma_max")
        if self.gamma_min > self.gamma_max:
            raise ValueError(f"expected gamma_min up to gamma_max, got {self.gamma_min} and {self.gamma_max}.")

    def window(self, denoiser: Denoiser) -> np.ndarray:
        """The grid steps with a_t / (1 - a_t) in [gamma_min, gamma_max], int64, rising.

        Raises:
            ValueError: If there are no such steps.
        """
        from ..reconstruction import signal

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
    """The chosen steps and the values that determined them.

    Arguments:
        chosen: The grid step of each class, int64[C].
        window: The candidate steps, int64[W].
        slope: The criterion at each candidate, float64[C, W]; NaN if the staged search skipped the candidate.
        log_posterior: The mean log p(c | x_t) at the candidates and their neighbours, float64[C, N]; NaN likewise.
        evaluated: The grid steps of `log_posterior`, int64[N].
        forwards: The number of forward passes of the denoiser, counted in images.
        exhaustive: The number of forward passes of the exhaustive search.
        dropped: An upper estimate of the share of an image's softmax that all classes dropped by the staged search had
            together (see `drd_plugin.diffusion.timesteps.search`); the greatest over the images.
    """

    chosen: np.ndarray
    window: np.ndarray
    slope: np.ndarray
    log_posterior: np.ndarray
    evaluated: np.ndarray
    forwards: int
    exhaustive: int
    dropped: float

    def __str__(self) -> str:
        saved = f", {self.exhaustive / self.forwards:.1f} times fewer than the {self.exhaustive:,} of all"
        bound = f"; dropped classes weigh about {100 * self.dropped:.2g} % of a softmax at most" if self.dropped else ""
        return f"{self.forwards:,} forward passes" + (saved + bound if self.forwards < self.exhaustive else "")


@dataclass(frozen=True)
class InformationBottleneck(SNRWindow):
    """The rule that chooses a grid step for each class.

    Arguments:
        B: Images of each class.
        noises: Noise draws for an image, shared by all classes and steps; the staged search stops earlier if it can.
        delta_t: The distance of the finite difference to either side, in grid steps.
        estimator: `eq9`, `eq6` or `mmse`.
        search: `exhaustive`, `staged` (see `drd_plugin.diffusion.timesteps.search`), or `auto`: exhaustive up to 20
            classes.
        competitors: The number of classes that the staged search compares an image with (see
            `drd_plugin.diffusion.timesteps.competitors`).
        competitors_by: The source of these classes: `screen`, `proxy`, `wordnet` or a JSON file.
    """

    B: int = 20
    noises: int = 20
    delta_t: int = 1
    estimator: Literal["eq9", "eq6", "mmse"] = "eq9"
    search: Literal["auto", "exhaustive", "staged"] = "auto"
    competitors: int = 24
    competitors_by: str = "screen"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "B", "noises", "delta_t", "competitors")

    def is_staged(self, num_classes: int) -> bool:
        """Whether the search is staged for this number of classes."""
        return self.search == "staged" or (self.search == "auto" and num_classes > EXHAUSTIVE)

    def evaluated(self, denoiser: Denoiser) -> np.ndarray:
        """The candidates and their neighbours, int64[N], rising.

        Raises:
            ValueError: If the finite difference reaches outside the grid.
        """
        window = self.window(denoiser)
        first, last = window[0] - self.delta_t, window[-1] + self.delta_t
        if first < 0 or last >= self.steps:
            raise ValueError(
                f"delta_t={self.delta_t} reaches from {first} to {last}, outside the grid 0..{self.steps - 1}."
            )
        return np.arange(first, last + 1)

    def representatives(self, split: Split, seed: int) -> list[np.ndarray]:
        """The positions of B random images of each class (all if it has fewer), int64[<= B] each, rising."""
        rng = generator(seed, "timestep images")
        members = [np.flatnonzero(split.labels == c) for c in range(split.num_classes)]
        return [np.sort(rng.choice(m, min(self.B, len(m)), replace=False)) for m in members]

    def criterion(self, log_posterior: np.ndarray) -> np.ndarray:
        """The contribution of each image to the criterion at each candidate, float64[b, W].

        Arguments:
            log_posterior: log p(c | x_t) at the evaluated steps, or for `mmse` the slope itself, float64[b, N].
        """
        reach = 2 * self.delta_t
        if self.estimator == "mmse":
            return log_posterior[:, self.delta_t : -self.delta_t]
        rate = (log_posterior[:, reach:] - log_posterior[:, :-reach]) / reach
        return np.abs(rate) if self.estimator == "eq9" else rate * np.sign(rate.mean(0))
