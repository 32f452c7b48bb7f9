"""The features of a proxy: a network that is trained on the data set itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...provenance import digest
from ...recording import record
from ...training.recipe import PROXY, Recipe
from .features import Work

if TYPE_CHECKING:
    from ...artifacts import Features
    from ...data import Split

__all__ = ["ProxyFeatures"]


@dataclass(frozen=True)
class ProxyFeatures:
    """The penultimate features of a proxy after its training, of the un-augmented examples in `eval` mode.

    Arguments:
        recipe: How it is trained, in epochs.
    """

    recipe: Recipe = PROXY

    def inputs(self, split: Split, seed: int) -> Mapping[str, Any]:
        """See `FeatureSource`."""
        return {"seed": seed}

    def rows(self, split: Split, seed: int, work: Work) -> Iterator[np.ndarray]:
        """See `FeatureSource`. A training that was killed goes on.

        Raises:
            FloatingPointError: If the training diverges.
            ValueError: If the recipe is measured in steps.
        """
        kept: list[Features] = []
        reached = None if work.folder is None else work.folder / f"proxy-seed{seed}-{digest([self, split.fingerprint])}"
        record(
            split, [], self.recipe, seed=seed, work=reached, keep_features=kept.append, device=work.device,
            progress=work.progress,
        )  # fmt: skip
        yield kept[0].values
        if reached is not None:
            shutil.rmtree(reached, ignore_errors=True)
