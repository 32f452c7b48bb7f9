"""The pictures in a fitted denoiser's folder: its loss curve, and a sheet of samples with a row for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from torch import Tensor

from .judge import Judgement

__all__ = ["plot_loss", "plot_samples"]

ROWS, COLUMNS = 20, 10
"""The most classes, and the most samples of each, on a sheet."""


def plot_loss(losses: Tensor, path: Path) -> None:
    """Writes the loss curve, averaged over hundredths of the training, as PNG."""
    parts = losses.tensor_split(min(100, len(losses)))
    ends = torch.tensor([len(part) for part in parts]).cumsum(0)
    figure, ax = plt.subplots(figsize=(6, 3.5))
    ax.plot(ends, [float(part.mean()) for part in parts])
    ax.set(xlabel="step", ylabel="mean squared error of what it predicts", yscale="log")
    ax.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)


def plot_samples(judgement: Judgement, classes: Sequence[str], path: Path) -> None:
    """Writes a sheet of samples as PNG."""
    some = judgement.samples[:ROWS, :COLUMNS]
    rows, columns = some.shape[:2]
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * 0.8 + 1, rows * 0.8), squeeze=False, layout="constrained"
    )
    for line, of_class, name in zip(axes, some, classes, strict=False):
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, image in zip(line, of_class, strict=True):
            ax.imshow(image.permute(1, 2, 0).squeeze(2), cmap="gray", vmin=0, vmax=255)
            ax.set(xticks=[], yticks=[])
    figure.suptitle(f"{100 * judgement.recognised:.0f} % of {judgement.card['samples']} samples recognised")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    plt.close(figure)
