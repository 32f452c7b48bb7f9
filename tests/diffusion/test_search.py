"""The staged search against the exhaustive one, on losses that are made up and on analytic mixtures."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from drd_plugin.artifacts import ArtifactError
from drd_plugin.data import from_arrays
from drd_plugin.diffusion import choose_timesteps
from drd_plugin.diffusion.denoisers.base import DenoiserError
from drd_plugin.diffusion.denoisers.classes import imagenet_wnids
from drd_plugin.diffusion.denoisers.load import find_denoiser
from drd_plugin.diffusion.oracle import drawn_split, random_mixture
from drd_plugin.diffusion.timesteps.choose import ClassSearch
from drd_plugin.diffusion.timesteps.competitors import confused_by_proxy, confusions, near_classes, rivals_of
from drd_plugin.diffusion.timesteps.rule import InformationBottleneck
from drd_plugin.diffusion.timesteps.search import TOLERANCE, Rivals, exhaustive, staged

CPU = torch.device("cpu")
RULE = InformationBottleneck()


def asked_of(table):
    """Losses from a table [b, N, R, C], and what was asked."""
    questions = []

    def losses(image, step, draw, label):
        questions.extend(zip(image.tolist(), step.tolist(), draw.tolist(), label.tolist(), strict=True))
        return table[image, step, draw, label]

    return losses, questions


def made_up(noise, classes=6, images=12, steps=17, draws=8, middle=9.0, width=2.0, seed=0):
    """Losses whose gaps to class 0 shrink around a step."""
    rng = np.random.default_rng(seed)
    gaps = 12 / (1 + np.exp((np.arange(steps) - middle) / width))[None, :, None, None]
    away = np.r_[0, rng.uniform(0.3, 1, classes - 1)]
    shared = rng.normal(size=(images, steps, draws, 1))
    return 50 + shared + gaps * away + noise * rng.normal(size=(images, steps, draws, classes)) * (away > 0)


def test_exhaustive_is_the_softmax_of_the_mean_losses():
    table = made_up(0.3)
    losses, questions = asked_of(table)
    found = exhaustive(losses, Rivals.all(12, 0, 6), np.arange(17), 8)
    expected = torch.from_numpy(-table.mean(2)).log_softmax(-1)[..., 0].numpy()
    assert np.allclose(found.log_posterior, expected)
    assert len(questions) == len(set(questions)) == table.size


@pytest.mark.parametrize("estimator", ["eq9", "eq6"])
@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("middle", [5.0, 9.0, 12.0])
def test_staged_finds_the_same_step_with_fewer_questions(estimator, reach, middle):
    table, rule = made_up(0.2, middle=middle), InformationBottleneck(estimator=estimator, delta_t=reach)
    losses, questions = asked_of(table)
    found = staged(losses, Rivals.all(12, 0, 6), np.arange(17), 8, reach, rule.criterion)
    whole = exhaustive(asked_of(table)[0], Rivals.all(12, 0, 6), np.arange(17), 8)
    best = [np.nanargmax(rule.criterion(of.log_posterior).mean(0)) for of in (found, whole)]
    assert abs(best[0] - best[1]) <= 1
    assert len(questions) == len(set(questions)) < table.size / 2
    assert 0 < found.dropped < 5 * TOLERANCE


def test_without_noise_staged_is_exact_and_takes_the_fewest_draws():
    table = made_up(0.0)
    losses, questions = asked_of(table)
    found = staged(losses, Rivals.all(12, 0, 6), np.arange(17), 8, 1, RULE.criterion)
    whole = exhaustive(asked_of(table)[0], Rivals.all(12, 0, 6), np.arange(17), 8)
    known = np.isfinite(found.log_posterior)
    assert np.abs(found.log_posterior - whole.log_posterior)[known].max() < -np.log(1 - TOLERANCE) + 1e-9
    assert {draw for _, _, draw, _ in questions} == {0, 1, 2}


def test_where_draws_disagree_more_are_taken():
    taken = []
    for seed in range(4):
        losses, questions = asked_of(made_up(2.0, width=50.0, seed=seed))
        staged(losses, Rivals.all(12, 0, 6), np.arange(17), 8, 1, RULE.criterion)
        taken.append(max(draw for _, _, draw, _ in questions) + 1)
    assert max(taken) > 3


def test_a_class_that_weighs_nothing_is_not_asked_again():
    table = made_up(0.0)
    table[..., 5] += 1000
    losses, questions = asked_of(table)
    staged(losses, Rivals.all(12, 0, 6), np.arange(17), 8, 1, RULE.criterion)
    steps = {step for _, step, _, label in questions if label == 5}
    assert steps == {16}  # the noisiest


@pytest.mark.parametrize(("draws", "images"), [(1, 12), (8, 1), (1, 1)])
def test_staged_works_with_a_single_draw_or_image(draws, images):
    table = made_up(0.1, images=images, draws=draws)
    found = staged(asked_of(table)[0], Rivals.all(images, 0, 6), np.arange(17), draws, 1, RULE.criterion)
    assert np.isfinite(RULE.criterion(found.log_posterior)).any()


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
    mixture = random_mixture(60, 1, 64, spread=0.4, siblings=6, seed=1)
    split = drawn_split(mixture, 12)
    rule = InformationBottleneck(B=8, noises=6)
    whole = choose_timesteps(replace(rule, search="exhaustive"), mixture, split, 0, CPU, progress=False)
    quick = choose_timesteps(replace(rule, search="auto"), mixture, split, 0, CPU, progress=False)
    assert np.mean(np.abs(whole.chosen - quick.chosen) <= 1) >= 0.9
    assert quick.exhaustive == whole.forwards
    assert quick.forwards < whole.forwards / 6
    assert "times fewer than the" in str(quick)
    parts = [
        choose_timesteps(
            replace(rule, search="staged"), mixture, split, 0, CPU, progress=False, cache=tmp_path, share=(i, 2)
        )
        for i in (1, 0)
    ]
    assert parts[0].chosen.tolist() == parts[1].chosen.tolist() == quick.chosen.tolist()


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


def test_competitors_of_a_proxy_are_the_classes_that_it_confuses(digits):
    rule = InformationBottleneck(B=6, noises=4, competitors=4, competitors_by="proxy", search="staged")
    near = confused_by_proxy(digits.train, rule.representatives(digits.train, 0), 0, "cpu")
    assert all(sorted([c, *others]) == list(range(10)) for c, others in enumerate(near))
    assert not any(others == sorted(others) for others in near)
    denoiser = find_denoiser("auto", digits.train, CPU)
    few = choose_timesteps(rule, denoiser, digits.train, 0, CPU, progress=False)
    whole = choose_timesteps(replace(rule, search="exhaustive"), denoiser, digits.train, 0, CPU, progress=False)
    assert few.forwards < whole.forwards / 3
    assert np.mean(np.abs(few.chosen - whole.chosen) <= 3) >= 0.8  # from as little as this


def test_the_staged_search_of_a_thousand_classes_takes_one_pass_in_five_hundred():
    """For a few of its classes, as the benchmark has it for all."""
    mixture = random_mixture(1000, 1, 64, spread=0.4, siblings=10, seed=1000)
    split, rule = drawn_split(mixture, 25), InformationBottleneck()
    search = ClassSearch(rule, mixture, split, 0, CPU, 2048)
    members, evaluated = rule.representatives(split, 0), rule.evaluated(mixture)
    forwards = [search.find(c, members[c], evaluated).forwards for c in range(0, 1000, 100)]
    assert np.mean(forwards) < 20 * len(evaluated) * 20 * 1000 / 500


def test_what_the_noise_of_a_draw_adds_to_all_classes_goes():
    """Though a class that went has fewer draws than those that stay."""
    rng = np.random.default_rng(0)
    table = made_up(0.1) + 50 * rng.standard_normal((12, 17, 8, 1))
    found = staged(asked_of(table)[0], Rivals.all(12, 0, 6), np.arange(17), 8, 1, RULE.criterion)
    whole = exhaustive(asked_of(table)[0], Rivals.all(12, 0, 6), np.arange(17), 8)
    best = [np.nanargmax(RULE.criterion(of.log_posterior).mean(0)) for of in (found, whole)]
    assert abs(best[0] - best[1]) <= 1


def test_a_loss_that_is_not_finite_names_its_example():
    mixture = random_mixture(3, 1, 16)
    split = drawn_split(mixture, 4)
    broken = replace(split)
    mixture.predict_noise = lambda x, t, labels: torch.full_like(x, torch.nan)
    with pytest.raises(ArtifactError, match=r"denoising loss of example \d+ is NaN"):
        choose_timesteps(InformationBottleneck(B=2, noises=1), mixture, broken, 0, CPU, progress=False)
