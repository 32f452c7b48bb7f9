"""A static subset as a dynamic method that never changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from typing_extensions import override

from ..artifacts import Subset, check_fingerprint
from .base import Choice, Dynamic, Examples, Moment, State

__all__ = ["Fixed"]


@dataclass(frozen=True)
class Fixed(Dynamic):
    """The same examples each epoch, but for the full epochs of a plan; a subset's weights are scaled to mean 1.

    Arguments:
        subset: The examples. The plan's epochs must have as many.
    """

    subset: Subset = field(repr=False)

    @property
    @override
    def spec(self) -> Any:
        """The digests of the subset's examples and weights."""
        arrays = [self.subset.indices, self.subset.weights]
        return ["Fixed", *(array if array is None else hashlib.sha256(array.tobytes()).hexdigest() for array in arrays)]

    @override
    def begin(self, examples: Examples) -> State:
        """Raises ArtifactError if the subset is of another data set."""
        check_fingerprint(self.subset.fingerprint, examples.fingerprint, f"the subset by {self.subset.method}")
        return {}

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        """Raises ValueError if the epoch is to have another number of examples."""
        if moment.k == len(examples):
            return Choice(np.arange(moment.k))
        if moment.k != len(self.subset):
            raise ValueError(
                f"the subset by {self.subset.method} has {len(self.subset)} examples, but the epoch is to have "
                f"{moment.k}."
            )
        weights = self.subset.weights
        return Choice(self.subset.indices, None if weights is None else weights / weights.mean(), total=moment.k)
