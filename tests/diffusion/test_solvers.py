"""Few-step solvers against the exact path, and what they cost."""

import numpy as np
import pytest
import torch

from drd_plugin.core.seeds import keyed_antithetic, keyed_normal
from drd_plugin.data import load
from drd_plugin.diffusion.denoisers.load import find_denoiser
from drd_plugin.diffusion.denoisers.mixture import GaussianMixture
from drd_plugin.diffusion.oracle import random_mixture
from drd_plugin.diffusion.reconstruction import reconstruct
from drd_plugin.diffusion.solvers import forwards_of, reconstruct_by
from drd_plugin.scores import DRD, ELBO


class Counting:
    """A denoiser that counts the latents it is asked for."""

    def __init__(self, inner):
        self.inner, self.forwards = inner, 0
        self.alphas_cumprod = inner.alphas_cumprod

    def predict_noise(self, x_t, t, labels):
        self.forwards += len(x_t)
        return self.inner.predict_noise(x_t, t, labels)


@pytest.fixture
def case():
    mixture = random_mixture(3, 2, 16, 0.5, variance=0.1)
    labels = torch.arange(3).repeat(4)
    x_0 = mixture.sample(labels, torch.Generator().manual_seed(0))
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return mixture, x_0, noise, labels


@pytest.mark.parametrize("solver", ["dpmsolver++", "unipc"])
def test_a_solver_of_higher_order_nears_the_exact_path_faster(case, solver):
    mixture, x_0, noise, labels = case
    start = torch.full((12,), 20)
    exact = reconstruct(mixture, x_0, noise, start * 20, labels, steps=1000)
    errors = []
    for steps in (2, 6, 12):
        again = reconstruct_by(solver, mixture, x_0, noise, start, labels, 50, steps)
        errors.append(float((again - exact).square().mean()) ** 0.5)
    plain = float((reconstruct(mixture, x_0, noise, start, labels) - exact).square().mean()) ** 0.5
    assert errors[2] < errors[1] < errors[0]
    assert errors[1] < 2 * plain  # 6 forward passes against 21


@pytest.mark.parametrize("solver", ["ddim", "dpmsolver++", "unipc"])
def test_each_latent_starts_at_its_own_step_and_costs_what_is_said(case, solver):
    mixture, x_0, noise, labels = case
    counting, start = Counting(mixture), torch.tensor([20, 0, 3, 20, 13, 49, 1, 2, 0, 7, 7, 7])
    together = reconstruct_by(solver, counting, x_0, noise, start, labels, 50, 6)
    assert counting.forwards == forwards_of(solver, start.numpy(), 6, 50, 1000).sum()
    for i in range(12):
        row = slice(i, i + 1)
        alone = reconstruct_by(solver, mixture, x_0[row], noise[row], start[row], labels[row], 50, 6)
        assert torch.allclose(alone, together[row], atol=1e-6)


def test_a_single_gaussian_is_solved_to_its_linear_map():
    mixture = GaussianMixture(torch.full((1, 1, 4), 0.3), torch.full((1, 1), 0.2), image_shape=(1, 2, 2))
    x_0, noise = torch.rand(5, 1, 2, 2, dtype=torch.float64), torch.randn(5, 1, 2, 2, dtype=torch.float64)
    start, labels = torch.full((5,), 15), torch.zeros(5, dtype=torch.long)
    exact = reconstruct(mixture, x_0, noise, start * 20, labels, steps=1000)
    for solver in ("dpmsolver++", "unipc"):
        assert torch.allclose(reconstruct_by(solver, mixture, x_0, noise, start, labels, 50, 30), exact, atol=0.01)


def test_antithetic_draws_come_in_opposite_pairs():
    index, draw = np.array([4, 4, 4, 4, 9, 9]), np.array([0, 1, 2, 3, 0, 1])
    noise = keyed_antithetic(3, "DRD", index, draw, (2, 3), True)
    assert np.array_equal(noise[0], -noise[1])
    assert np.array_equal(noise[2], -noise[3])
    assert not np.allclose(noise[0], noise[2])
    assert np.array_equal(noise[[0, 2]], keyed_normal(3, "DRD", [4, 4], np.array([0, 1]), (2, 3)))
    assert np.array_equal(
        keyed_antithetic(3, "DRD", index, draw, (2, 3), False), keyed_normal(3, "DRD", index, draw, (2, 3))
    )


@pytest.mark.parametrize("what", [DRD(timestep=15, draws=4, distance="mse"), ELBO(draws=4)])
def test_a_pair_of_antithetic_draws_is_one_estimate(what):
    from dataclasses import replace

    train = load("digits").train
    images, labels = train.images[:6].float() / 127.5 - 1, torch.from_numpy(train.labels[:6])
    with torch.no_grad():
        scorer = replace(what, antithetic=True).prepare(train, 0, torch.device("cpu"), progress=False)
        assert scorer(images, labels, torch.arange(6)).shape == (6, 2)
    with pytest.raises(ValueError, match="come in pairs"):
        replace(what, antithetic=True, draws=3)


def test_several_timesteps_are_standardised(tmp_path):
    train = load("digits").train
    images, labels, index = (
        train.images[:200].float() / 127.5 - 1,
        torch.from_numpy(train.labels[:200]),
        torch.arange(200),
    )
    cpu = torch.device("cpu")
    with torch.no_grad():
        both = DRD(timesteps=(10, 20), draws=2, distance="mse").prepare(train, 0, cpu, progress=False)
        apart = both.at_each_step(images, labels, index)
        single = [DRD(timestep=t, draws=2, distance="mse").prepare(train, 0, cpu, progress=False) for t in (10, 20)]
        for column, scorer in enumerate(single):
            assert torch.allclose(apart[:, :, column], scorer(images, labels, index), rtol=1e-4)
        scores = both(images, labels, index)
    standard = (apart.double() - torch.from_numpy(both.centre)) / torch.from_numpy(both.scale)
    assert torch.allclose(scores.double(), standard.mean(2), atol=1e-5)
    assert abs(float(standard.mean())) < 0.2
    assert float(standard[:, 0, 0].std()) == pytest.approx(1, abs=0.25)
    with pytest.raises(ValueError, match="give timestep or timesteps"):
        DRD(timestep=3, timesteps=(3, 4))
    with pytest.raises(ValueError, match=r"timestep in 0\.\.49"):
        DRD(timesteps=(3, 50))


def test_the_bundled_denoiser_is_asked_by_its_own_classes():
    train = load("digits").train
    bridged = find_denoiser("auto", train, torch.device("cpu"))
    assert list(bridged.card["class_ids"].values()) == list(range(10))
