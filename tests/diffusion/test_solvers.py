"""Few-step solvers against the exact path, and what they cost."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from drd_plugin.core.job import Job
from drd_plugin.core.seeds import keyed_antithetic, keyed_normal
from drd_plugin.data import scaled
from drd_plugin.diffusion import GaussianMixture, forwards_of, reconstruct, reconstruct_by
from drd_plugin.diffusion.oracle import random_mixture
from drd_plugin.scores import DRD, ELBO

JOB = Job("cpu", progress=False)


class Counting:
    """A denoiser that counts the latents whose noise it predicts."""

    def __init__(self, inner):
        self.inner, self.forwards = inner, 0
        self.alphas_cumprod = inner.alphas_cumprod

    def predict_noise(self, x_t, t, labels):
        self.forwards += len(x_t)
        return self.inner.predict_noise(x_t, t, labels)


@pytest.fixture(scope="module")
def case():
    """A mixture, clean images, noise and labels."""
    mixture = random_mixture(3, 2, 16, 0.5, variance=0.1)
    labels = torch.arange(3).repeat(4)
    x_0 = mixture.sample(labels, torch.Generator().manual_seed(0))
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return mixture, x_0, noise, labels


@pytest.fixture(scope="module")
def exact(case):
    """The end of the path from step 20 of 50, in steps of the training."""
    mixture, x_0, noise, labels = case
    return reconstruct(mixture, x_0, noise, torch.full((12,), 400), labels, steps=1000)


@pytest.mark.parametrize("solver", ["dpmsolver++", "unipc"])
def test_a_solver_of_higher_order_nears_the_exact_path_faster(case, exact, solver):
    mixture, x_0, noise, labels = case
    start = torch.full((12,), 20)
    errors = []
    for steps in (2, 6, 12):
        again = reconstruct_by(solver, mixture, x_0, noise, start, labels, 50, steps)
        errors.append(float((again - exact).square().mean()) ** 0.5)
    plain = float((reconstruct(mixture, x_0, noise, start, labels) - exact).square().mean()) ** 0.5
    assert errors[2] < errors[1] < errors[0]
    assert errors[1] < 2 * plain  # 6 forward passes against 21


@pytest.mark.parametrize("solver", ["ddim", "dpmsolver++", "unipc"])
def test_each_latent_starts_at_its_own_step_and_costs_the_expected_forwards(case, solver):
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


@pytest.mark.parametrize("score", [DRD(timestep=15, draws=4, distance="mse"), ELBO(draws=4)])
def test_a_pair_of_antithetic_draws_is_one_estimate(digits, score):
    images, labels = scaled(digits.train.images[:6]), torch.from_numpy(digits.train.labels[:6])
    with torch.no_grad():
        scorer = replace(score, antithetic=True).prepare(digits.train, 0, JOB)
        assert scorer(images, labels, torch.arange(6)).shape == (6, 2)
    with pytest.raises(ValueError, match="come in pairs"):
        replace(score, antithetic=True, draws=3)


def test_several_timesteps_are_standardised(digits):
    images, labels = scaled(digits.train.images[:100]), torch.from_numpy(digits.train.labels[:100])
    few = images[:20], labels[:20], torch.arange(20)
    with torch.no_grad():
        both = DRD(timesteps=(5, 10), draws=2, distance="mse").prepare(digits.train, 0, JOB)
        deviations = both.at_each_step(images, labels, torch.arange(100))
        for column, timestep in enumerate((5, 10)):
            single = DRD(timestep=timestep, draws=2, distance="mse").prepare(digits.train, 0, JOB)
            assert torch.allclose(deviations[:20, :, column], single(*few), rtol=1e-4)
        scores = both(*few)
    standard = (deviations.double() - torch.from_numpy(both.centre)) / torch.from_numpy(both.scale)
    assert torch.allclose(scores.double(), standard[:20].mean(2), atol=1e-5)
    assert abs(float(standard.mean())) < 0.2
    assert float(standard[:, 0, 0].std()) == pytest.approx(1, abs=0.25)
    with pytest.raises(ValueError, match="give timestep or timesteps"):
        DRD(timestep=3, timesteps=(3, 4))
    with pytest.raises(ValueError, match=r"timestep in 0\.\.49"):
        DRD(timesteps=(3, 50))


def test_the_bundled_denoiser_takes_the_classes_of_the_data(digits_denoiser):
    assert list(digits_denoiser.card["class_ids"].values()) == list(range(10))
