"""Random numbers that depend on a seed and a purpose, never on the order of the work.

Diffusion noise is keyed by (seed, purpose, example, draw): a Philox counter generator is positioned at that key, so
batch size, sharding and resumption change nothing. Everything else takes a seed from a `Seeds`, which has one for each
source of chance in a benchmark run.

References:
    Parallel Random Numbers: As Easy as 1, 2, 3 (Salmon et al., 2011), https://doi.org/10.1145/2063384.2063405
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np

__all__ = ["Seeds", "check_seed", "generator", "keyed_antithetic", "keyed_normal", "keyed_uniform", "seeded"]


@dataclass(frozen=True)
class Seeds:
    """The seeds of one benchmark run, one for each source of chance; each is an integer in 0..2^64 - 1.

    Arguments:
        proxy: The proxy network whose training the fold scores watch (initialisation, order and augmentation).
        selection: Tie-breaks, random subsets and everything else that a strategy draws.
        init: Initialisation of the network that is trained on the subset.
        order: Order and augmentation of the examples in that training.
        noise: Diffusion noise of the map scores.

    Raises:
        ValueError: If one of them is no seed.
    """

    proxy: int = 0
    selection: int = 0
    init: int = 0
    order: int = 0
    noise: int = 0

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, check_seed(getattr(self, f.name), f.name))

    def seed_of(self, source: str) -> int:
        """The seed of one source of chance, by its name."""
        return getattr(self, source)

    @classmethod
    def all(cls, seed: int, **pinned: int) -> Seeds:
        """The seeds of a run in which every source has `seed`, except those in `pinned`."""
        return cls(**{"proxy": seed, "selection": seed, "init": seed, "order": seed, "noise": seed} | pinned)


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A random generator for one purpose; generators for two purposes are independent, even with the same seed.

    Raises:
        ValueError: If the seed is no integer in 0..2^64 - 1.
    """
    return np.random.default_rng([check_seed(seed), zlib.crc32(purpose.encode())])


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds torch's global generators (which initialise networks and drive dropout) inside the block, and restores them
    afterwards.

    Raises:
        ValueError: If the seed is no integer in 0..2^64 - 1.
    """
    import torch

    seed = check_seed(seed)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def check_seed(seed: int, name: str = "") -> int:
    """The seed as a plain integer.

    Arguments:
        seed: The seed.
        name: The name of the setting, for the message.

    Raises:
        ValueError: If it is no integer in 0..2^64 - 1.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(f"{name and f'{name}: '}a seed is a non-negative integer below 2^64, got {seed!r}.")
    return int(seed)


def _positioned(seed: int, purpose: str, index: int, draw: int) -> np.random.Generator:
    key = np.array([seed, zlib.crc32(purpose.encode())], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, draw, index]))


def keyed_normal(
    seed: int, purpose: str, index: Sequence[int] | np.ndarray, draw: int | np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Standard normal noise for a number of examples, determined by the example and the draw.

    Arguments:
        seed: The noise seed.
        purpose: What the noise is for; two purposes never share noise.
        index: The examples' positions in the data set, with length B.
        draw: The number of the draw, from 0; an integer for all, or int64[B].
        shape: The shape of the noise for one example.

    Returns:
        The noise, float32[B, *shape]; row b depends on (seed, purpose, index[b], draw[b]) only.

    Raises:
        ValueError: If the seed is no integer in 0..2^64 - 1.
    """
    seed = check_seed(seed)
    noise = np.empty((len(index), *shape), np.float32)
    for row, i, d in zip(noise, index, np.broadcast_to(draw, len(index)), strict=True):
        _positioned(seed, purpose, int(i), int(d)).standard_normal(dtype=np.float32, out=row)
    return noise


def keyed_antithetic(
    seed: int,
    purpose: str,
    index: Sequence[int] | np.ndarray,
    draw: np.ndarray,
    shape: tuple[int, ...],
    antithetic: bool,
) -> np.ndarray:
    """`keyed_normal`; if antithetic, draw 2j is its draw j, and draw 2j + 1 the same noise with the opposite sign."""
    if not antithetic:
        return keyed_normal(seed, purpose, index, draw, shape)
    sign = np.where(draw % 2, -1, 1).astype(np.float32).reshape(-1, *[1] * len(shape))
    return sign * keyed_normal(seed, purpose, index, draw // 2, shape)


def keyed_uniform(seed: int, purpose: str, index: Sequence[int] | np.ndarray) -> np.ndarray:
    """One uniform number in [0, 1) for each example, float32[B], keyed like `keyed_normal`."""
    seed = check_seed(seed)
    return np.array([_positioned(seed, purpose, int(i), 0).random(dtype=np.float32) for i in index], np.float32)
