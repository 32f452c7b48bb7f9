"""The staged search against the exhaustive one, on synthetic losses and on analytic mixtures."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from drd_plugin.artifacts import ArtifactError
from drd_plugin.core.job import Job
from drd_plugin.core.team import Team
from drd_plugin.data import from_arrays
from drd_plugin.diffusion import (
    DenoiserError,
    InformationBottleneck,
    choose_timesteps,
    distance,
    imagenet_wnids,
    near_classes,
)
from drd_plugin.diffusion.oracle import random_mixture, sample_split
from drd_plugin.diffusion.timesteps.choose import ClassSearch
from drd_plugin.diffusion.timesteps.competitors import confused_by_proxy, confusions, rivals_of
from drd_plugin.diffusion.timesteps.search import TOLERANCE, Rivals, exhaustive, staged

RULE = InformationBottleneck()
JOB = Job("cpu", progress=False)
ALL = Rivals.all(12, 0, 6)
STEPS = np.arange(17)


def losses_from(table):
    """Losses from a table [b, N, R, C], and the list of those that were evaluated."""
    evaluations = []

    def losses(image, step, draw, label):
        evaluations.extend(zip(image.tolist(), step.tolist(), draw.tolist(), label.tolist(), strict=True))
        return table[image, step, draw, label]

    return losses, evaluations


def synthetic(noise, classes=6, images=12, steps=17, draws=8, middle=9.0, width=2.0, seed=0):
    """A table of losses whose gaps to class 0 shrink around a step."""
    rng = np.random.default_rng(seed)
    gaps = 12 / (1 + np.exp((np.arange(steps) - middle) / width))[None, :, None, None]
    factors = np.r_[0, rng.uniform(0.3, 1, classes - 1)]
    shared = rng.normal(size=(images, steps, draws, 1))
    return 50 + shared + gaps * factors + noise * rng.normal(size=(images, steps, draws, classes)) * (factors > 0)


def best_steps(rule, *results):
    """The candidate with the greatest criterion by each search."""
    return [int(np.nanargmax(rule.criterion(result.log_posterior).mean(0))) for result in results]


def test_exhaustive_is_the_softmax_of_the_mean_losses():
    table = synthetic(0.3)
    losses, evaluations = losses_from(table)
    result = exhaustive(losses, ALL, STEPS, 8)
    expected = torch.from_numpy(-table.mean(2)).log_softmax(-1)[..., 0].numpy()
    assert np.allclose(result.log_posterior, expected)
    assert len(evaluations) == len(set(evaluations)) == table.size


@pytest.mark.parametrize("estimator", ["eq9", "eq6"])
@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("middle", [5.0, 9.0, 12.0])
def test_staged_chooses_the_same_step_with_fewer_evaluations(estimator, reach, middle):
    table, rule = synthetic(0.2, middle=middle), InformationBottleneck(estimator=estimator, delta_t=reach)
    losses, evaluations = losses_from(table)
    quick = staged(losses, ALL, STEPS, 8, reach, rule.criterion)
    best, expected = best_steps(rule, quick, exhaustive(losses_from(table)[0], ALL, STEPS, 8))
    assert abs(best - expected) <= 1
    assert len(evaluations) == len(set(evaluations)) < table.size / 2
    assert 0 < quick.dropped < 5 * TOLERANCE


def test_without_noise_staged_is_exact_and_takes_the_fewest_draws():
    table = synthetic(0.0)
    losses, evaluations = losses_from(table)
    quick = staged(losses, ALL, STEPS, 8, 1, RULE.criterion)
    whole = exhaustive(losses_from(table)[0], ALL, STEPS, 8)
    evaluated = np.isfinite(quick.log_posterior)
    assert np.abs(quick.log_posterior - whole.log_posterior)[evaluated].max() < -np.log(1 - TOLERANCE) + 1e-9
    assert {draw for _, _, draw, _ in evaluations} == {0, 1, 2}


def test_more_draws_are_taken_where_they_disagree():
    draws = []
    for seed in range(4):
        losses, evaluations = losses_from(synthetic(2.0, width=50.0, seed=seed))
        staged(losses, ALL, STEPS, 8, 1, RULE.criterion)
        draws.append(max(draw for _, _, draw, _ in evaluations) + 1)
    assert max(draws) > 3


def test_a_class_that_weighs_nothing_is_evaluated_at_the_noisiest_step_alone():
    table = synthetic(0.0)
    table[..., 5] += 1000
    losses, evaluations = losses_from(table)
    staged(losses, ALL, STEPS, 8, 1, RULE.criterion)
    assert {step for _, step, _, label in evaluations if label == 5} == {16}


@pytest.mark.parametrize(("draws", "images"), [(1, 12), (8, 1), (1, 1)])
def test_staged_works_with_a_single_draw_or_image(draws, images):
    losses, _ = losses_from(synthetic(0.1, images=images, draws=draws))
    result = staged(losses, Rivals.all(images, 0, 6), STEPS, draws, 1, RULE.criterion)
    assert np.isfinite(RULE.criterion(result.log_posterior)).any()


def test_noise_that_all_classes_share_cancels():
    """Though a class that was dropped has fewer draws than those that stay."""
    table = synthetic(0.1) + 50 * np.random.default_rng(0).standard_normal((12, 17, 8, 1))
    quick = staged(losses_from(table)[0], ALL, STEPS, 8, 1, RULE.criterion)
    best, expected = best_steps(RULE, quick, exhaustive(losses_from(table)[0], ALL, STEPS, 8))
    assert abs(best - expected) <= 1


def test_rivals_keep_the_sum_of_the_softmax_in_expectation():
    rng = np.random.default_rng(0)
    weight = rng.exponential(size=200)
    near = np.argsort(-weight)[:30].tolist()
    rivals = rivals_of(7, 5000, 200, near, 24, 0)
    assert rivals.classes.shape == (5000, 25)
    assert (rivals.classes[:, 0] == 7).all()
    assert all(len(set(row)) == 25 for row in rivals.classes[:50].tolist())
    sums = (weight[rivals.classes] * np.exp(rivals.log_weights)).sum(1)
    assert abs(sums.mean() - weight.sum()) < 4 * sums.std() / 5000**0.5
    few = rivals_of(0, 3, 10, range(10), 24, 0)
    assert np.array_equal(np.sort(few.classes, axis=1), np.tile(np.arange(10), (3, 1)))
    assert not few.log_weights.any()


def test_staged_on_a_mixture_of_many_classes(tmp_path):
    mixture = random_mixture(48, 1, 64, spread=0.4, siblings=6, seed=1)
    split = sample_split(mixture, 12)
    rule = InformationBottleneck(B=5, noises=6)
    whole = choose_timesteps(replace(rule, search="exhaustive"), mixture, split, 0, JOB)
    quick = choose_timesteps(replace(rule, search="auto"), mixture, split, 0, JOB)
    assert np.mean(np.abs(whole.chosen - quick.chosen) <= 1) >= 0.9
    assert quick.exhaustive == whole.forwards
    assert quick.forwards < whole.forwards / 6
    assert "times fewer than the" in str(quick)
    jobs = [replace(JOB, folder=tmp_path, team=Team(i, 2)) for i in (1, 0)]
    choices = [choose_timesteps(replace(rule, search="staged"), mixture, split, 0, job) for job in jobs]
    assert choices[0].chosen.tolist() == choices[1].chosen.tolist() == quick.chosen.tolist()


def test_competitors_of_wordnet_and_of_a_file(tmp_path):
    wnids = imagenet_wnids()
    names = [wnids[i] for i in (207, 208, 0, 1, 999, 281)]
    split = replace(from_arrays("some", np.zeros((6, 4, 4), np.uint8), np.arange(6)), classes=tuple(names))
    near = near_classes("wordnet", split)
    assert near[0][0] == 1  # golden and Labrador retriever
    assert near[2][0] == 3  # tench and goldfish
    assert sorted(near[4]) == [0, 1, 2, 3, 5]
    predicted = np.eye(6)[[0, 1, 2, 3, 4, 5]] + 0.5 * np.eye(6)[[1, 0, 3, 2, 0, 0]]
    confusions(predicted, np.arange(6), names, tmp_path / "confused.json")
    assert [others[0] for others in near_classes(str(tmp_path / "confused.json"), split)] == [1, 0, 3, 2, 0, 0]
    assert near_classes("screen", split) is None
    with pytest.raises(DenoiserError, match="are not called by ImageNet's ids"):
        near_classes("wordnet", replace(split, classes=tuple("abcdef")))
    with pytest.raises(DenoiserError, match="expected screen, proxy, wordnet, or a JSON file"):
        near_classes("wordnett", split)
    (tmp_path / "half.json").write_text(json.dumps({names[0]: []}))
    with pytest.raises(DenoiserError, match=f"no list for {names[1]}"):
        near_classes(str(tmp_path / "half.json"), split)


def test_competitors_of_a_proxy_are_the_classes_that_it_confuses(digits, digits_denoiser, monkeypatch):
    monkeypatch.setattr(distance, "CRITIC", replace(distance.CRITIC, steps=60))
    monkeypatch.setattr(distance, "critic", cache(distance.critic))  # which is trained once for all below
    rule = InformationBottleneck(B=3, noises=4, competitors=4, competitors_by="proxy", search="staged")
    near = confused_by_proxy(digits.train, rule.representatives(digits.train, 0), 0, "cpu")
    assert all(sorted([c, *others]) == list(range(10)) for c, others in enumerate(near))
    assert not any(others == sorted(others) for others in near)
    quick = choose_timesteps(rule, digits_denoiser, digits.train, 0, JOB)
    whole = choose_timesteps(replace(rule, search="exhaustive"), digits_denoiser, digits.train, 0, JOB)
    assert quick.forwards < whole.forwards / 3
    assert np.mean(np.abs(quick.chosen - whole.chosen) <= 3) >= 0.8  # from as little as this


def test_the_staged_search_of_a_thousand_classes_takes_one_pass_in_five_hundred():
    """For a few of its classes, as the benchmark has it for all."""
    mixture = random_mixture(1000, 1, 64, spread=0.4, siblings=10, seed=1000)
    split, rule = sample_split(mixture, 25), InformationBottleneck()
    search = ClassSearch(rule, mixture, split, 0, JOB, 2048)
    members, evaluated = rule.representatives(split, 0), rule.evaluated(mixture)
    forwards = [search.result(c, members[c], evaluated).forwards for c in range(0, 1000, 100)]
    assert np.mean(forwards) < 20 * len(evaluated) * 20 * 1000 / 500


def test_a_loss_that_is_not_finite_names_its_example():
    mixture = random_mixture(3, 1, 16)
    split = sample_split(mixture, 4)
    mixture.predict_noise = lambda x, t, labels: torch.full_like(x, torch.nan)
    with pytest.raises(ArtifactError, match=r"denoising loss of example \d+ is NaN"):
        choose_timesteps(InformationBottleneck(B=2, noises=1), mixture, split, 0, JOB)
