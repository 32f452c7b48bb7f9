"""The workbench: trains networks for the strategies that must, on the training split alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .artifacts import Scores
from .data import Split
from .rng import Seeds
from .training.loop import features, predict, train
from .training.recipe import Recipe

__all__ = ["TrainingWorkbench"]


@dataclass(frozen=True, eq=False)
class TrainingWorkbench:
    """See `drd_plugin.strategies.Workbench`.

    Arguments:
        split: The training split.
        recipe: How candidates are trained.
        seeds: Their initialisation and order; equal for all candidates, so that only the subset differs.
        other_scores: Gives another score of the same split by name.
        device: `auto`, or a torch device.
    """

    split: Split
    recipe: Recipe
    seeds: Seeds
    other_scores: Callable[[str], Scores]
    device: str = "auto"

    def accuracy(self, indices: np.ndarray, reference: np.ndarray) -> float:
        """See `Workbench`."""
        trained = train(
            self.split,
            self.recipe,
            seed_init=self.seeds.init,
            seed_order=self.seeds.order,
            indices=np.sort(indices),
            device=self.device,
        )
        said = predict(trained.net, self.split, self.device).argmax(1).numpy()
        return 100 * float(np.mean(said[reference] == self.split.labels[reference]))

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """See `Workbench`."""
        recipe = self.recipe.for_epochs(epochs)
        trained = train(
            self.split,
            recipe,
            seed_init=self.seeds.proxy,
            seed_order=self.seeds.proxy,
            indices=np.sort(indices),
            device=self.device,
        )
        return features(trained.net, self.split, self.device).numpy()

    def scores(self, name: str) -> Scores:
        """See `Workbench`."""
        return self.other_scores(name)
