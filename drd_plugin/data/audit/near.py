"""Near duplicates: images that look the same.

Two images are near duplicates if their perceptual hashes (64 bits of the package imagehash's `phash`) differ in at most
`DISTANCE` bits, and their thumbnails correlate by at least `LEAST[0]`. In a set whose images all look alike (clothes on
black, say) so many do that the least correlation is raised until few are left.

The values were chosen by looking at pairs of CIFAR-10 beside the published list of its near duplicates (ciFAIR): hashes
alone find many pairs that are none, and thumbnails tell these apart.

References:
    Do We Train on Test Data? Purging CIFAR of Near-Duplicates (Barz and Denzler, 2020),
    https://arxiv.org/abs/1902.00423, https://github.com/cvjena/cifair
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .pairs import close_pairs
from .reading import Readings

__all__ = ["DISTANCE", "LEAST", "NearPairs", "near_pairs"]

DISTANCE = 10
"""The most bits in which the hashes of near duplicates differ."""

LEAST = (0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995)
"""The least correlations of their thumbnails, from the first on."""

FEW = 1000
"""The pairs up to which the least correlation is not raised; or one for each ten examples, if these are more."""

AT_ONCE = 2**11
"""The pairs whose thumbnails are compared at a time."""


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Pairs of near duplicates, those that are the most alike first.

    Arguments:
        pairs: Two places of examples each, int64[m, 2].
        least: The least correlation of their thumbnails.
        total: How many pairs are alike by the first of `LEAST`.
    """

    pairs: np.ndarray = field(repr=False)
    least: float
    total: int


def near_pairs(readings: Readings, in_test: np.ndarray) -> NearPairs:
    """The near duplicates among the images that can be read and have more than one colour, without the equal ones. Of
    equal images of a part only the first counts.

    Arguments:
        readings: What was read of n images.
        in_test: Which are in the test split, bool[n].
    """
    _, first = np.unique(np.stack([readings.digests, in_test.astype(np.uint64)]), axis=1, return_index=True)
    places = np.sort(first[(readings.readable & ~readings.empty)[first]])
    correlation = _Correlation(readings.thumbs)
    closest = _Closest(max(FEW, len(places) // 10))
    for some in _candidates(readings.hashes[places]):
        some = places[some]
        some = some[readings.digests[some[:, 0]] != readings.digests[some[:, 1]]]
        closest.add(some, correlation(some))
    return closest.sorted()


def _candidates(hashes: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs with close hashes, int64[<= AT_ONCE, 2] at a time."""
    waiting: list[np.ndarray] = []
    for pair in close_pairs(hashes, DISTANCE):
        waiting.append(np.stack(pair, 1))
        if sum(map(len, waiting)) >= AT_ONCE:
            yield from np.array_split(np.concatenate(waiting), sum(map(len, waiting)) // AT_ONCE + 1)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


class _Correlation:
    """The correlation of thumbnails uint8[n, d]; 0 where one has one colour."""

    def __init__(self, thumbs: np.ndarray) -> None:
        blocks = np.array_split(thumbs, len(thumbs) // AT_ONCE + 1)
        self.thumbs = thumbs
        self.mean, self.deviation = (np.concatenate([f(b, axis=1) for b in blocks]) for f in (np.mean, np.std))

    def __call__(self, pairs: np.ndarray) -> np.ndarray:
        """Of each pair of positions int64[m, 2], float32[m]."""
        one, other = (self.thumbs[places].astype(np.int32) for places in pairs.T)
        covariance = np.einsum("md,md->m", one, other) / one.shape[1] - self.mean[pairs].prod(1)
        return (covariance / np.maximum(self.deviation[pairs].prod(1), 1e-6)).astype(np.float32)


@dataclass
class _Closest:
    """The pairs that are the most alike; where there are more than a limit, the least correlation is raised."""

    limit: int
    total: int = 0
    level: int = 0
    pairs: list[np.ndarray] = field(default_factory=lambda: [np.zeros((0, 2), np.int64)])
    alike: list[np.ndarray] = field(default_factory=lambda: [np.zeros(0, np.float32)])

    def add(self, pairs: np.ndarray, alike: np.ndarray) -> None:
        """Adds pairs, int64[m, 2], with their correlations, float32[m]."""
        self.total += int((alike >= LEAST[0]).sum())
        close = alike >= LEAST[self.level]
        self.pairs.append(pairs[close])
        self.alike.append(alike[close])
        if sum(map(len, self.alike)) > 100 * self.limit:
            self._shrink()

    def _shrink(self) -> None:
        pairs, alike = np.concatenate(self.pairs), np.concatenate(self.alike)
        while len(alike) > self.limit and self.level < len(LEAST) - 1:
            self.level += 1
            close = alike >= LEAST[self.level]
            pairs, alike = pairs[close], alike[close]
        self.pairs, self.alike = [pairs], [alike]

    def sorted(self) -> NearPairs:
        """The pairs, the most alike first."""
        self._shrink()
        [pairs], [alike] = self.pairs, self.alike
        order = np.lexsort((pairs[:, 1], pairs[:, 0], -alike))[: self.limit]
        return NearPairs(pairs[order], LEAST[self.level], self.total)
