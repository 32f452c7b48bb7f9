"""Ridge regression on features, for many windows of a ranking at once: how BWS judges them.

Each window is fitted by one-vs-all ridge regression, (X'X + lambda I) W = X'Y, with a bias column in X that is
penalised too, as in the official code; in the dual form where a window is no larger than the features are wide.
Where a window shares most of its examples with the one before, its X'X follows from that one's by what enters and what
leaves.

The windows race: they are judged on a random part of the reference first, and those that are behind the best by more
than four standard errors of the paired difference go; the rest meet twice as much, until one is left or all of the
reference was seen. Up to `FIRST` examples, which take a second, nothing is left out.

References:
    BWS: Best Window Selection Based on Sample Scores for Data Pruning across Broad Ranges (Choi et al., 2024),
    https://arxiv.org/abs/2406.03057 https://github.com/NohyunKi/BWS (`experiment/regression.py`)
    Hoeffding races: accelerating model selection search for classification and function approximation (Maron and
    Moore, 1993), https://proceedings.neurips.cc/paper/1993/hash/02a32ad2669e6fe298e607fe7cc0e1a0-Abstract.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["best_by_ridge"]

FIRST = 2**16
"""The examples of the reference that all windows are judged on."""

BLOCK = 2**13
"""The rows that are multiplied at once."""

BEHIND = 4.0
"""Standard errors behind the best that end a window's race."""


def best_by_ridge(
    features: np.ndarray,
    labels: np.ndarray,
    windows: Sequence[np.ndarray],
    reference: np.ndarray,
    rng: np.random.Generator,
    penalty: float = 1.0,
) -> tuple[int, np.ndarray]:
    """The window from whose examples the reference is told best.

    Arguments:
        features: float[n, d].
        labels: int64[n].
        windows: The positions that each regression is fitted to, each int64[k].
        reference: The positions to judge by, int64[m].
        rng: Decides the order in which the reference is seen.
        penalty: lambda, positive.

    Returns:
        The best window's number, and all accuracies in percent, float64[W]; that of a window whose race ended early is
        the best window's less the gap between the two on what both have seen.
    """
    weights = list(_fitted(features, labels, windows, penalty))
    seen, size = rng.permutation(reference), FIRST
    right = np.zeros((len(weights), len(seen)), bool)
    met, racing = np.zeros(len(weights), np.int64), np.arange(len(weights))
    while True:
        start = met[racing[0]]
        right[racing, start:size] = _right(features, labels, seen[start:size], [weights[w] for w in racing])
        met[racing] = min(size, len(seen))
        racing, size = _ahead(right, racing, met[racing[0]]), 2 * size
        if len(racing) == 1 or met[racing[0]] == len(seen):
            break
    best = racing[right[racing].sum(axis=1).argmax()]
    gaps = [right[best, :m].mean() - right[w, :m].mean() for w, m in enumerate(met)]
    return int(best), 100 * (right[best, : met[best]].mean() - np.array(gaps))


def _ahead(right: np.ndarray, racing: np.ndarray, met: int) -> np.ndarray:
    """The windows that may still be the best, int64[...]."""
    shown = right[racing, :met].astype(np.int8)
    gaps = shown[shown.sum(axis=1).argmax()] - shown
    errors = gaps.std(axis=1) / np.sqrt(met)
    return racing[gaps.mean(axis=1) <= BEHIND * errors]


def _fitted(
    features: np.ndarray, labels: np.ndarray, windows: Sequence[np.ndarray], penalty: float
) -> Iterator[np.ndarray]:
    """The weights of each window, float64[d + 1, C]."""
    classes, width = int(labels.max()) + 1, features.shape[1] + 1
    moments, before = np.zeros((width, width + classes)), np.zeros(len(features), bool)
    for window in windows:
        if len(window) <= width:
            rows = _rows(features, window)
            kernel = rows @ rows.T + penalty * np.eye(len(rows))
            yield rows.T @ np.linalg.solve(kernel, np.eye(classes)[labels[window]])
            continue
        now = np.zeros(len(features), bool)
        now[window] = True
        come, gone = now & ~before, before & ~now
        if come.sum() + gone.sum() < now.sum():
            moments += _moments(features, labels, come, classes) - _moments(features, labels, gone, classes)
        else:
            moments = _moments(features, labels, now, classes)
        before = now
        yield np.linalg.solve(moments[:, :width] + penalty * np.eye(width), moments[:, width:])


def _moments(features: np.ndarray, labels: np.ndarray, chosen: np.ndarray, classes: int) -> np.ndarray:
    """X'X and X'Y of the rows where `chosen` bool[n] is set, side by side, float64[d + 1, d + 1 + C]."""
    width = features.shape[1] + 1
    squares, sums = np.zeros((width, width)), np.zeros((classes, width))
    index = np.flatnonzero(chosen)
    for block in _blocks(index[np.argsort(labels[index], kind="stable")]):
        rows = _rows(features, block)
        squares += rows.T @ rows
        present, first = np.unique(labels[block], return_index=True)
        sums[present] += np.add.reduceat(rows, first)
    return np.concatenate([squares, sums.T], axis=1)


def _rows(features: np.ndarray, index: np.ndarray) -> np.ndarray:
    """A column of ones and the features, float64[B, d + 1]."""
    rows = np.ones((len(index), features.shape[1] + 1))
    rows[:, 1:] = features[index]
    return rows


def _right(features: np.ndarray, labels: np.ndarray, index: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each regression is right about the examples at these positions, bool[W, B]."""
    weights = [of.astype(features.dtype) for of in weights]
    right, done = np.empty((len(weights), len(index)), bool), 0
    logits = np.empty((BLOCK, weights[0].shape[1]), features.dtype)
    for block in _blocks(index):
        rows = features[block]
        for w, of in enumerate(weights):
            said = np.matmul(rows, of[1:], out=logits[: len(block)])
            said += of[0]
            right[w, done : done + len(block)] = said.argmax(axis=1) == labels[block]
        done += len(block)
    return right


def _blocks(index: np.ndarray) -> list[np.ndarray]:
    return np.array_split(index, max(1, -(-len(index) // BLOCK)))
