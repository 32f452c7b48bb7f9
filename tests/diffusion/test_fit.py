"""Fitting a denoiser: exact resumption, the card, samples and how many of them a classifier recognises."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from safetensors.torch import load_file

from drd_plugin.artifacts import ArtifactError
from drd_plugin.data import DataError, from_arrays, scaled
from drd_plugin.diffusion import Fit, GaussianMixture, fit_denoiser, load_denoiser
from drd_plugin.diffusion.fitting import train as fit_training
from drd_plugin.diffusion.fitting.judge import draw_samples
from drd_plugin.diffusion.fitting.network import build_network
from drd_plugin.diffusion.fitting.settings import recommended

CPU = torch.device("cpu")
SMALL = Fit(channels=(8, 16), epochs=6, batch_size=30, samples=0)
LONG = Fit(channels=(8, 16), epochs=40, batch_size=60, samples=0)


def fit_small(split, folder, fit=SMALL):
    return fit_denoiser(split, folder, fit, device="cpu", progress=False)


def weights(folder):
    return load_file(next(folder.glob("*/*.safetensors")))


@pytest.fixture
def checkpoint_epochs(monkeypatch):
    """The epochs after which a checkpoint was written; one is written after each."""
    epochs, write = [], fit_training.Training._write

    def noting(training):
        epochs.append(training.epoch)
        write(training)

    monkeypatch.setattr(fit_training, "EVERY", 0.0)
    monkeypatch.setattr(fit_training.Training, "_write", noting)
    return epochs


def test_an_interrupted_fit_resumes_exactly(tiny, tmp_path, monkeypatch, checkpoint_epochs):
    fit_small(tiny, tmp_path / "whole")
    assert checkpoint_epochs == [1, 2, 3, 4, 5, 6]
    write = fit_training.Training._write

    def interrupted(training):
        if training.epoch == 4:
            raise KeyboardInterrupt
        write(training)

    with monkeypatch.context() as patch:
        patch.setattr(fit_training.Training, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit_small(tiny, tmp_path / "cut")
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["checkpoint"]
    with pytest.raises(ArtifactError, match="a training with other settings"):
        fit_small(tiny, tmp_path / "cut", replace(SMALL, lr=1e-3))
    checkpoint_epochs.clear()
    card = fit_small(tiny, tmp_path / "cut")
    assert checkpoint_epochs == [4, 5, 6]
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert card["loss"] == json.loads((tmp_path / "whole" / "card.json").read_text())["loss"]
    assert not (tmp_path / "cut" / "checkpoint").exists()


PROGRAM = f"""
import sys
import numpy as np
from drd_plugin.data import from_arrays
from drd_plugin.diffusion import Fit, fit_denoiser
from drd_plugin.diffusion.fitting import train
train.EVERY = 0.0
arrays = np.load(sys.argv[1])
fit_denoiser(from_arrays("tiny", **arrays), sys.argv[2], {LONG!r}, device="cpu", progress=False)
"""


def test_a_killed_fit_goes_on(tiny, tmp_path, checkpoint_epochs):
    np.savez(tmp_path / "tiny.npz", images=tiny.images.numpy(), labels=tiny.labels)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "tiny.npz"), str(tmp_path / "d")]
    checkpoint = tmp_path / "d" / "checkpoint" / "checkpoint.safetensors"
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    fit_small(tiny, tmp_path / "d", LONG)
    assert checkpoint_epochs == list(range(checkpoint_epochs[0], LONG.epochs + 1))
    assert checkpoint_epochs[0] > 1
    assert (tmp_path / "d" / "card.json").exists()
    assert not checkpoint.exists()


def test_a_damaged_checkpoint_is_named(tiny, tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "checkpoint.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match=r"checkpoint\.safetensors is damaged"):
        fit_small(tiny, tmp_path)


def test_a_fit_that_fails_to_write_leaves_its_training_alone(tiny, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(DDIMScheduler, "save_pretrained", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fit_small(tiny, tmp_path / "d")
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["checkpoint"]
    monkeypatch.setattr(fit_training.Training, "_loss", lambda *_: torch.tensor(1.0))  # nothing is left to learn
    fit_small(tiny, tmp_path / "d")
    load_denoiser(tmp_path / "d", CPU)


def test_the_card_reports_how_good_the_denoiser_is(fitted_unet):
    card = fitted_unet.card
    assert card["samples"] == 12
    assert 0 <= card["samples_recognised"] <= 1
    assert card["classifier_accuracy"] > 90
    assert card["images_per_second"] > 0
    for name in ("loss.png", "samples.png"):
        with Image.open(fitted_unet.folder / name) as image:
            assert min(image.size) > 100
    assert fitted_unet.denoiser.card["fit"]["flip"] is True


def test_samples_are_drawn_from_the_model():
    """Of an analytic mixture the samples have the classes' means and variances."""
    means = torch.tensor([[[-0.5] * 16], [[0.6] * 16]])
    mixture = GaussianMixture(means, torch.tensor([[0.04], [0.01]]), image_shape=(1, 4, 4))
    labels = torch.arange(2).repeat_interleave(300)
    samples = draw_samples(mixture, labels, 0, CPU).view(2, -1)
    assert torch.allclose(samples.mean(1), torch.tensor([-0.5, 0.6]), atol=0.02)
    assert torch.allclose(samples.std(1), torch.tensor([0.2, 0.1]), rtol=0.15)


def test_bfloat16_and_attention_fit_too(tmp_path):
    rng = np.random.default_rng(0)
    colours = from_arrays("colours", rng.random((24, 3, 16, 16)), np.arange(24) % 2)
    fit_small(
        colours,
        tmp_path / "d",
        Fit(channels=(8, 16, 16), attention=1, layers=2, epochs=1, precision="bfloat16", samples=0),
    )
    denoiser = load_denoiser(tmp_path / "d", CPU)
    assert denoiser.image_shape == (3, 16, 16)
    assert any("attentions" in name for name, _ in denoiser.model.named_parameters())


def test_a_network_that_predicts_v_predicts_the_noise(tiny, fitted_unet, monkeypatch):
    assert fitted_unet.fit.prediction_type == "v_prediction"
    denoiser, x_0, labels = fitted_unet.denoiser, scaled(tiny.images[:30]), torch.from_numpy(tiny.labels[:30])
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(0))
    scheduler = DDIMScheduler.from_pretrained(fitted_unet.folder, subfolder="scheduler")
    for t in torch.tensor([[200], [500], [800]]).expand(3, 30):
        x_t = scheduler.add_noise(x_0, noise, t)
        assert (denoiser.predict_noise(x_t, t, labels) - noise).square().mean() < 0.5  # 1 says nothing
    v = scheduler.get_velocity(x_0, noise, t)
    monkeypatch.setattr(denoiser.model, "forward", lambda *_, **__: (v,))
    assert torch.allclose(denoiser.predict_noise(x_t, t, labels), noise, atol=1e-5)


def test_channels_are_recommended_by_size(tiny):
    assert recommended(8) == (16, 32, 64)
    assert recommended(28) == recommended(32) == (32, 64, 128)
    assert build_network(Fit(), tiny).config.block_out_channels == (16, 32, 64)
    with pytest.raises(DataError, match="no U-Net is recommended for images of 512 pixels"):
        recommended(512)
