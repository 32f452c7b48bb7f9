r"""Exact quantities of the analytic mixture, to compare estimates with: log p(c | x_t), and the mutual information of
noised images and classes with its slope.

For classes of equal weight, I(x_t; c) = log C + E log p(c | x_t). Lemma 1 of the paper says that its derivative is the
mean derivative of log p(c | x_t) along the paths x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps. The derivative with respect
to the signal-to-noise ratio r = a / (1 - a) also follows from the smallest mean squared errors:

    d I(x_t; c) / d r = 1/2 E || E[x_0 | x_t] - E[x_0 | x_t, c] ||^2

References:
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026), Eq. 6 and
    Lemma 1, https://arxiv.org/abs/2511.19274
    Mutual Information and Minimum Mean-Square Error in Gaussian Channels (Guo, Shamai and Verdu, 2005),
    https://arxiv.org/abs/cs/0412108
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data import Split, from_arrays
from .denoisers.mixture import GaussianMixture
from .reconstruction import signal

__all__ = ["Information", "agreement", "information", "log_posterior", "random_mixture", "sample_split"]


def random_mixture(
    classes: int,
    components: int,
    dimension: int,
    spread: float = 0.5,
    variance: float = 0.01,
    siblings: int = 1,
    seed: int = 0,
) -> GaussianMixture:
    """A mixture whose classes have random means.

    Arguments:
        classes: The number of classes.
        components: The number of Gaussians of each class, with means half as far apart as those of the classes.
        dimension: The number of values of an image, which is one row of them.
        spread: The standard deviation of the classes' means in each value.
        variance: The variance of each Gaussian.
        siblings: The number of successive classes that form a family. If it is above 1, each family has a random mean
            with the standard deviation `spread`, and the means of its classes have around it a standard deviation of a
            random share, from 1/4 to 1, of `spread`.
        seed: Determines the means.

    Raises:
        ValueError: If the classes are no multiple of `siblings`.
    """
    if classes % siblings:
        raise ValueError(f"families of {siblings} classes: expected a multiple of {siblings} classes, got {classes}.")
    chance = torch.Generator().manual_seed(seed)
    means = torch.randn(classes, 1, dimension, generator=chance, dtype=torch.float64)
    if siblings > 1:
        families = classes // siblings
        shares = torch.empty(families, 1, 1, dtype=torch.float64).uniform_(0.25, 1, generator=chance)
        common = torch.randn(families, 1, dimension, generator=chance, dtype=torch.float64)
        means = (shares * means.view(families, siblings, dimension) + common).view(classes, 1, dimension)
    if components > 1:
        means = means + 0.5 * torch.randn(classes, components, dimension, generator=chance, dtype=torch.float64)
    return GaussianMixture(spread * means, torch.full((classes, components), variance))


def sample_split(mixture: GaussianMixture, per_class: int, seed: int = 0) -> Split:
    """A split of images drawn from the mixture, clipped to [-1, 1] and rounded to 8 bits.

    Arguments:
        mixture: The mixture.
        per_class: The number of images of each class.
        seed: Determines the images.
    """
    labels = torch.arange(mixture.num_classes).repeat_interleave(per_class)
    x_0 = mixture.sample(labels, torch.Generator().manual_seed(seed))
    return from_arrays(f"mixture{mixture.num_classes}", ((x_0.clamp(-1, 1) + 1) / 2).numpy(), labels.numpy())


def agreement(mixture: GaussianMixture, values: Tensor, x_0: Tensor, labels: Tensor) -> np.ndarray:
    """The Spearman correlation of a score with -log q(x_0 | c) in each class, float64[C].

    Arguments:
        mixture: The mixture.
        values: The score of each image, float[B].
        x_0: The images, [B, ...].
        labels: Their classes, int64[B].
    """
    from scipy.stats import spearmanr

    exact = -mixture.log_likelihood(x_0, labels).numpy()
    classes = [(labels == c).numpy() for c in range(mixture.num_classes)]
    return np.array([spearmanr(values.numpy()[members], exact[members]).statistic for members in classes])


def log_posterior(mixture: GaussianMixture, x_t: Tensor, a: Tensor) -> Tensor:
    """The exact log p(c | x_t) for classes of equal weight, float64[B, C].

    Arguments:
        mixture: The mixture.
        x_t: Noised images, [B, ...].
        a: a_t of each image, float64[B].
    """
    count = mixture.num_classes
    every = torch.arange(count).repeat(len(x_t))
    likelihoods = mixture.log_likelihood(x_t.repeat_interleave(count, 0), every, a.repeat_interleave(count))
    return likelihoods.view(-1, count).log_softmax(1)


@dataclass(frozen=True, eq=False)
class Information:
    """The mutual information of x_t and c in nats, and both sides of Lemma 1 as derivatives with respect to r.

    Arguments:
        steps: Grid steps, int64[S].
        ratio: r at each step, float64[S].
        information: log C + E log p(c | x_t) of each class, float64[C, S]; I(x_t; c) is their mean.
        by_paths: E d/dr log p(c | x_t) of each class, float64[C, S]; their mean is Lemma 1's right side.
        by_errors: d I(x_t; c) / d r by the mean squared errors, Lemma 1's left side, float64[S].
        doubt: The standard error of the difference of the two sides, float64[S].
    """

    steps: np.ndarray
    ratio: np.ndarray
    information: np.ndarray
    by_paths: np.ndarray
    by_errors: np.ndarray
    doubt: np.ndarray

    @property
    def slope(self) -> np.ndarray:
        """|d/dt E log p(c | x_t)| of each class per grid step, float64[C, S]: what Eq. 6 maximises."""
        return np.abs(self.by_paths * np.gradient(self.ratio, self.steps))


def information(
    mixture: GaussianMixture, steps: np.ndarray, per_class: int, grid: int = 50, seed: int = 0
) -> Information:
    """The information curve by Monte Carlo with exact posteriors.

    Arguments:
        mixture: The mixture.
        steps: Grid steps, int64[S] with S >= 2, rising.
        per_class: The number of images of each class; the noise of an image is the same at all steps.
        grid: The number of steps of the sampling grid.
        seed: Determines images and noise.
    """
    chance = torch.Generator().manual_seed(seed)
    labels = torch.arange(mixture.num_classes).repeat_interleave(per_class)
    x_0 = mixture.sample(labels, chance)
    eps = torch.randn(x_0.shape, generator=chance, dtype=torch.float64)
    shares, paths, errors = [], [], []
    for a in signal(mixture, grid)[torch.from_numpy(steps)].tolist():
        r = torch.full((len(x_0),), a / (1 - a), dtype=torch.float64, requires_grad=True)
        clean = r / (1 + r)
        x_t = _times(clean.sqrt(), x_0) + _times((1 - clean).sqrt(), eps)
        posterior = log_posterior(mixture, x_t, clean)
        own = posterior.gather(1, labels[:, None]).squeeze(1)
        [slope] = torch.autograd.grad(own.sum(), r)
        with torch.no_grad():
            means = _class_means(mixture, x_t, a)
            gap = (posterior.exp()[..., None] * means).sum(1) - means[torch.arange(len(x_t)), labels]
        shares.append(own.detach() + math.log(mixture.num_classes))
        paths.append(slope)
        errors.append(0.5 * gap.square().sum(1))
    by_class = [torch.stack(values, 1).view(mixture.num_classes, per_class, -1) for values in (shares, paths, errors)]
    difference = (by_class[1] - by_class[2]).flatten(0, 1)
    at = signal(mixture, grid).numpy()[steps]
    return Information(
        steps=steps,
        ratio=at / (1 - at),
        information=by_class[0].mean(1).numpy(),
        by_paths=by_class[1].mean(1).numpy(),
        by_errors=by_class[2].mean((0, 1)).numpy(),
        doubt=(difference.std(0) / len(difference) ** 0.5).numpy(),
    )


def _class_means(mixture: GaussianMixture, x_t: Tensor, a: float) -> Tensor:
    """E[x_0 | x_t, c] for every class, float64[B, C, D]."""
    count = mixture.num_classes
    every, each = torch.arange(count).repeat(len(x_t)), x_t.repeat_interleave(count, 0)
    terms, difference, variance = mixture.terms(each, every, a)
    score = -(terms.softmax(1)[..., None] * difference / variance[..., None]).sum(1)
    return ((each.flatten(1) + (1 - a) * score) / a**0.5).view(len(x_t), count, -1)


def _times(factors: Tensor, x: Tensor) -> Tensor:
    return factors.view(-1, *[1] * (x.ndim - 1)) * x
