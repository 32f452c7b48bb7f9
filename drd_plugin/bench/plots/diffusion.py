"""Pictures of what DRD does: timesteps and reconstructions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from ...diffusion.denoisers.base import Denoiser
from ...diffusion.reconstruction import signal
from ...diffusion.timesteps.rule import SNRWindow, TimestepChoice
from .axes import finish, new_axis

__all__ = ["plot_reconstructions", "plot_snr", "plot_timesteps"]


def plot_timesteps(choice: TimestepChoice, classes: Sequence[str], ax: Axes | None = None) -> Axes:
    """The criterion at each candidate step, a line for each class, with a dot at the chosen one.

    Arguments:
        choice: The chosen timesteps, as `choose_timesteps` gives them.
        classes: The class names; the first 20 are drawn.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or new_axis()
    for c, name in enumerate(classes[:20]):
        computed = np.isfinite(choice.slope[c])
        [line] = ax.plot(choice.window[computed], choice.slope[c, computed], lw=1.2, label=name)
        best = int(np.nanargmax(choice.slope[c]))
        ax.plot(choice.window[best], choice.slope[c, best], "o", color=line.get_color())
    ax.set(xlabel="step of the sampling grid", ylabel="slope: how fast the class is lost")
    return finish(ax, title="class")


def plot_snr(denoiser: Denoiser, window: SNRWindow | None = None, ax: Axes | None = None) -> Axes:
    """The signal-to-noise ratio of each step of the sampling grid, and the window from which timesteps are chosen.

    Arguments:
        denoiser: The diffusion model.
        window: Which steps may be chosen; the paper's by default.
        ax: Where to draw; a new figure by default.
    """
    ax, window = ax or new_axis(), window or SNRWindow()
    a, inside = signal(denoiser, window.steps).numpy(), window.window(denoiser)
    ax.plot(np.arange(window.steps), a / (1 - a), marker="o", ms=3)
    allowed = f"{window.gamma_min:g} to {window.gamma_max:g}: steps {inside[0]} to {inside[-1]}"
    ax.axhspan(window.gamma_min, window.gamma_max, alpha=0.2, label=allowed)
    ax.set(yscale="log", xlabel="step of the sampling grid", ylabel="signal-to-noise ratio")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def plot_reconstructions(
    images: Tensor, reconstructions: Tensor, rows: Sequence[str], columns: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """Images beside their reconstructions, pair by pair.

    Arguments:
        images: In [-1, 1], float32[R, P, C, H, W]: P images in each of R rows.
        reconstructions: The same shape.
        rows: The name of each row.
        columns: The name of each pair; none by default.
        ax: Where to draw; a new figure by default.
    """
    count, pairs, channels, height, width = images.shape
    gap = max(2, height // 6)
    sheet = torch.full((channels, count * (height + gap), pairs * (2 * width + 1 + gap)), float("nan"))
    for row in range(count):
        for pair in range(pairs):
            y, x = row * (height + gap), pair * (2 * width + 1 + gap)
            sheet[:, y : y + height, x : x + width] = images[row, pair]
            sheet[:, y : y + height, x + width + 1 : x + 2 * width + 1] = reconstructions[row, pair]
    pixels = ((sheet.clamp(-1, 1) + 1) / 2).permute(1, 2, 0).numpy()
    alpha = np.isfinite(pixels[..., :1]).astype(float)
    pixels = np.nan_to_num(pixels).repeat(3 if channels == 1 else 1, axis=2)
    ax = ax or new_axis(1.1 * pairs * 2 * width / height * 0.75 + 1.5, 0.8 * count + 0.6)
    ax.imshow(np.concatenate([pixels, alpha], axis=2), interpolation="nearest")
    ax.set_yticks([row * (height + gap) + height / 2 for row in range(count)], rows)
    centres = [pair * (2 * width + 1 + gap) + width for pair in range(pairs)]
    ax.set_xticks(centres[: len(columns)], columns)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax
