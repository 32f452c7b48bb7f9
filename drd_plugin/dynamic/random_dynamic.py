"""A uniformly random subset for each epoch, drawn afresh: the baseline of all dynamic methods.

References:
    Accelerating Deep Learning with Dynamic Data Pruning (Raju et al., 2021), https://arxiv.org/abs/2111.12621
    ("random dynamic"); also "RS2 with replacement" (Okanovic et al., 2024), https://arxiv.org/abs/2305.18424
"""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from .base import Choice, Dynamic, Examples, Moment, State

__all__ = ["RandomDynamic"]


@dataclass(frozen=True)
class RandomDynamic(Dynamic):
    """k distinct examples, uniformly at random, each epoch anew."""

    @override
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        return Choice(moment.rng.choice(len(examples), moment.k, replace=False, shuffle=False))
