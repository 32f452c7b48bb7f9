r"""Two searches for the log posteriors by which the reconstruction timestep of a class is chosen.

Both ask a `Losses` for || eps - eps_theta(x_t, t, c') ||^2 of single (image, step, draw, class) and give log p(c | x_t)
of the images of one class c at the steps t.

- `exhaustive` asks for everything: images x steps x draws x classes forward passes.
- `staged` asks for what can still move the arg-max, noise shared by classes and steps. Every other candidate comes
  first, with three draws; the candidates next to the good ones follow, and the poor ones go. Steps are asked from the
  noisiest to the cleanest, and a class that can weigh next to nothing in an image's softmax is not asked for that image
  again: the gaps between classes grow as the noise falls, which is so on average and not for every image. Draws are
  added one by one until leaving out any single one moves the arg-max by at most a step.

References:
    Your Diffusion Model is Secretly a Zero-Shot Classifier (Li et al., 2023), https://arxiv.org/abs/2303.16203,
    https://github.com/diffusion-classifier/diffusion-classifier: shared noise, and classes eliminated in stages. There
    a fixed number of classes stays after each stage; here those go whose weight is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Criterion", "Losses", "Rivals", "SearchResult", "exhaustive", "staged"]

Losses = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""From images (0..b - 1), grid steps, draws and classes, int64[Q] each, to the losses of the questions, float64[Q]."""

Criterion = Callable[[np.ndarray], np.ndarray]
"""From log p(c | x_t), float64[b, N], to what each image adds to each of the W = N - 2 reach candidates, float64[b, W];
the candidate with the greatest mean is chosen.
"""

TOLERANCE = 0.01
"""The share of an image's softmax that the classes which go at a step may have together."""

CLASS_DOUBT, STEP_DOUBT = 2.0, 1.0
"""The standard errors that a class, and a candidate step, are given before they go."""

LEAST = -1e9
"""A finite stand-in for the logarithm of nothing."""

FIRST_DRAWS = 3
"""The draws before anything is judged."""


@dataclass(frozen=True, eq=False)
class Rivals:
    """The classes that each image is compared with.

    Arguments:
        classes: The class at each of K places, int64[b, K]; the image's own comes first.
        log_weights: The logarithm of how many classes each place stands for, float64[K].
    """

    classes: np.ndarray
    log_weights: np.ndarray

    @classmethod
    def all(cls, images: int, own: int, num_classes: int) -> Rivals:
        """All classes, each for itself."""
        order = np.r_[own, np.delete(np.arange(num_classes), own)]
        return cls(np.tile(order, (images, 1)), np.zeros(num_classes))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The result of a search for the images of one class.

    Arguments:
        log_posterior: log p(c | x_t), float64[b, N]; NaN at steps that were not asked.
        dropped: The greatest share of an image's softmax that the classes which went may have had when they went, all
            together; an estimate, with a margin of `CLASS_DOUBT` standard errors.
        forwards: The questions that were asked.
    """

    log_posterior: np.ndarray
    dropped: float = 0.0
    forwards: int = 0


def exhaustive(losses: Losses, rivals: Rivals, steps: np.ndarray, draws: int) -> SearchResult:
    """Every image with every draw at every step, for every class."""
    shape = (len(rivals.classes), draws, rivals.classes.shape[1])
    image, draw, place = (axis.ravel() for axis in np.indices(shape))
    asked = [losses(image, np.full_like(image, step), draw, rivals.classes[image, place]) for step in steps]
    return SearchResult(_log_posterior(np.stack([a.reshape(shape) for a in asked], axis=1), rivals.log_weights))


def staged(
    losses: Losses, rivals: Rivals, steps: np.ndarray, draws: int, reach: int, criterion: Criterion
) -> SearchResult:
    """What can still move the arg-max.

    Arguments:
        losses: Answers questions.
        rivals: The classes that each image is compared with.
        steps: The candidates, and `reach` steps on both sides of them, int64[N], consecutive.
        draws: The most draws.
        reach: The finite difference's reach.
        criterion: What is maximised.
    """
    table = _Table(losses, rivals, steps, draws)
    candidates = np.arange(len(steps) - 2 * reach)
    kept, count = candidates[::2], min(FIRST_DRAWS, draws)
    while True:
        table.ask({int(column) for c in kept for column in (c, c + 2 * reach)}, count)
        found = criterion(table.log_posterior())
        known = np.flatnonzero(np.isfinite(found).all(0))
        best, close = _leaders(found, known)
        between = [c for c in candidates if c not in known and np.abs(close - c).min() == 1]
        kept = np.union1d(close, between).astype(int)
        if between:
            continue
        if count == draws or _settled(table, count, criterion, close, best):
            return SearchResult(table.log_posterior(), float(table.lost.max()))
        count += 1


class _Table:
    """The losses that are known so far."""

    def __init__(self, losses: Losses, rivals: Rivals, steps: np.ndarray, draws: int) -> None:
        images, places = rivals.classes.shape
        self.losses, self.rivals, self.steps = losses, rivals, steps
        self.known = np.full((images, len(steps), draws, places), np.nan)
        self.gone = np.zeros((images, len(steps), places), bool)
        self.lost = np.zeros(images)

    def ask(self, columns: set[int], count: int) -> None:
        """Fills in the first `count` draws at these steps, the noisiest first; classes that weigh little go there, and
        at all cleaner steps.
        """
        for column in sorted(columns, reverse=True):
            at = self.known[:, column]
            missing = np.isnan(at) & ~self.gone[:, column, None]
            missing[:, count:] = False
            if missing.any():
                image, draw, place = missing.nonzero()
                step = np.full_like(image, self.steps[column])
                at[missing] = self.losses(image, step, draw, self.rivals.classes[image, place])
                self._drop(column)

    def _drop(self, column: int) -> None:
        weight = _log_softmax(_gaps(self.known[:, column]), self.rivals.log_weights)
        doubt = CLASS_DOUBT * _standard_error(self.known[:, column])[:, None]
        most = np.exp(np.minimum(np.maximum(weight, LEAST) + doubt, 0))
        most[:, 0] = np.inf
        order = most.argsort(1)
        total = np.take_along_axis(most, order, 1).cumsum(1)
        goes = np.zeros_like(most, bool)
        np.put_along_axis(goes, order, total <= TOLERANCE, 1)
        self.lost += most.sum(1, where=goes & ~self.gone[:, column])
        self.gone[:, : column + 1] |= goes[:, None]

    def log_posterior(self, without: int | None = None) -> np.ndarray:
        """log p(c | x_t) from all that is known, perhaps but for one draw, float64[b, N]."""
        known = self.known if without is None else np.delete(self.known, without, axis=2)
        return _log_posterior(known, self.rivals.log_weights)


def _leaders(found: np.ndarray, known: np.ndarray) -> tuple[int, np.ndarray]:
    """The known candidate with the greatest criterion, and all that may well be as good, rising."""
    best = int(known[found[:, known].mean(0).argmax()])
    behind = found[:, [best]] - found[:, known]
    doubt = STEP_DOUBT * behind.std(0, ddof=1) / np.sqrt(len(behind)) if len(behind) > 1 else np.inf
    return best, known[behind.mean(0) <= doubt]


def _settled(table: _Table, count: int, criterion: Criterion, close: np.ndarray, best: int) -> bool:
    """Whether the arg-max moves by at most a step without any single draw."""
    without = (criterion(table.log_posterior(without=draw))[:, close].mean(0) for draw in range(count))
    return len(close) == 1 or all(abs(close[found.argmax()] - best) <= 1 for found in without)


def _gaps(losses: np.ndarray) -> np.ndarray:
    """The mean over the draws (the last axis but one) of the loss less that of the first place, where both are known:
    what the noise of a draw adds to all classes goes. Infinite where there is no such draw.
    """
    gaps = losses - losses[..., :1]
    known = ~np.isnan(gaps)
    count = known.sum(-2)
    total = np.where(known, gaps, 0).sum(-2)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def _standard_error(losses: np.ndarray) -> np.ndarray:
    """The standard error of the mean difference to the own class, from the losses [b, R, K], pooled over the classes,
    float64[b]; infinite where no class has two draws.
    """
    gaps = (losses - losses[..., :1])[..., 1:]
    known = ~np.isnan(gaps)
    squares = np.where(known, gaps - _gaps(losses)[:, None, 1:], 0) ** 2
    freedom = np.maximum(known.sum(1) - 1, 0).sum(1)
    draws = known.any(2).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(freedom > 0, np.sqrt(squares.sum((1, 2)) / freedom / draws), np.inf)


def _log_softmax(gaps: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """log softmax over the last axis of the weighted exp(-gap); -inf where the gap is infinite."""
    from scipy.special import log_softmax

    return log_softmax(log_weights - gaps, axis=-1)


def _log_posterior(losses: np.ndarray, log_weights: np.ndarray) -> np.ndarray:
    """That of the first place, from the losses [..., R, K]; NaN where its loss is not known."""
    gaps = _gaps(losses)
    own = np.isfinite(gaps[..., 0])
    return np.where(own, _log_softmax(np.where(own[..., None], gaps, 0.0), log_weights)[..., 0], np.nan)
