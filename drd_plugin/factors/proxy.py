"""The features of a proxy: a network that is trained on the data set itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from typing_extensions import override

from ..artifacts import Features
from ..core.job import Job
from ..core.provenance import digest
from ..core.team import join_team
from ..data import Split
from ..scoring.recording import record_folds
from ..training.recipe import PROXY, Recipe
from .features import FeatureSource

__all__ = ["ProxyFeatures"]


@dataclass(frozen=True)
class ProxyFeatures(FeatureSource):
    """The penultimate features of a proxy after its training, of the un-augmented examples in `eval` mode.

    Arguments:
        recipe: How it is trained, in epochs.
    """

    recipe: Recipe = PROXY

    @override
    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        return {"seed": seed}

    @override
    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """A killed training goes on where it stopped.

        Raises:
            FloatingPointError: If the training diverges.
            ValueError: If the recipe is measured in steps.
        """
        features: list[Features] = []
        folder = job.path(f"proxy-seed{seed}-{digest([self, split.fingerprint])}")
        team = join_team(job.torch_device)
        record_folds(split, [], self.recipe, seed, replace(job, folder=folder, team=team), features.append)
        yield features[0].values
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
