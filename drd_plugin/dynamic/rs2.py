"""RS2: repeated sampling of random subsets without replacement.

The data set is shuffled, each epoch takes the next k examples of that order, and where the order ends the next one
begins. So an epoch's examples are new until all have been seen, and at any time no example was used more than once more
than another.

References:
    Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning (Okanovic et al., 2024),
    https://arxiv.org/abs/2305.18424 https://github.com/PatrikOkanovic/RS2
    (`src/DeepCore/deepcore/methods/uniform_no_replacement.py`)

Differences: where an epoch runs over the end of an order, the examples that it has already go to the end of the next
order, so that none comes twice in an epoch and none is left out. The official code fills such an epoch up from the
beginning of the same order, with one example fewer, and shuffles after it, so that these examples come more often than
others. With replacement it is `RandomDynamic`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from .base import Choice, Dynamic, Examples, Moment, State

__all__ = ["RS2"]


@dataclass(frozen=True)
class RS2(Dynamic):
    """The next k examples of a random order of all."""

    @override
    def begin(self, examples: Examples) -> State:
        """`order` is the present order, of which the first `place` examples were used."""
        return {"order": np.arange(len(examples)), "place": np.array([len(examples)])}

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        place = int(state["place"][0])
        index = state["order"][place : place + moment.k].copy()
        state["place"][0] = place + moment.k
        if missing := moment.k - len(index):
            fresh = moment.rng.permutation(len(examples))
            last = np.isin(fresh, index, assume_unique=True)
            state["order"][:] = np.concatenate([fresh[~last], fresh[last]])
            state["place"][0] = missing
            index = np.concatenate([index, state["order"][:missing]])
        return Choice(index)
