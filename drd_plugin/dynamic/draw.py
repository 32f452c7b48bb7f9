"""The k largest, over all or within classes; ties are broken by the generator."""

from __future__ import annotations

import numpy as np

from ..strategies.base import grouped, largest_remainders

__all__ = ["gumbel", "shares", "top", "top_within"]


def top(keys: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """The positions of the k largest keys, int64[k]; among equal ones at the border, random ones.

    Arguments:
        keys: float[n], without NaN.
        k: In 0..n.
        rng: Breaks ties.
    """
    if k == 0 or k == len(keys):
        return np.arange(k)
    border = np.partition(keys, len(keys) - k)[len(keys) - k]
    above, equal = np.flatnonzero(keys > border), np.flatnonzero(keys == border)
    return np.concatenate([above, rng.choice(equal, k - len(above), replace=False, shuffle=False)])


def top_within(keys: np.ndarray, labels: np.ndarray, numbers: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The positions of the largest keys of each class, int64[sum(numbers)]; ties as in `top`.

    Arguments:
        keys: float[n], without NaN.
        labels: int64[n].
        numbers: How many of each class, int64[C].
        rng: Breaks ties.
    """
    groups = grouped(np.arange(len(labels)), labels, len(numbers))
    return np.concatenate([group[top(keys[group], k, rng)] for group, k in zip(groups, numbers, strict=True)])


def shares(sizes: np.ndarray, k: int) -> np.ndarray:
    """k examples shared among classes in proportion to their sizes, by largest remainders; int64[C].

    Arguments:
        sizes: The sizes of the classes, int64[C].
        k: In 0..sum(sizes).
    """
    return largest_remainders(k * sizes / sizes.sum(), k)


def gumbel(keys: np.ndarray, temperature: float, rng: np.random.Generator) -> np.ndarray:
    """Keys plus Gumbel noise times the temperature; at temperature 0 the keys as they are. The k largest are a sample
    without replacement, whose next member is i with probability proportional to exp(key_i / temperature).

    Arguments:
        keys: float[n].
        temperature: At least 0.
        rng: Draws the noise.

    References:
        Stochastic Beams and Where to Find Them (Kool et al., 2019), https://arxiv.org/abs/1903.06059
    """
    return keys if temperature == 0 else keys + temperature * rng.gumbel(size=keys.shape)
