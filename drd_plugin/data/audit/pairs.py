"""Pairs of 64-bit hashes that differ in few bits, by multi-index hashing.

Hashes that differ in at most r bits differ in at most r // 4 bits in at least one of their four blocks of 16 bits. For
each block, the hashes are put into 65,536 buckets, and those of two buckets that are this close are compared in full.

References:
    Fast Search in Hamming Space with Multi-Index Hashing (Norouzi et al., 2012), https://arxiv.org/abs/1307.2982
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

__all__ = ["close_pairs"]

BLOCKS, BITS = 4, 16

AT_ONCE = 2**16
"""The candidates that are compared at a time."""


def close_pairs(hashes: np.ndarray, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs of positions i < j whose hashes differ in at most `most` bits, each pair at one time: two arrays
    int64[m] of some of them after the other.

    Arguments:
        hashes: uint64[n].
        most: r, in 0..64.
    """
    radius = most // BLOCKS
    for block in range(BLOCKS):
        values = _blocks(hashes)[:, block]
        order = np.argsort(values, kind="stable")
        ordered = hashes[order]
        for first, second in _candidates(np.bincount(values, minlength=2**BITS), radius):
            differing = ordered[first] ^ ordered[second]
            close = np.flatnonzero(_ones(differing) <= most)
            fresh = (_ones(_blocks(differing[close])[:, :block]) > radius).all(1)  # no earlier block had this pair
            i, j = (order[places[close[fresh]]] for places in (first, second))
            yield np.minimum(i, j), np.maximum(i, j)


def _ones(numbers: np.ndarray) -> np.ndarray:
    """The number of bits that are one, of each number."""
    if hasattr(np, "bitwise_count"):
        return np.bitwise_count(numbers)
    return np.unpackbits(np.ascontiguousarray(numbers)[..., None].view(np.uint8), axis=-1).sum(-1)  # NumPy 1


def _blocks(hashes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(hashes, np.uint64).view(np.uint16).reshape(-1, BLOCKS)


def _candidates(counts: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of places, each pair in one order, in a sorted list of numbers, whose numbers differ in at most `radius`
    bits.

    Arguments:
        counts: How many there are of each number, int64[65536].
        radius: The greatest number of bits.
    """
    starts, numbers = counts.cumsum() - counts, np.flatnonzero(counts)
    for flipped in range(min(radius, BITS) + 1):
        for bits in combinations(range(BITS), flipped):
            others = numbers ^ sum(1 << bit for bit in bits)
            together = (numbers <= others) & (counts[others] > 0)
            one, other = numbers[together], others[together]
            ends = (counts[one] * counts[other]).cumsum()
            for start in range(0, ends[-1] if len(ends) else 0, AT_ONCE):
                flat = np.arange(start, min(start + AT_ONCE, ends[-1]))
                bucket = np.searchsorted(ends, flat, "right")
                a, b = one[bucket], other[bucket]
                row, column = np.divmod(flat - ends[bucket] + counts[a] * counts[b], counts[b])
                first, second = starts[a] + row, starts[b] + column
                yield (first, second) if bits else (first[first < second], second[first < second])
