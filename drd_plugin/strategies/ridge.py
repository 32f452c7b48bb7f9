"""Ridge regression on features, for many windows of a ranking at once, as BWS compares them.

Each window is fitted by one-vs-all ridge regression, (X'X + lambda I) W = X'Y, with a bias column in X that is
penalised too, as in the official code; in the dual form if a window has no more examples than X has columns. If a
window shares most of its examples with the one before, its X'X is that one's, updated by the examples that enter and
leave.

The windows race: all are tested on a random part of the reference first, and those that are behind the best by more
than four standard errors of the paired difference are dropped; the others are tested on twice as much, until one
remains or the reference is used up. A reference of up to `FIRST` examples, which takes a second, is used as one part.

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
"""The number of reference examples on which all windows are tested."""

BLOCK = 2**13
"""The number of rows to multiply at once."""

BEHIND = 4.0
"""The standard errors behind the best at which a window is dropped."""


def best_by_ridge(
    features: np.ndarray,
    labels: np.ndarray,
    windows: Sequence[np.ndarray],
    reference: np.ndarray,
    rng: np.random.Generator,
    penalty: float = 1.0,
) -> tuple[int, np.ndarray]:
    """Finds the window whose regression predicts the labels of the reference best.

    Arguments:
        features: float[n, d].
        labels: int64[n].
        windows: The positions to which each regression is fitted, each int64[k].
        reference: The positions on which accuracy is measured, int64[m].
        rng: Determines the order in which the reference is used.
        penalty: lambda, positive.

    Returns:
        The best window's number, and all accuracies in percent, float64[W]; that of a window that was dropped early is
        the best window's less the gap between the two on the examples on which both were tested.
    """
    weights = list(_fit_windows(features, labels, windows, penalty))
    order, size = rng.permutation(reference), FIRST
    correct = np.zeros((len(weights), len(order)), bool)
    tested, racing = np.zeros(len(weights), np.int64), np.arange(len(weights))
    while True:
        start = tested[racing[0]]
        correct[racing, start:size] = _correct(features, labels, order[start:size], [weights[w] for w in racing])
        tested[racing] = min(size, len(order))
        racing, size = _ahead(correct, racing, tested[racing[0]]), 2 * size
        if len(racing) == 1 or tested[racing[0]] == len(order):
            break
    best = racing[correct[racing].sum(axis=1).argmax()]
    gaps = [correct[best, :m].mean() - correct[w, :m].mean() for w, m in enumerate(tested)]
    return int(best), 100 * (correct[best, : tested[best]].mean() - np.array(gaps))


def _ahead(correct: np.ndarray, racing: np.ndarray, tested: int) -> np.ndarray:
    """The windows that may still be the best, int64[...]."""
    hits = correct[racing, :tested].astype(np.int8)
    gaps = hits[hits.sum(axis=1).argmax()] - hits
    errors = gaps.std(axis=1) / np.sqrt(tested)
    return racing[gaps.mean(axis=1) <= BEHIND * errors]


def _fit_windows(
    features: np.ndarray, labels: np.ndarray, windows: Sequence[np.ndarray], penalty: float
) -> Iterator[np.ndarray]:
    """Yields the weights of each window, float64[d + 1, C]."""
    classes, width = int(labels.max()) + 1, features.shape[1] + 1
    moments, before = np.zeros((width, width + classes)), np.zeros(len(features), bool)
    for window in windows:
        if len(window) <= width:
            rows = _rows(features, window)
            kernel = rows @ rows.T + penalty * np.eye(len(rows))
            yield rows.T @ np.linalg.solve(kernel, np.eye(classes)[labels[window]])
            continue
        inside = np.zeros(len(features), bool)
        inside[window] = True
        entering, leaving = inside & ~before, before & ~inside
        if entering.sum() + leaving.sum() < inside.sum():
            moments += _moments(features, labels, entering, classes) - _moments(features, labels, leaving, classes)
        else:
            moments = _moments(features, labels, inside, classes)
        before = inside
        yield np.linalg.solve(moments[:, :width] + penalty * np.eye(width), moments[:, width:])


def _moments(features: np.ndarray, labels: np.ndarray, chosen: np.ndarray, classes: int) -> np.ndarray:
    """X'X and X'Y of the rows where `chosen`, bool[n], is true, side by side, float64[d + 1, d + 1 + C]."""
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
    """Rows of X: a column of ones and the features, float64[B, d + 1]."""
    rows = np.ones((len(index), features.shape[1] + 1))
    rows[:, 1:] = features[index]
    return rows


def _correct(features: np.ndarray, labels: np.ndarray, index: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    """Whether each regression predicts the labels of the examples at these positions, bool[W, B]."""
    weights = [weight.astype(features.dtype) for weight in weights]
    correct, start = np.empty((len(weights), len(index)), bool), 0
    buffer = np.empty((BLOCK, weights[0].shape[1]), features.dtype)
    for block in _blocks(index):
        rows, end = features[block], start + len(block)
        for w, weight in enumerate(weights):
            logits = np.matmul(rows, weight[1:], out=buffer[: len(block)])
            logits += weight[0]
            correct[w, start:end] = logits.argmax(axis=1) == labels[block]
        start = end
    return correct


def _blocks(index: np.ndarray) -> list[np.ndarray]:
    return np.array_split(index, max(1, -(-len(index) // BLOCK)))
