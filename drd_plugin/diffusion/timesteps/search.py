r"""Two searches for the log posteriors that determine the reconstruction timestep of a class.

Both compute log p(c | x_t) for the images of one class c at the steps t, from the losses
|| eps - eps_theta(x_t, t, c') ||^2 that a `Losses` returns for questions (image, step, draw, class).

- `exhaustive` computes all losses: images x steps x draws x classes forward passes.
- `staged` computes only losses that can still move the arg-max; classes and steps share their noise. It begins with
  every other candidate and three draws, then adds the neighbours of good candidates and drops poor ones. It goes
  through the steps from the noisiest to the cleanest; once the weight of a class in an image's softmax is negligible,
  the class is dropped for this image at all cleaner steps, since the gaps between classes grow as the noise falls (on
  average, not for every image). Draws are added one by one until leaving out any single one moves the arg-max by at
  most a step.

References:
    Your Diffusion Model is Secretly a Zero-Shot Classifier (Li et al., 2023), https://arxiv.org/abs/2303.16203,
    https://github.com/diffusion-classifier/diffusion-classifier: shared noise, and classes eliminated in stages. There
    a fixed number of classes stays after each stage; here classes are dropped by a bound on their weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

__all__ = ["Criterion", "Losses", "Rivals", "SearchResult", "exhaustive", "staged"]

Losses = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A function from Q questions (images 0..b - 1, grid steps, draws and classes, int64[Q] each) to losses, float64[Q]."""

Criterion = Callable[[np.ndarray], np.ndarray]
"""A function from log p(c | x_t), float64[b, N], to the contribution of each image to each of the W = N - 2 reach
candidates, float64[b, W]; the candidate with the greatest mean is chosen.
"""

TOLERANCE = 0.01
"""The greatest share of an image's softmax that the classes dropped at a step may have together."""

CLASS_DOUBT, STEP_DOUBT = 2.0, 1.0
"""The margins, in standard errors, before a class and a candidate step are dropped."""

LEAST = -1e9
"""A finite replacement for the logarithm of 0."""

FIRST_DRAWS = 3
"""The number of draws before candidates are compared."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """The classes that each image is compared with.

    Arguments:
        classes: The class at each of K places, int64[b, K]; the image's own comes first.
        log_weights: The logarithm of the number of classes that each place stands for, float64[K].
    """

    classes: np.ndarray
    log_weights: np.ndarray

    @classmethod
    def all(cls, images: int, own: int, num_classes: int) -> Rivals:
        """All classes, each standing for itself alone."""
        order = np.r_[own, np.delete(np.arange(num_classes), own)]
        return cls(np.tile(order, (images, 1)), np.zeros(num_classes))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The result of a search for the images of one class.

    Arguments:
        log_posterior: log p(c | x_t), float64[b, N]; NaN at steps that were not evaluated.
        dropped: An upper estimate, with a margin of `CLASS_DOUBT` standard errors, of the share of an image's softmax
            that all dropped classes had together; the greatest over the images.
        forwards: The number of losses that were computed.
    """

    log_posterior: np.ndarray
    dropped: float = 0.0
    forwards: int = 0


def exhaustive(losses: Losses, rivals: Rivals, steps: np.ndarray, draws: int) -> SearchResult:
    """The result from the losses of all images, steps, draws and classes."""
    shape = (len(rivals.classes), draws, rivals.classes.shape[1])
    image, draw, place = (axis.ravel() for axis in np.indices(shape))
    answers = [losses(image, np.full_like(image, step), draw, rivals.classes[image, place]) for step in steps]
    return SearchResult(_log_posterior(np.stack([a.reshape(shape) for a in answers], axis=1), rivals.log_weights))


def staged(
    losses: Losses, rivals: Rivals, steps: np.ndarray, draws: int, reach: int, criterion: Criterion
) -> SearchResult:
    """The result from those losses alone that can still move the arg-max.

    Arguments:
        losses: Computes losses.
        rivals: The classes that each image is compared with.
        steps: The candidates, and `reach` steps on both sides of them, int64[N], consecutive.
        draws: The most draws.
        reach: The distance of the finite difference to either side.
        criterion: The function to maximise.
    """
    table = _Table(losses, rivals, steps, draws)
    candidates = np.arange(len(steps) - 2 * reach)
    remaining, count = candidates[::2], min(FIRST_DRAWS, draws)
    while True:
        table.fill({int(column) for c in remaining for column in (c, c + 2 * reach)}, count)
        values = criterion(table.log_posterior())
        evaluated = np.flatnonzero(np.isfinite(values).all(0))
        best, close = _leaders(values, evaluated)
        between = [c for c in candidates if c not in evaluated and np.abs(close - c).min() == 1]
        remaining = np.union1d(close, between).astype(int)
        if between:
            continue
        if count == draws or _is_stable(table, count, criterion, close, best):
            return SearchResult(table.log_posterior(), float(table.dropped_share.max()))
        count += 1


class _Table:
    """The losses computed so far, and the classes dropped for each image and step."""

    def __init__(self, compute: Losses, rivals: Rivals, steps: np.ndarray, draws: int) -> None:
        images, places = rivals.classes.shape
        self.compute, self.rivals, self.steps = compute, rivals, steps
        self.losses = np.full((images, len(steps), draws, places), np.nan)
        self.dropped = np.zeros((images, len(steps), places), bool)
        self.dropped_share = np.zeros(images)

    def fill(self, columns: set[int], count: int) -> None:
        """Computes the losses of the first `count` draws at these steps, the noisiest first; classes of negligible
        weight at a step are dropped there and at all cleaner steps.
        """
        for column in sorted(columns, reverse=True):
            losses = self.losses[:, column]
            missing = np.isnan(losses) & ~self.dropped[:, column, None]
            missing[:, count:] = False
            if missing.any():
                image, draw, place = missing.nonzero()
                step = np.full_like(image, self.steps[column])
                losses[missing] = self.compute(image, step, draw, self.rivals.classes[image, place])
                self._drop(column)

    def _drop(self, column: int) -> None:
        """Drops the classes whose shares of the softmax, with a margin, sum to at most `TOLERANCE`."""
        losses = self.losses[:, column]
        weight = log_softmax(self.rivals.log_weights - _gaps(losses), axis=-1)
        doubt = CLASS_DOUBT * _standard_error(losses)[:, None]
        most = np.exp(np.minimum(np.maximum(weight, LEAST) + doubt, 0))
        most[:, 0] = np.inf
        order = most.argsort(1)
        total = np.take_along_axis(most, order, 1).cumsum(1)
        drop = np.zeros_like(most, bool)
        np.put_along_axis(drop, order, total <= TOLERANCE, 1)
        self.dropped_share += most.sum(1, where=drop & ~self.dropped[:, column])
        self.dropped[:, : column + 1] |= drop[:, None]

    def log_posterior(self, without: int | None = None) -> np.ndarray:
        """log p(c | x_t) from the losses of all draws, or of all draws but one, float64[b, N]."""
        losses = self.losses if without is None else np.delete(self.losses, without, axis=2)
        return _log_posterior(losses, self.rivals.log_weights)


def _leaders(values: np.ndarray, evaluated: np.ndarray) -> tuple[int, np.ndarray]:
    """The evaluated candidate with the greatest criterion, and all whose mean is less by a standard error at most."""
    best = int(evaluated[values[:, evaluated].mean(0).argmax()])
    behind = values[:, [best]] - values[:, evaluated]
    doubt = STEP_DOUBT * behind.std(0, ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else np.inf
    return best, evaluated[behind.mean(0) <= doubt]


def _is_stable(table: _Table, count: int, criterion: Criterion, close: np.ndarray, best: int) -> bool:
    """Whether leaving out any single draw moves the arg-max by at most a step."""
    means = (criterion(table.log_posterior(without=draw))[:, close].mean(0) for draw in range(count))
    return len(close) == 1 or all(abs(close[mean.argmax()] - best) <= 1 for mean in means)


def _gaps(losses: np.ndarray) -> np.ndarray:
    """The mean difference of each loss to that of the first place over the draws (the last axis but one) with both
    losses, in which the part of the noise that all classes share cancels; infinite without such a draw.
    """
    gaps = losses - losses[..., :1]
    count = (~np.isnan(gaps)).sum(-2)
    return np.where(count > 0, np.nansum(gaps, -2) / np.maximum(count, 1), np.inf)


def _standard_error(losses: np.ndarray) -> np.ndarray:
    """The standard error of the mean difference to the own class, from losses [b, R, K], pooled over the classes,
    float64[b]; infinite if no class has two draws.
    """
    gaps = (losses - losses[..., :1])[..., 1:]
    computed = ~np.isnan(gaps)
    squares = np.where(computed, gaps - _gaps(losses)[:, None, 1:], 0) ** 2
    freedom = np.maximum(computed.sum(1) - 1, 0).sum(1)
    draws = computed.any(2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(freedom > 0, np.sqrt(squares.sum((1, 2)) / freedom / draws), np.inf)


def _log_posterior(losses: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """The log softmax of the weighted exp(-gap) at the first place, from losses [..., R, K]; NaN without its loss."""
    gaps = _gaps(losses)
    own = np.isfinite(gaps[..., 0])
    return np.where(own, log_softmax(log_weights - np.where(own[..., None], gaps, 0.0), axis=-1)[..., 0], np.nan)
