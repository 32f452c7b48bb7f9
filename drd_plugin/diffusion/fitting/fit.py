"""Fitting a denoiser: its training, the evaluation of its samples, and its folder in the diffusers format with a card.

References:
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), https://arxiv.org/abs/2006.11239
    Classifier-Free Diffusion Guidance (Ho and Salimans, 2022), https://arxiv.org/abs/2207.12598: the null class.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler

from ...artifacts import check_writable, claim, write_aside
from ...core.device import resolve_device
from ...core.provenance import describe, environment
from ...data import Split, check_images, check_split
from ..denoisers.pixel import PixelDenoiser
from .judge import judge
from .plots import plot_loss, plot_samples
from .settings import Fit
from .train import Training

__all__ = ["fit_denoiser"]


def fit_denoiser(
    split: Split,
    out: Path,
    fit: Fit = Fit(),
    *,
    test: Split | None = None,
    command: str = "",
    device: str = "auto",
    progress: bool = True,
) -> dict[str, Any]:
    """Fits a denoiser and writes it to a folder with its card, its loss curve and a sheet of samples. A fit that was
    killed goes on from its last checkpoint.

    Arguments:
        split: The training split.
        out: The folder for `unet/` or `transformer/`, `scheduler/`, `card.json`, `loss.png` and `samples.png`.
        fit: The settings.
        test: The split for the test accuracy of the classifier that judges the samples.
        command: The command line of the fit, for the card.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Returns:
        The card: command and settings, the network's loss by tenth of the training and the averaged network's after
        it, images per second, the share of samples that a classifier recognises, the data set and the environment.

    Raises:
        ArtifactError: If the folder holds the checkpoint of another fit, cannot be written, or another process fits a
            denoiser into it.
        DataError: If the split holds no images, or some that the network does not take.
        FileExistsError: If the folder holds anything but a checkpoint.
        FloatingPointError: If the loss becomes NaN or infinite.
    """
    check_split(split)
    check_images(split, "a denoiser")
    out, on_device = Path(out), resolve_device(device)
    check_writable(out)
    with claim(out):
        if out.exists() and any(path.name != "checkpoint" for path in out.iterdir()):
            state = "holds a finished fit" if (out / "card.json").exists() else "is not empty"
            raise FileExistsError(f"{out} {state}: give another folder, or remove this one.")
        return _fitted(split, out, fit, test, command, on_device, progress)


def _fitted(
    split: Split, out: Path, fit: Fit, test: Split | None, command: str, on_device: torch.device, progress: bool
) -> dict[str, Any]:
    """The card of a denoiser that is fitted and written; see `fit_denoiser`."""
    start = time.perf_counter()
    machine = environment(str(on_device))  # before the work, since the code on disk may change during it
    scheduler: Any = DDIMScheduler(
        clip_sample=False, timestep_spacing="leading", steps_offset=0, prediction_type=fit.prediction_type
    )
    training = Training(fit, split, scheduler.alphas_cumprod.to(on_device), on_device, out / "checkpoint")
    training.run(progress)
    model, losses = training.averaged(), training.step_losses()
    denoiser = PixelDenoiser(model, scheduler.alphas_cumprod, split.num_classes, None, fit.prediction_type)
    judgement = judge(denoiser, split, test, fit.samples, fit.seed, on_device) if fit.samples else None
    card = {
        "command": command,
        "fit": describe(fit),
        "dataset": split.name,
        "fingerprint": split.fingerprint,
        "classes": list(split.classes),
        "network": describe({key: value for key, value in model.config.items() if not key.startswith("_")}),
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": [round(float(part.mean()), 5) for part in losses.tensor_split(min(10, len(losses)))],
        "loss_of_average": round(training.loss_of_average(), 5),
        "images_per_second": round(training.images_per_second()),
        **({} if judgement is None else judgement.card),
        "seconds": round(time.perf_counter() - start, 1),
        "environment": machine,
    }
    with write_aside(out) as aside:
        model.save_pretrained(aside / {"unet": "unet", "dit": "transformer"}[fit.model], safe_serialization=True)
        scheduler.save_pretrained(aside / "scheduler")
        (aside / "card.json").write_text(json.dumps(card, indent=2) + "\n")
        plot_loss(losses, aside / "loss.png")
        if judgement is not None:
            plot_samples(judgement, split.classes, aside / "samples.png")
        shutil.rmtree(out, ignore_errors=True)  # the checkpoint, no longer needed
    return card
