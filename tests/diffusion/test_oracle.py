"""The analytic mixture as an oracle: Lemma 1, Theorem 1's direction, the exact curve, and what the deviation is not."""

from functools import cache

import numpy as np
import pytest
import torch

from drd_plugin.core.job import Job
from drd_plugin.diffusion import DenoiserError, InformationBottleneck, Latents, choose_timesteps, embedding
from drd_plugin.diffusion.oracle import agreement, information, log_posterior, random_mixture, sample_split
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scores.drd import Deviation
from drd_plugin.scores.elbo import DenoisingLoss

CPU = torch.device("cpu")
JOB = Job("cpu", progress=False)


@pytest.mark.parametrize("shape", [(3, 1, 8, 0.7), (5, 3, 25, 0.6), (2, 2, 4, 1.0)])
def test_both_sides_of_lemma_1_meet(shape):
    """The mean slope of log p(c | x_t) along the paths, and the slope of the information by the squared errors."""
    mixture = random_mixture(*shape, variance=0.05)
    exact = information(mixture, np.arange(3, 36, 4), 4000 // shape[0])
    assert (np.abs(exact.by_paths.mean(0) - exact.by_errors) < 4 * exact.doubt + 1e-6).all()
    assert (exact.by_errors > 0).any()


def test_the_information_falls_from_all_to_none():
    mixture = random_mixture(4, 1, 16, 1.0, variance=0.02)
    curve = information(mixture, np.array([0, 10, 20, 30, 49]), 400).information.mean(0)
    assert curve[0] == pytest.approx(np.log(4), abs=1e-3)
    assert (np.diff(curve) <= 1e-9).all()
    assert curve[-1] == pytest.approx(0, abs=0.01)


def test_the_slope_is_that_of_the_curve():
    """By finite differences over a fine grid."""
    mixture = random_mixture(4, 2, 9, 0.7, variance=0.05)
    exact = information(mixture, np.arange(300, 303), 2000, grid=1000)
    differences = (exact.information[:, 2] - exact.information[:, 0]) / 2
    assert np.allclose(exact.slope[:, 1], np.abs(differences), rtol=0.02)


def test_the_posterior_is_bayes_rule():
    mixture = random_mixture(3, 2, 5, 0.8, variance=0.1)
    x = torch.randn(6, 1, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a = torch.full((6,), 0.4, dtype=torch.float64)
    densities = torch.stack([mixture.log_likelihood(x, torch.full((6,), c), 0.4).exp() for c in range(3)], 1)
    assert torch.allclose(log_posterior(mixture, x, a).exp(), densities / densities.sum(1, keepdim=True), atol=1e-9)


@cache
def six_classes(spread):
    """A mixture of six classes, images of it, and the exact slope of the information at the candidate steps."""
    mixture = random_mixture(6, 1, 64, spread, variance=0.01, seed=3)
    window = InformationBottleneck().window(mixture)
    return mixture, sample_split(mixture, 30), window, information(mixture, window, 400).slope


@pytest.mark.parametrize("spread", [0.15, 0.35, 0.5])
def test_the_step_chosen_by_the_squared_errors_is_at_the_top_of_the_exact_curve(spread):
    mixture, split, window, exact = six_classes(spread)
    choice = choose_timesteps(InformationBottleneck(estimator="mmse"), mixture, split, 0, JOB)
    assert (choice.window == window).all()
    assert (exact[np.arange(6), choice.chosen - window[0]] > 0.93 * exact.max(1)).all()
    assert choice.forwards == 6 * 20 * 20 * len(window) * 2


@pytest.fixture(scope="module")
def classifier_job(tmp_path_factory):
    """Its folder holds log p(c | x_t) of each image, from which eq9 and eq6 are computed alike."""
    return JOB.inside(tmp_path_factory.mktemp("classifier"))


@pytest.mark.parametrize("estimator", ["eq9", "eq6"])
def test_the_step_chosen_by_the_diffusion_classifier_is_a_noisier_one(estimator, classifier_job):
    """Eq. 7 averages over the noise inside the softmax and leaves out the losses' weights, which moves the curve."""
    mixture, split, window, exact = six_classes(0.35)
    choice = choose_timesteps(InformationBottleneck(estimator=estimator), mixture, split, 0, classifier_job)
    assert (choice.window == window).all()
    assert (choice.chosen - window[exact.argmax(1)] >= 4).all()


def test_without_a_null_class_the_squared_errors_cannot_be_compared():
    mixture = random_mixture(3, 1, 16)
    mixture.null_class = None
    with pytest.raises(DenoiserError, match="has no null class"):
        choose_timesteps(InformationBottleneck(estimator="mmse"), mixture, sample_split(mixture, 4), 0, JOB)


def deviation(mixture, draws, starts):
    pixels = embedding("mse", None, 0)
    return Deviation(DRD(draws=draws), mixture, Latents(mixture), 0, CPU, pixels, np.reshape(starts, (-1, 1)))


@cache
def gaussian_classes(dimension):
    """Classes that are one isotropic Gaussian each, and forty images of each."""
    mixture, labels = random_mixture(3, 1, dimension, 0.5, variance=0.3), torch.arange(3).repeat_interleave(40)
    return mixture, mixture.sample(labels, torch.Generator().manual_seed(0)).float(), labels


@pytest.mark.parametrize("dimension", [16, 64])
@pytest.mark.parametrize(("step", "draws"), [(10, 256), (20, 64)])
def test_the_deviation_orders_a_gaussian_by_its_likelihood(dimension, step, draws):
    """Theorem 1's direction, with the draws that it takes."""
    mixture, x_0, labels = gaussian_classes(dimension)
    scores = deviation(mixture, draws, [step] * 3)(x_0, labels, torch.arange(120)).mean(1)
    assert agreement(mixture, scores, x_0, labels).min() > 0.9


@pytest.mark.parametrize("estimator", ["eq9", "mmse"])
def test_the_deviation_orders_a_gaussian_at_the_chosen_step(estimator):
    mixture, x_0, labels = gaussian_classes(64)
    rule = InformationBottleneck(B=10, noises=10, estimator=estimator)
    starts = choose_timesteps(rule, mixture, sample_split(mixture, 12), 0, JOB).chosen
    scores = deviation(mixture, 128, starts)(x_0, labels, torch.arange(120)).mean(1)
    assert agreement(mixture, scores, x_0, labels).min() > 0.9


def test_with_several_components_the_denoising_loss_is_nearer_to_the_likelihood():
    mixture = random_mixture(3, 3, 25, 0.6, variance=0.05)
    labels = torch.arange(3).repeat_interleave(80)
    x_0, index = mixture.sample(labels, torch.Generator().manual_seed(0)).float(), torch.arange(240)
    drd = deviation(mixture, 16, [20] * 3)(x_0, labels, index).mean(1)
    elbo = DenoisingLoss(ELBO(draws=28), mixture, Latents(mixture), 0, CPU, np.arange(1, 13))  # as many forward passes
    nearer = agreement(mixture, elbo(x_0, labels, index).mean(1), x_0, labels).mean()
    assert nearer > 0.9
    assert agreement(mixture, drd, x_0, labels).mean() < nearer


def test_families_have_equal_numbers_of_classes():
    with pytest.raises(ValueError, match="expected a multiple of 4 classes, got 6"):
        random_mixture(6, 1, 8, siblings=4)
