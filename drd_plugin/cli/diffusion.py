"""`timestep` and `fit`: the denoiser's commands."""

import shlex
import sys
from pathlib import Path
from typing import Literal

import tyro

from ..diffusion.fit import Fit
from ..diffusion.timestep import InformationBottleneck
from .data import Data

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
        unmapped: refuse, or null: classes that the model does not have are asked without a class.
        precision: What the denoiser computes in.
        seed: Decides images and noise.
        device: auto, or a torch device.
        cache: A folder that keeps each class's result, from which a killed run of these settings goes on.
        plot: A PNG for the curves.
    """
    import numpy as np
    from tabulate import tabulate

    from ..bench.plots import plot_timesteps, save
    from ..diffusion.denoiser import denoiser_folder, find_denoiser, weights_digest
    from ..diffusion.images import seen_by
    from ..provenance import digest
    from ..training.loader import resolve_device

    on = resolve_device(device)
    split = seen_by(denoiser, data.load().train)
    model = find_denoiser(denoiser, split, on, labels, unmapped, precision)
    if cache is not None:
        made = [rule, seed, split.fingerprint, weights_digest(denoiser_folder(denoiser, split)), dict(model.card)]
        cache = cache / digest(made)
    choice = rule.choose(model, split, seed, on, cache=cache)
    rows = zip(split.classes, choice.chosen, np.nanmax(choice.slope, axis=1), strict=True)
    print(tabulate(rows, headers=["class", f"step of {rule.steps}", "slope"], floatfmt=".3f"))
    print(f"candidates {choice.window[0]} to {choice.window[-1]}; {choice}")
    if plot is not None:
        save(plot_timesteps(choice, split.classes), plot)
        print(f"curves in {plot}")


def fit(data: Data, out: Path, fit: tyro.conf.OmitArgPrefixes[Fit] = Fit(), device: str = "auto") -> None:
    """Fit a small class-conditional denoiser to a data set, for DRD and ELBO.

    Arguments:
        out: The folder to write, in the diffusers format.
        fit: The settings.
        device: auto, or a torch device.
    """
    loaded = data.load()
    card = fit(loaded.train, out, device, command=shlex.join(["drd-plugin", *sys.argv[1:]]), test=loaded.test)
    print(
        f"{card['parameters']:,} parameters, loss {card['loss'][0]:.4f} to {card['loss'][-1]:.4f}, "
        f"{card['images_per_second']:,} images/s, {card['seconds']:.0f} s, in {out}"
    )
    if "samples_recognised" in card:
        print(
            f"a classifier of {card['classifier_accuracy']} % test accuracy recognises "
            f"{100 * card['samples_recognised']:.0f} % of {card['samples']} samples (samples.png)"
        )
