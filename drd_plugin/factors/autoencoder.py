r"""A TopK sparse autoencoder: features as sums of a few of many directions, the factors.

    z = ReLU(TopK(W_enc (x - b_pre) + b_enc))        x_hat = W_dec z + b_pre

    L = ||x - x_hat||^2 / Var + alpha ||e - e_hat||^2 / Var(e)        e = x - x_hat, not differentiated

The columns of W_dec have unit norm: what a step would change along them is taken out of the gradient, and they are
normalised after it. W_enc begins as W_dec^T. e_hat is what the `aux_k` strongest of the dead units would make of the
residual e, with alpha = 1/32; it revives them, since TopK alone gives them no gradient.

References:
    Scaling and evaluating sparse autoencoders (Gao et al., 2024), https://arxiv.org/abs/2406.04093
    https://github.com/openai/sparse_autoencoder

Differences: b_pre begins at the mean, not at the geometric median of a part. Features are divided by one number, so
that their variances add up to d, instead of being standardised one by one, which keeps the norm of an example, since it
is informative. The learning rate falls to zero over the last fifth of the steps, there is no moving average of the
weights, and steps are smaller and fewer: language models give billions of features, a data set a thousand to a million.

`overcomplete` 0.3.0, which has a TopK autoencoder with a unit-norm dictionary and an initialisation from it, lacks the
rest: its auxiliary loss goes over half of the units that were not chosen, dead or not, and the dead are counted to be
printed; it has no b_pre and no scaling, but batch normalisation in the encoder; and it needs OpenCV, scikit-image, timm
and a Python before 3.13. `dictionary-learning` 0.1.0 and `sae-lens` 6.54 have the loss, but train on activations of
language models, with their tool chains (nnsight and wandb; transformer-lens), and the former keeps models as pickles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..core.registry import check_fields, check_least

__all__ = ["Autoencoder"]

MOST_UNITS = 8192
"""The most units by default."""

LONGEST = 10_000
"""The most examples in a row, by default, for which a living unit is silent."""


@dataclass(frozen=True)
class Autoencoder:
    """How a sparse autoencoder is trained. Fields that are None follow from the number of examples n and of features d.

    Arguments:
        units: The number of units m; by default four for each feature, but at least eight examples for each unit, and
            at most 8,192.
        k: How many units may be active for an example; by default one for eight features, from 4 to 32.
        steps: Optimiser steps; by default 500, and at least four passes over the data set.
        batch_size: Examples a step; a smaller data set is one batch.
        lr: Adam's learning rate, for features whose variances add up to d; by default 1 / (20 sqrt(m)).
        aux_k: How many dead units enter the auxiliary loss; by default half as many as there are features.
        aux_weight: The auxiliary loss's weight alpha; 0 for none.
        dead_after: A unit counts as dead when it was not active for so many examples in a row; by default for one pass
            over the data set, and at most 10,000.
    """

    units: int | None = None
    k: int | None = None
    steps: int | None = None
    batch_size: int = 512
    lr: float | None = None
    aux_k: int | None = None
    aux_weight: float = 1 / 32
    dead_after: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_least(self, 1, "units", "k", "steps", "batch_size", "aux_k", "dead_after")
        if (self.lr is not None and self.lr <= 0) or self.aux_weight < 0:
            raise ValueError(f"expected lr > 0 and aux_weight >= 0, got {self.lr} and {self.aux_weight}.")
        if self.units is not None and self.k is not None and self.units < self.k:
            raise ValueError(f"expected at least as many units as are active, got units={self.units} and k={self.k}.")

    def settled(self, n: int, d: int) -> Autoencoder:
        """These settings with numbers for the fields that are None.

        Arguments:
            n: The number of examples.
            d: The number of features.
        """
        batch_size, k = min(self.batch_size, n), self.k or min(32, max(4, d // 8))
        units = self.units or max(k, min(4 * d, n // 8, MOST_UNITS))
        return replace(
            self,
            units=units,
            k=min(k, units),
            steps=self.steps or max(500, -(-4 * n // batch_size)),
            batch_size=batch_size,
            lr=self.lr or 1 / (20 * math.sqrt(units)),
            aux_k=self.aux_k or max(1, d // 2),
            dead_after=self.dead_after or min(n, LONGEST),
        )
