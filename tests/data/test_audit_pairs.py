"""The search for near duplicates: pairs of close hashes against brute force, and what a large number of pairs does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drd_plugin.data.audit import near
from drd_plugin.data.audit.pairs import close_pairs
from drd_plugin.data.audit.reading import THUMB, Readings

BITS = st.lists(st.integers(0, 63), max_size=14)


def flipped(base, bits):
    for bit in bits:
        base ^= 1 << bit
    return base


def brute_force(hashes, most):
    numbers = [int(number) for number in hashes]
    return {(i, j) for j in range(len(numbers)) for i in range(j) if (numbers[i] ^ numbers[j]).bit_count() <= most}


def found(hashes, most):
    pairs = [(int(i), int(j)) for some in close_pairs(hashes, most) for i, j in zip(*some, strict=True)]
    assert len(pairs) == len(set(pairs)), "a pair comes at one time"
    return set(pairs)


@given(
    st.integers(0, 2**64 - 1),
    st.lists(BITS, max_size=40),
    st.lists(st.integers(0, 2**64 - 1), max_size=10),
    st.integers(0, 14),
)
def test_close_pairs_are_those_of_brute_force(base, near_ones, others, most):
    hashes = np.array([*(flipped(base, bits) for bits in near_ones), *others], np.uint64)
    assert found(hashes, most) == brute_force(hashes, most)


@pytest.mark.parametrize("most", [0, 3, 4, 10, 20])
def test_many_equal_hashes_and_every_distance(most):
    hashes = np.repeat(np.array([0, 1, 2**63, 2**64 - 1], np.uint64), 5)
    assert found(hashes, most) == brute_force(hashes, most)


def test_a_bucket_may_be_larger_than_what_is_compared_at_a_time(monkeypatch):
    monkeypatch.setattr("drd_plugin.data.audit.pairs.AT_ONCE", 7)
    hashes = np.array([5] * 20 + [7] * 3 + [2**40] * 2, np.uint64)
    assert found(hashes, 1) == brute_force(hashes, 1)


def readings_of(thumbs):
    """Readings of images with these thumbnails, all of whose hashes are the same."""
    readings = Readings.none(len(thumbs), True)
    readings.thumbs[:], readings.digests[:] = thumbs, np.arange(len(thumbs))
    return readings


def noise(n, seed=0, strength=256):
    return np.random.default_rng(seed).integers(0, strength, (n, THUMB * THUMB * 3)).astype(np.uint8)


def test_thumbnails_decide_where_hashes_cannot():
    thumbs = noise(6)
    thumbs[4] = thumbs[1] // 2 + 60
    pairs = near.near_pairs(readings_of(thumbs), np.zeros(6, bool))
    assert pairs.pairs.tolist() == [[1, 4]]
    assert (pairs.total, pairs.least) == (1, near.LEAST[0])


def test_of_equal_images_of_a_part_one_counts_and_equal_ones_are_not_near():
    thumbs = np.repeat(noise(1), 5, 0)
    readings = readings_of(thumbs)
    readings.digests[:] = [7, 7, 8, 7, 8]
    pairs = near.near_pairs(readings, np.array([False, False, False, True, True]))
    assert sorted(pairs.pairs.tolist()) == [[0, 2], [0, 4], [2, 3], [3, 4]]


def test_images_that_cannot_be_read_or_have_one_colour_are_no_near_duplicates():
    readings = readings_of(np.repeat(noise(1), 4, 0))
    readings.empty[1] = True
    readings.errors[2] = "broken"
    assert near.near_pairs(readings, np.zeros(4, bool)).pairs.tolist() == [[0, 3]]
    blank = readings_of(np.zeros((3, THUMB * THUMB * 3), np.uint8))
    assert len(near.near_pairs(blank, np.zeros(3, bool)).pairs) == 0


def test_where_all_are_alike_the_closest_are_left_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(near, "FEW", 10)
    rng = np.random.default_rng(0)
    thumbs = np.clip(noise(1).astype(int) + rng.integers(-30, 31, (60, THUMB * THUMB * 3)), 0, 255).astype(np.uint8)
    thumbs[1] = np.clip(thumbs[0].astype(int) + 1, 0, 255)
    pairs = near.near_pairs(readings_of(thumbs), np.zeros(60, bool))
    assert pairs.total == 60 * 59 // 2
    assert pairs.least > near.LEAST[0]
    assert len(pairs.pairs) <= 10
    assert pairs.pairs[0].tolist() == [0, 1]
