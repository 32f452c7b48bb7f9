"""`timestep` and `fit`: the commands for denoisers."""

import shlex
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from tabulate import tabulate

from .. import bench, diffusion
from ..core.device import resolve_device
from ..core.job import Job
from ..core.provenance import digest
from ..diffusion.fitting.settings import Fit
from ..diffusion.timesteps.rule import InformationBottleneck
from .data import Data
from .early import check_early

__all__ = ["fit", "timestep"]


def timestep(
    data: Data,
    rule: tyro.conf.OmitArgPrefixes[InformationBottleneck] = InformationBottleneck(),
    denoiser: str = "auto",
    labels: str = "auto",
    unmapped: Literal["refuse", "null"] = "refuse",
    precision: Literal["float32", "bfloat16"] = "float32",
    seed: int = 0,
    device: str = "auto",
    cache: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Choose the reconstruction timestep of each class by the information bottleneck (Eqs. 6 to 9).

    Arguments:
        rule: The rule.
        denoiser: A hub name, a folder in the diffusers format, or auto for the bundled one.
        labels: auto, order, or a file that maps class names to the model's class numbers.
        unmapped: refuse, or null: classes that the model does not have are denoised without a class.
        precision: The denoiser's floating-point precision.
        seed: Determines images and noise.
        device: auto, or a torch device.
        cache: A folder that keeps each class's result, from which a killed run of these settings goes on.
        plot: A PNG for the curves.
    """
    check_early(data, cache, seed)
    if plot is not None:
        bench.check_picture(plot)
    split = diffusion.resized_for(denoiser, data.load().train)
    model = diffusion.find_denoiser(denoiser, split, resolve_device(device), labels, unmapped, precision)
    if cache is not None:
        weights = diffusion.weights_digest(diffusion.denoiser_folder(denoiser, split))
        cache = cache / digest([rule, seed, split.fingerprint, weights, dict(model.card)])
    choice = diffusion.choose_timesteps(rule, model, split, seed, Job(device, folder=cache))
    rows = zip(split.classes, choice.chosen, np.nanmax(choice.slope, axis=1), strict=True)
    print(tabulate(rows, headers=["class", f"step of {rule.steps}", "slope"], floatfmt=".3f"))
    print(f"candidates {choice.window[0]} to {choice.window[-1]}; {choice}")
    if plot is not None:
        bench.save(bench.plot_timesteps(choice, split.classes), plot)
        print(f"curves in {plot}")


def fit(data: Data, out: Path, fit: tyro.conf.OmitArgPrefixes[Fit] = Fit(), device: str = "auto") -> None:
    """Fit a small class-conditional denoiser to a data set, for DRD and ELBO.

    Arguments:
        out: The folder to write, in the diffusers format.
        fit: The settings.
        device: auto, or a torch device.
    """
    check_early(data, out, fit.seed)
    dataset, command = data.load(), shlex.join(["drd-plugin", *sys.argv[1:]])
    card = diffusion.fit_denoiser(dataset.train, out, fit, test=dataset.test, command=command, device=device)
    print(
        f"{card['parameters']:,} parameters, loss {card['loss'][0]:.4f} to {card['loss'][-1]:.4f}, "
        f"{card['images_per_second']:,} images/s, {card['seconds']:.0f} s, in {out}"
    )
    if "samples_recognised" in card:
        print(
            f"a classifier of {card['classifier_accuracy']} % test accuracy recognises "
            f"{100 * card['samples_recognised']:.0f} % of {card['samples']} samples (samples.png)"
        )
