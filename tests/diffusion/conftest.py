"""What the tests of the diffusion models share: the bundled denoiser of the digits, a short training of the distance's
network, and small fitted denoisers; each is made once.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from drd_plugin.core.job import Job
from drd_plugin.diffusion import Denoiser, Fit, distance, embedding, find_denoiser, fit_denoiser, load_denoiser
from drd_plugin.diffusion.fitting import judge

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def digits_denoiser(digits):
    return find_denoiser("auto", digits.train, CPU)


@pytest.fixture(scope="session")
def critic_folder(digits, tmp_path_factory):
    """A job's folder that holds the distance's network for the digits, after a short training."""
    folder = tmp_path_factory.mktemp("critic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distance, "CRITIC", replace(distance.CRITIC, steps=20))
        embedding("network", digits.train, 0, Job("cpu", folder=folder))
    return folder


@dataclass(frozen=True)
class Fitted:
    """A denoiser that was fitted to the tiny images: the settings, its folder, its card, and itself, read back."""

    fit: Fit
    folder: Path
    card: dict[str, Any]
    denoiser: Denoiser


@pytest.fixture(scope="session")
def fitted_unet(tiny, tmp_path_factory):
    """A U-Net with samples and an accuracy of the classifier."""
    fit = Fit(channels=(8, 16), epochs=40, batch_size=30, lr=5e-3, flip=True, samples=4)
    folder = tmp_path_factory.mktemp("fitted") / "unet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "CLASSIFIER", replace(judge.CLASSIFIER, steps=20))
        card = fit_denoiser(tiny, folder, fit, test=tiny, device="cpu", progress=False)
    return Fitted(fit, folder, card, load_denoiser(folder, CPU))


@pytest.fixture(scope="session")
def fitted_dit(tiny, tmp_path_factory):
    fit = Fit(model="dit", width=16, depth=1, heads=2, epochs=30, batch_size=30, lr=3e-3, samples=0)
    folder = tmp_path_factory.mktemp("fitted") / "dit"
    card = fit_denoiser(tiny, folder, fit, device="cpu", progress=False)
    return Fitted(fit, folder, card, load_denoiser(folder, CPU))
