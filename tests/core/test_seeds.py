import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from drd_plugin.core.seeds import Seeds, check_seed, generator, keyed_normal, keyed_uniform, seeded


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=20), st.integers(0, 50), st.integers(0, 2**32))
def test_noise_belongs_to_the_example_and_not_to_the_batch(index, draw, seed):
    together = keyed_normal(seed, "test", index, draw, (2, 3))
    alone = [keyed_normal(seed, "test", [i], draw, (2, 3))[0] for i in index]
    assert np.array_equal(together, np.stack(alone))


@pytest.mark.parametrize("other", [(1, "a", 5, 0), (0, "b", 5, 0), (0, "a", 6, 0), (0, "a", 5, 1)])
def test_every_part_of_the_key_matters(other):
    seed, purpose, index, draw = other
    assert (
        abs(
            np.corrcoef(keyed_normal(0, "a", [5], 0, (10_000,)), keyed_normal(seed, purpose, [index], draw, (10_000,)))[
                0, 1
            ]
        )
        < 0.05
    )


def test_noise_is_standard_normal_across_examples_and_within():
    noise = keyed_normal(3, "test", range(500), 0, (20,))
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.001
    assert stats.kstest(noise[:, 0], "norm").pvalue > 0.001


def test_uniform_numbers_are_uniform():
    assert stats.kstest(keyed_uniform(0, "test", range(5000)), "uniform").pvalue > 0.001


def test_purposes_of_one_seed_are_independent():
    assert generator(0, "a").random() != generator(0, "b").random()
    assert generator(0, "a").random() == generator(0, "a").random()


def test_seeds_follow_one_number_unless_pinned():
    assert Seeds.all(3, noise=0) == Seeds(proxy=3, selection=3, init=3, order=3, noise=0)


WRONG = [-1, 2**64, 2**70, -(2**63), True, False, 1.0, 0.5, float("nan"), "1", None, [1], np.float32(1), np.bool_(True)]
RIGHT = [0, 7, 2**32, 2**63, 2**64 - 1, np.int64(7), np.uint8(7), np.uint64(2**64 - 1)]


@pytest.mark.parametrize("seed", WRONG, ids=repr)
@pytest.mark.parametrize(
    "use",
    [
        check_seed,
        Seeds.all,
        lambda seed: Seeds(noise=seed),
        lambda seed: Seeds.all(0, proxy=seed),
        lambda seed: generator(seed, "test"),
        lambda seed: keyed_normal(seed, "test", [0], 0, (1,)),
        lambda seed: keyed_uniform(seed, "test", [0]),
        lambda seed: seeded(seed).__enter__(),
    ],
)
def test_what_is_no_seed_is_refused_in_the_same_words(use, seed):
    with pytest.raises(ValueError, match=r"a seed is a non-negative integer below 2\^64, got"):
        use(seed)


@pytest.mark.parametrize("seed", RIGHT, ids=repr)
def test_every_seed_of_64_bits_works_whatever_its_type(seed):
    assert type(check_seed(seed)) is int
    assert type(Seeds.all(seed).noise) is int
    assert keyed_uniform(seed, "test", [3]) == keyed_uniform(int(seed), "test", [3])
    assert generator(seed, "test").random() == generator(int(seed), "test").random()
    with seeded(seed):
        torch.rand(1)


def test_a_wrong_seed_is_named():
    with pytest.raises(ValueError, match=r"^noise: a seed is a non-negative integer below 2\^64, got -1"):
        Seeds.all(0, noise=-1)
