"""What a dynamic method is: a frozen dataclass that chooses the examples of each epoch anew.

A method looks at what it was told before the training (`Examples`), at its own statistics (`State`), and at what the
training says about the examples that it used; it never asks the training network for more. What it draws comes from a
generator of the seed and the epoch, so that its choices depend on nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.registry import check_fields
from ..strategies import Workbench

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["Choice", "Dynamic", "Examples", "Moment", "State"]

State = dict[str, np.ndarray]
"""A method's statistics, arrays by name; they are all that a resumed training needs."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What a method knows of the training set before the training.

    Arguments:
        labels: int64[n].
        num_classes: C.
        fingerprint: The data set's fingerprint; "" where it has none.
        values: What the method asked for, float64[n] each, by name.

    Raises:
        ValueError: If there are no examples, or a value has another length or is not finite.
    """

    labels: np.ndarray = field(repr=False)
    num_classes: int
    fingerprint: str = ""
    values: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not len(self.labels):
            raise ValueError("expected at least one training example, got none.")
        for name, value in self.values.items():
            if value.shape != self.labels.shape:
                raise ValueError(f"expected {name} of {len(self)} examples, got {value.shape}: one number for each.")
            broken = np.flatnonzero(~np.isfinite(value))
            if len(broken):
                raise ValueError(f"{name} of {len(broken)} examples is not finite (the first: {broken[:5].tolist()}).")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Moment:
    """Where the training is.

    Arguments:
        epoch: The epoch, from 0.
        progress: Progress through the training, in [0, 1).
        pruned_progress: Progress through the pruned phase (the epochs before `full_last`), in [0, 1].
        k: How many examples the epoch is to have.
        uses: How often each example was used so far, int64[n].
        rng: Draws for this epoch.
    """

    epoch: int
    progress: float
    pruned_progress: float
    k: int
    uses: np.ndarray = field(repr=False)
    rng: np.random.Generator = field(repr=False)


@dataclass(frozen=True, eq=False)
class Choice:
    """The examples of an epoch.

    Arguments:
        index: Distinct positions, int64[k], in any order.
        weights: A loss weight for each, float[k]; None where all are 1.
        total: What the weights promise to sum up to; None where they promise nothing.
    """

    index: np.ndarray = field(repr=False)
    weights: np.ndarray | None = field(default=None, repr=False)
    total: float | None = None


class Dynamic(ABC):
    """Common to all dynamic methods.

    Arguments:
        sizes_itself: Whether the method decides how many examples an epoch has, so that a fraction means nothing to it.
    """

    sizes_itself: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def spec(self) -> Any:
        """What decides its choices, ready for a digest."""
        return self

    @property
    def needs_scores(self) -> tuple[str, ...]:
        """The names of the scores that `prepare` asks the workbench for."""
        return ()

    @property
    def feature_space(self) -> str:
        """The name of the feature space of whose factors `prepare` asks; empty for none."""
        return ""

    @property
    def needs_features(self) -> bool:
        """Whether that is the proxy's."""
        return self.feature_space == "proxy"

    def prepare(self, workbench: Workbench) -> dict[str, np.ndarray]:
        """Values of each example that the method is told before the training, float64[n] by name; none by default."""
        return {}

    def begin(self, examples: Examples) -> State:
        """The statistics before the training; none by default."""
        return {}

    @abstractmethod
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        """Chooses the examples of an epoch; may change the statistics, in place."""

    def notes(self, examples: Examples, index: np.ndarray, pruned_progress: float) -> dict[str, float]:
        """Numbers worth noting of an epoch, by name, for a benchmark's diary; none by default.

        Arguments:
            examples: What the method knows of the training set.
            index: The epoch's examples, int64[k].
            pruned_progress: See `Moment`.
        """
        return {}

    def signal(self, losses: Tensor, logits: Tensor | None) -> Tensor:
        """What is remembered of a batch that was trained on, float32[B]; the losses by default.

        Arguments:
            losses: float32[B], without weights.
            logits: float32[B, C]; None where the training does not tell them.
        """
        return losses

    def observe(self, state: State, index: np.ndarray, signal: np.ndarray) -> None:
        """Takes what is remembered of examples into the statistics, in place; each comes at most once an epoch.

        Arguments:
            state: The statistics.
            index: int64[B].
            signal: float32[B].
        """
        return
