"""The reliability of scores, where the truth is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from drd_plugin.artifacts import Scores
from drd_plugin.artifacts.reliability import estimates_for, reliability
from drd_plugin.cli import main


def noisy(noise, count, n=4000, classes=4, seed=0):
    """Estimates of a true value with Gaussian noise, and a class effect that is no reliability."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    truth = rng.normal(size=n)
    return truth, (truth + 50 * labels)[:, None] + noise * rng.normal(size=(n, count)), labels


@pytest.mark.parametrize(("noise", "count"), [(1.0, 2), (1.0, 8), (2.0, 6), (3.0, 5), (0.2, 3)])
def test_it_is_that_of_classical_test_theory(noise, count):
    """For normal values the share of the variance that is true; ranks lose a little."""
    _, estimates, labels = noisy(noise, count)
    expected = 1 / (1 + noise**2 / count)
    assert reliability(estimates, labels) == pytest.approx(expected, abs=0.04)


def test_it_is_the_correlation_of_two_runs():
    _, estimates, labels = noisy(1.5, 12)
    first, second = estimates[:, :6].mean(1), estimates[:, 6:].mean(1)
    agreed = np.mean([spearmanr(first[labels == c], second[labels == c]).statistic for c in range(4)])
    assert reliability(estimates[:, :6], labels) == pytest.approx(agreed, abs=0.03)


def test_noise_alone_has_none():
    estimates = np.random.default_rng(0).normal(size=(2000, 8))
    assert abs(reliability(estimates, np.arange(2000) % 5)) < 0.1


def test_differences_between_classes_are_none():
    rng, labels = np.random.default_rng(0), np.arange(1000) % 10
    estimates = 100.0 * labels[:, None] + rng.normal(size=(1000, 4))
    assert abs(reliability(estimates, labels)) < 0.2


def test_one_estimate_or_equal_ones_have_no_reliability():
    assert np.isnan(reliability(np.zeros((10, 1)), np.zeros(10, int)))
    assert np.isnan(reliability(np.ones((10, 4)), np.zeros(10, int)))
    assert np.isnan(reliability(np.random.default_rng(0).normal(size=(4, 4)), np.arange(4)))


def test_how_many_estimates_lift_it():
    """Half the variance true with one estimate: 0.8 takes four."""
    assert estimates_for(0.8, 0.5, 1) == 4
    assert estimates_for(0.8, 0.8, 4) == 4
    assert estimates_for(0.5, 0.8, 4) == 1
    assert estimates_for(0.8, -0.1, 4) is None
    _, estimates, labels = noisy(2.0, 3)
    needed = estimates_for(0.8, reliability(estimates, labels), 3)
    _, more, labels = noisy(2.0, needed, seed=1)
    assert reliability(more, labels) == pytest.approx(0.8, abs=0.04)


def test_show_says_it_and_what_would_lift_it(tmp_path, capsys):
    _, estimates, labels = noisy(3.0, 4)
    Scores("DRD", estimates, labels, True, "made:up").save(tmp_path / "s")
    main(["show", str(tmp_path / "s")])
    text = capsys.readouterr().out
    assert "more noise than ranking" in text
    assert "proxies would reach 0.8" in text
    Scores("DRD", noisy(0.1, 4)[1], labels, True, "made:up").save(tmp_path / "t")
    main(["show", str(tmp_path / "t")])
    text = capsys.readouterr().out
    assert "noise than ranking" not in text
    assert "would reach" not in text
