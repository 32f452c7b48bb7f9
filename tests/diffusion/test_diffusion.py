"""Reconstruction against diffusers' scheduler, and against closed forms of the analytic mixture."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DiTTransformer2DModel
from scipy.stats import spearmanr

from drd_plugin.core.job import Job
from drd_plugin.core.seeds import keyed_normal
from drd_plugin.data import DataError, from_arrays, scaled
from drd_plugin.diffusion import (
    DenoiserError,
    Fit,
    GaussianMixture,
    InformationBottleneck,
    Latents,
    SNRWindow,
    add_noise,
    bundled,
    check_shape,
    choose_timesteps,
    class_ids,
    embedding,
    find_denoiser,
    fit_denoiser,
    load_denoiser,
    reconstruct,
    sampling_grid,
)
from drd_plugin.diffusion.denoisers.load import BUNDLED
from drd_plugin.diffusion.denoisers.mixture import linear_schedule
from drd_plugin.diffusion.fitting.judge import draw_samples
from drd_plugin.scores import DRD, ELBO
from drd_plugin.scores.drd import Deviation
from drd_plugin.scores.elbo import DenoisingLoss

CPU = torch.device("cpu")
JOB = Job("cpu", progress=False)


@pytest.fixture
def mixture():
    g = torch.Generator().manual_seed(0)
    means = torch.randn(3, 2, 16, generator=g, dtype=torch.float64)
    return GaussianMixture(means, torch.tensor([[0.1, 0.3], [0.2, 0.2], [0.05, 0.5]]), image_shape=(1, 4, 4))


def test_the_schedule_is_diffusers_linear_one():
    assert torch.allclose(linear_schedule().float(), DDIMScheduler().alphas_cumprod, atol=1e-6)


def test_the_grid_is_diffusers_leading_one():
    scheduler = DDIMScheduler(timestep_spacing="leading")
    scheduler.set_timesteps(50)
    assert sampling_grid(1000, 50).flip(0).tolist() == scheduler.timesteps.tolist()
    with pytest.raises(ValueError, match="expected 1 to 1000 sampling steps"):
        sampling_grid(1000, 1001)


def test_the_mixtures_noise_prediction_is_the_gradient_of_its_likelihood(mixture):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(7, 1, 4, 4, generator=g, dtype=torch.float64, requires_grad=True)
    labels, t = torch.tensor([0, 1, 2, 0, 1, 2, 0]), torch.tensor([0, 10, 100, 300, 500, 800, 999])
    a = mixture.alphas_cumprod[t]
    [gradient] = torch.autograd.grad(mixture.log_likelihood(x, labels, a).sum(), x)
    expected = -(1 - a).sqrt().view(-1, 1, 1, 1) * gradient
    assert torch.allclose(mixture.predict_noise(x.detach(), t, labels), expected, atol=1e-10)


def test_the_null_class_is_the_mixture_of_all(mixture):
    x = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    t = torch.tensor([100, 300, 500, 800])
    a = mixture.alphas_cumprod[t]
    every = torch.stack([mixture.log_likelihood(x, torch.full((4,), c), a) for c in range(3)])
    [gradient] = torch.autograd.grad(every.logsumexp(0).sum(), x)
    predicted = mixture.predict_noise(x.detach(), t, torch.full((4,), mixture.null_class))
    assert torch.allclose(predicted, -(1 - a).sqrt().view(-1, 1, 1, 1) * gradient, atol=1e-10)


def test_the_mixtures_likelihood_integrates_to_one():
    mixture = GaussianMixture(torch.tensor([[[-1.0], [2.0]]]), torch.tensor([[0.5, 0.1]]), torch.tensor([[0.3, 0.7]]))
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64).view(-1, 1, 1, 1)
    density = mixture.log_likelihood(x, torch.zeros(len(x), dtype=torch.long), 0.6).exp()
    assert float(density.sum() * 1e-3) == pytest.approx(1, abs=1e-6)


def test_reconstruction_takes_the_steps_of_diffusers_scheduler(digits, digits_denoiser):
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="leading")
    scheduler.set_timesteps(50)
    index = torch.arange(6)
    x_0, labels = scaled(digits.train.images[index]), torch.from_numpy(digits.train.labels[:6])
    noise = torch.from_numpy(keyed_normal(0, "t", index.numpy(), 0, (1, 8, 8)))
    start = torch.tensor([20, 0, 13, 27, 20, 49])
    with torch.no_grad():
        reconstructed = reconstruct(digits_denoiser, x_0, noise, start, labels)
        for i in range(6):
            x = scheduler.add_noise(x_0[i : i + 1], noise[i : i + 1], start[i] * 20)
            for t in [t for t in scheduler.timesteps if t <= start[i] * 20]:
                eps = digits_denoiser.inner.model(x, t, class_labels=labels[i : i + 1]).sample
                x = scheduler.step(eps, t, x).prev_sample
            assert torch.allclose(reconstructed[i], x[0], atol=1e-4)


def test_a_single_gaussian_is_reconstructed_by_the_known_linear_map():
    """For one Gaussian the DDIM map is affine, so the expected squared deviation has a closed form."""
    m, s, start = 0.7, 0.3, 20
    mixture = GaussianMixture(torch.full((1, 1, 16), m), torch.full((1, 1), s), image_shape=(1, 4, 4))
    a = mixture.alphas_cumprod[sampling_grid(1000, 50)].tolist()
    slope, shift = 1.0, 0.0  # x_{i-1} = slope * x_i + shift, composed
    for i in range(start, -1, -1):
        below = a[i - 1] if i else 1.0
        gain = (1 - a[i]) ** 0.5 / (a[i] * s + 1 - a[i])  # eps = gain * (x - sqrt(a) m)
        to_x0 = (1 - (1 - a[i]) ** 0.5 * gain) / a[i] ** 0.5
        from_m = (1 - a[i]) ** 0.5 * gain * m
        step = below**0.5 * to_x0 + (1 - below) ** 0.5 * gain
        offset = below**0.5 * from_m - (1 - below) ** 0.5 * gain * a[i] ** 0.5 * m
        slope, shift = step * slope, step * shift + offset
    x_0 = torch.linspace(-1, 2, 16, dtype=torch.float64)
    bias = slope * a[start] ** 0.5 * x_0 + shift - x_0
    expected = float((bias**2 + slope**2 * (1 - a[start])).sum())
    n = 20_000
    noise = torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images, zeros = x_0.view(1, 1, 4, 4).expand(n, -1, -1, -1), torch.zeros(n, dtype=torch.long)
    again = reconstruct(mixture, images, noise, torch.full((n,), start), zeros)
    deviations = (again - images).flatten(1).square().sum(1)
    assert abs(float(deviations.mean()) - expected) < 4 * float(deviations.std()) / n**0.5


def test_unlikely_points_deviate_more():
    """Theorem 1's direction, on one isotropic Gaussian in 16 dimensions."""
    mixture = GaussianMixture(torch.zeros(1, 1, 16), torch.full((1, 1), 0.5), image_shape=(1, 4, 4))
    zeros = torch.zeros(200, dtype=torch.long)
    x_0 = mixture.sample(zeros, torch.Generator().manual_seed(0)).float()
    pixels = embedding("mse", None, 0)
    scorer = Deviation(DRD(draws=64), mixture, Latents(mixture), 0, CPU, pixels, np.array([[20]]))
    scores = scorer(x_0, zeros, torch.arange(200)).mean(1)
    assert spearmanr(scores, -mixture.log_likelihood(x_0, zeros)).statistic > 0.9


def test_the_elbo_of_a_single_gaussian_is_known():
    """eps - eps_hat = (a s / v) eps - sqrt(a (1 - a)) (x_0 - m) / v with v = a s + 1 - a, for q = N(m, s I)."""
    m, s, window = 0.3, 0.5, np.array([4, 13, 27])
    mixture = GaussianMixture(torch.full((1, 1, 16), m), torch.full((1, 1), s), image_shape=(1, 4, 4))
    x_0 = torch.linspace(-1, 2, 16).view(1, 1, 4, 4)
    a = mixture.alphas_cumprod[torch.from_numpy(20 * window)]
    v = a * s + 1 - a
    expected = (16 * (a * s / v) ** 2 + a * (1 - a) * (x_0 - m).square().sum() / v**2).mean()
    scorer = DenoisingLoss(ELBO(draws=5000), mixture, Latents(mixture), 0, CPU, window)
    [draws] = scorer(x_0, torch.zeros(1, dtype=torch.long), torch.tensor([3]))
    assert draws.shape == (5000,)
    assert abs(float(draws.mean() - expected)) < 4 * float(draws.std()) / 5000**0.5


def test_the_snr_window_is_that_of_the_paper(mixture):
    assert SNRWindow().window(mixture).tolist() == list(range(13, 28))
    assert SNRWindow(steps=1000).window(mixture)[[0, -1]].tolist() == [259, 546]
    with pytest.raises(ValueError, match="no step of 50"):
        SNRWindow(gamma_min=1e9, gamma_max=1e10).window(mixture)


@pytest.fixture
def blobs():
    """24 images of 4 x 4 pixels in 3 classes, near the mixture's means."""
    rng = np.random.default_rng(0)
    return from_arrays("blobs", rng.random((24, 4, 4)), np.arange(24) % 3)


def naive_choice(rule, denoiser, split, seed):
    """Eqs. 7 to 9 written out, one image, one noise, one class at a time."""
    window, grid = rule.window(denoiser), sampling_grid(1000, rule.steps)
    index = np.concatenate(rule.representatives(split, seed))

    def log_p(i, step):
        x_0 = scaled(split.images[torch.tensor([i])])
        errors = torch.zeros(3, dtype=torch.float64)
        for draw in range(rule.noises):
            eps = torch.from_numpy(keyed_normal(seed, "timestep", [i], draw, (1, 4, 4)))
            x_t = add_noise(denoiser, x_0, eps, torch.tensor([step]), rule.steps)
            for c in range(3):
                errors[c] += (
                    eps - denoiser.predict_noise(x_t, grid[[step]], torch.tensor([c]))
                ).square().sum() / rule.noises
        return float(torch.log_softmax(-errors, 0)[split.labels[i]])

    slopes = np.array(
        [
            [(log_p(i, t + rule.delta_t) - log_p(i, t - rule.delta_t)) / (2 * rule.delta_t) for t in window]
            for i in index
        ]
    )
    by_class = [slopes[split.labels[index] == c] for c in range(3)]
    if rule.estimator == "eq9":
        return np.array([np.abs(s).mean(0) for s in by_class])
    return np.array([np.abs(s.mean(0)) for s in by_class])


@pytest.mark.parametrize("estimator", ["eq9", "eq6"])
@pytest.mark.parametrize("delta_t", [1, 2])
def test_timesteps_are_chosen_as_the_equations_say(mixture, blobs, estimator, delta_t):
    rule = InformationBottleneck(B=3, noises=2, delta_t=delta_t, estimator=estimator, gamma_min=0.3)
    choice = choose_timesteps(rule, mixture, blobs, 5, JOB, batch_size=7)
    expected = naive_choice(rule, mixture, blobs, 5)
    assert np.allclose(choice.slope, expected, atol=1e-5)
    assert choice.chosen.tolist() == choice.window[expected.argmax(1)].tolist()
    assert choice.forwards == 9 * 2 * 3 * (len(choice.window) + 2 * delta_t)


def test_the_choice_does_not_depend_on_the_batch(mixture, blobs):
    rule = InformationBottleneck(B=4, noises=3)
    one, two = (choose_timesteps(rule, mixture, blobs, 0, JOB, batch_size=size) for size in (5, 4000))
    assert np.allclose(one.slope, two.slope, atol=1e-6)


def test_a_difference_that_leaves_the_grid_is_refused(mixture, blobs):
    with pytest.raises(ValueError, match="outside the grid"):
        choose_timesteps(InformationBottleneck(gamma_max=1e9), mixture, blobs, 0, JOB)


def test_representatives_are_of_the_class_and_as_many_as_asked(blobs):
    members = InformationBottleneck(B=5).representatives(blobs, 0)
    for c, index in enumerate(members):
        assert blobs.labels[index].tolist() == [c] * 5
        assert len(set(index.tolist())) == 5
    assert sum(map(len, InformationBottleneck(B=50).representatives(blobs, 0))) == 24


@pytest.mark.parametrize("score", [DRD(timestep=20, draws=3, distance="network"), ELBO(draws=3)])
def test_scores_do_not_depend_on_batches_or_order(digits, critic_folder, score):
    scorer = score.prepare(digits.train, 0, JOB.inside(critic_folder))
    labels = torch.from_numpy(digits.train.labels)

    def scores(index):
        with torch.no_grad():
            return scorer(scaled(digits.train.images[index]), labels[index], index)

    whole = scores(torch.arange(15))
    assert whole.shape == (15, 3)
    assert torch.allclose(whole, torch.cat([scores(part) for part in torch.arange(15).split(4)]), atol=1e-4)
    backwards = torch.arange(14, -1, -1)
    assert torch.allclose(whole[backwards], scores(backwards), atol=1e-4)
    assert not torch.allclose(whole[:, 0], whole[:, 1], rtol=0.01)


def test_a_small_batch_size_changes_nothing(digits, digits_denoiser):
    images, index = scaled(digits.train.images[:5]), torch.arange(5)
    labels, latents = torch.from_numpy(digits.train.labels[:5]), Latents(digits_denoiser)
    starts, pixels, window = np.full((10, 1), 15), embedding("mse", digits.train, 0), np.arange(13, 28)

    def scores(size):
        drd, elbo = DRD(draws=2, batch_size=size), ELBO(draws=2, batch_size=size)
        deviation = Deviation(drd, digits_denoiser, latents, 0, CPU, pixels, starts)
        loss = DenoisingLoss(elbo, digits_denoiser, latents, 0, CPU, window)
        return deviation(images, labels, index), loss(images, labels, index)

    with torch.no_grad():
        for large, small in zip(scores(2048), scores(3), strict=True):
            assert torch.allclose(large, small, rtol=1e-4)


def test_the_deviation_with_mse_by_hand(digits, digits_denoiser):
    """Each image from its own class's timestep."""
    images, labels = scaled(digits.train.images[:3]), torch.from_numpy(digits.train.labels[:3])
    assert len(set(labels.tolist())) == 3
    starts, pixels = np.arange(12, 22)[:, None], embedding("mse", digits.train, 0)
    with torch.no_grad():
        scorer = Deviation(DRD(draws=1), digits_denoiser, Latents(digits_denoiser), 4, CPU, pixels, starts)
        scores = scorer(images, labels, torch.tensor([7, 9, 4]))
        for row, position in enumerate((7, 9, 4)):
            x_0, c = images[[row]], labels[[row]]
            noise = torch.from_numpy(keyed_normal(4, "DRD", [position], 0, (1, 8, 8)))
            again = reconstruct(digits_denoiser, x_0, noise, c + 12, c)
            assert torch.allclose(scores[row, 0], (again - x_0).square().mean(), rtol=1e-4)


@pytest.mark.parametrize("fixture", ["fitted_unet", "fitted_dit"])
def test_a_fitted_denoiser_has_learned_and_is_read_back(tiny, fixture, request):
    fitted = request.getfixturevalue(fixture)
    denoiser, card = fitted.denoiser, fitted.card
    assert card["loss"][-1] < card["loss"][0]
    assert card["loss_of_average"] < card["loss"][0]
    assert card["fingerprint"] == tiny.fingerprint
    assert json.loads((fitted.folder / "card.json").read_text()) == card
    check_shape(denoiser, tiny)
    assert (denoiser.num_classes, denoiser.null_class) == (3, 3)
    x, t = torch.randn(4, 1, 8, 8), torch.full((4,), 500)
    with torch.no_grad():
        predictions = [denoiser.predict_noise(x, t, torch.full((4,), c)) for c in range(4)]
        again = denoiser.predict_noise(x, t, torch.zeros(4, dtype=torch.long))
    assert predictions[0].shape == x.shape
    assert torch.equal(predictions[0], again)
    assert not torch.allclose(predictions[0], predictions[1])
    with pytest.raises(FileExistsError, match="holds a finished fit"):
        fit_denoiser(tiny, fitted.folder, fitted.fit, device="cpu", progress=False)


def test_a_learned_variance_is_left_out(tmp_path):
    model = DiTTransformer2DModel(
        num_attention_heads=1, attention_head_dim=8, in_channels=1, out_channels=2, num_layers=1, sample_size=4,
        patch_size=2, num_embeds_ada_norm=3,
    )  # fmt: skip
    model.save_pretrained(tmp_path / "transformer")
    DDIMScheduler().save_pretrained(tmp_path / "scheduler")
    denoiser, x, zeros = load_denoiser(tmp_path, CPU), torch.randn(2, 1, 4, 4), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        assert denoiser.predict_noise(x, zeros, zeros).shape == x.shape


def test_the_bundled_denoiser_classifies_the_digits(digits, digits_denoiser):
    """The diffusion classifier with it recognises test images, with four draws at one step."""
    images, labels, index = scaled(digits.test.images[:100]), digits.test.labels[:100], np.arange(100)
    errors = torch.zeros(100, 10)
    with torch.no_grad():
        for draw in range(4):
            eps = torch.from_numpy(keyed_normal(0, "test", index, draw, (1, 8, 8)))
            x_t = add_noise(digits_denoiser, images, eps, torch.full((100,), 18), 50)
            for c in range(10):
                predicted = digits_denoiser.predict_noise(x_t, torch.full((100,), 360), torch.full((100,), c))
                errors[:, c] += (predicted - eps).square().sum((1, 2, 3))
    assert np.mean(errors.argmin(1).numpy() == labels) > 0.9


@pytest.mark.parametrize("name", ["digits", "fashion_mnist"])
def test_the_bundled_denoisers_are_small_and_have_cards(name):
    folder = BUNDLED / name
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 4 * 2**20
    card = json.loads((folder / "card.json").read_text())
    assert card["command"].startswith(f"drd-plugin fit --dataset {name}")
    assert {"fit", "loss", "environment", "parameters"} <= set(card)
    assert bundled(card["fingerprint"]) == folder


def test_the_samples_of_the_bundled_fashion_denoiser_are_recognised():
    card = json.loads((BUNDLED / "fashion_mnist" / "card.json").read_text())
    assert card["samples_recognised"] >= 0.85
    denoiser = load_denoiser(BUNDLED / "fashion_mnist", CPU)
    samples = draw_samples(denoiser, torch.arange(10), 0, CPU)
    assert samples.shape == (10, 1, 28, 28)
    assert 0.1 < (samples > 0).float().mean() < 0.6  # neither black nor white


def test_unusable_denoisers_and_settings_are_refused(tiny, digits, digits_denoiser, tmp_path):
    missing = rf"no denoiser is bundled for {tiny.fingerprint}: fit one .*drd_plugin\.fit_denoiser\(split, 'DIR'\)"
    with pytest.raises(DenoiserError, match=missing):
        find_denoiser("auto", tiny, CPU)
    with pytest.raises(DenoiserError, match="holds no denoiser"):
        load_denoiser(tmp_path, CPU)
    with pytest.raises(DenoiserError, match=r"has 10 classes .*, and none for 3 of the 3 classes of tiny"):
        class_ids(digits_denoiser.inner, replace(tiny, classes=("a", "b", "c")))
    wide = from_arrays("wide", np.zeros((10, 16, 16), np.uint8), np.arange(10))
    with pytest.raises(DenoiserError, match=r"takes images \(1, 8, 8\), but wide has \(1, 16, 16\)"):
        check_shape(digits_denoiser, wide)
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"_class_name": "UNet3DModel"}')
    with pytest.raises(DenoiserError, match="is a UNet3DModel"):
        load_denoiser(tmp_path, CPU)
    (tmp_path / "unet" / "config.json").write_text('{"_class_name": "UNet2DModel"}')
    with pytest.raises(DenoiserError, match="is not class-conditional"):
        load_denoiser(tmp_path, CPU)
    config = {"_class_name": "UNet2DModel", "num_class_embeds": 4}
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config))
    with pytest.raises(DenoiserError, match="does not say the in_channels"):
        load_denoiser(tmp_path, CPU)
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config | {"in_channels": 1, "sample_size": 8}))
    with pytest.raises(DenoiserError, match="cannot be read"):
        load_denoiser(tmp_path, CPU)
    with pytest.raises(ValueError, match=r"timestep in 0\.\.49"):
        DRD(timestep=50)
    for wrong in ({"draws": 0}, {"B": 0}, {"delta_t": 0}, {"batch_size": 0}):
        with pytest.raises(ValueError, match="must be at least 1, got 0"):
            DRD(**wrong)
    with pytest.raises(ValueError, match=r"DRD\.draws: expected int, got 'many'"):
        DRD(draws="many")


def test_a_model_that_predicts_something_else_is_refused(digits, tmp_path):
    shutil.copytree(bundled(digits.train.fingerprint), tmp_path / "d")
    DDIMScheduler(prediction_type="sample").save_pretrained(tmp_path / "d" / "scheduler")
    with pytest.raises(DenoiserError, match="predicts sample: expected epsilon or v_prediction"):
        load_denoiser(tmp_path / "d", CPU)


def test_a_model_of_other_classes_is_refused(digits, digits_denoiser):
    named = replace(digits.train, classes=tuple("abcdefghij"))
    with pytest.raises(DenoiserError, match=r"none for 10 of the 10 classes of digits \(a, b, c, \.\.\.\)"):
        class_ids(digits_denoiser.inner, named)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"channels": (5, 7)}, "multiples of 8"), ({"lr": 0.0}, "lr > 0"), ({"width": 130}, "multiple of the heads")],
)
def test_impossible_fits_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Fit(**wrong)


def test_images_that_a_model_cannot_halve_are_refused(tmp_path):
    odd = from_arrays("odd", np.zeros((4, 9, 9), np.uint8), np.arange(4) % 2)
    with pytest.raises(DataError, match="takes square ones whose size 4 divides"):
        fit_denoiser(odd, tmp_path / "d", Fit(channels=(8, 8, 8), epochs=1), device="cpu", progress=False)
