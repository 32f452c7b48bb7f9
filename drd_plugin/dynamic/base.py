"""The base class of dynamic methods: frozen dataclasses that choose the examples of each epoch anew.

A method uses values that were computed before the training (`Examples`), its own statistics (`State`), and what the
training reports of the examples that it used; it never asks the training network for more. Random draws come from a
generator of the seed and the epoch, so that the choices depend on nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..artifacts.vectors import as_array, whole_numbers
from ..core.registry import check_fields
from ..strategies import Workbench

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Choice", "Dynamic", "Examples", "Moment", "State"]

State = dict[str, np.ndarray]
"""A method's statistics, arrays by name; they are all that a resumed training needs."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The training set as a method sees it: the labels, and values computed before the training.

    Arguments:
        labels: int64[n] in 0..C - 1; copied.
        num_classes: C.
        fingerprint: The data set's fingerprint; "" where it has none.
        values: What the method's `prepare` returned, float64[n] each, by name.

    Raises:
        ValueError: If there are no examples, a label is no class, or a value has another length or is not finite.
    """

    labels: np.ndarray = field(repr=False)
    num_classes: int
    fingerprint: str = ""
    values: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        labels = as_array(self.labels)
        if labels.ndim != 1 or not len(labels):
            raise ValueError(f"expected at least one training example with its label, [n], got {labels.shape}.")
        labels = whole_numbers(labels, "labels").astype(np.int64)
        wrong = np.flatnonzero((labels < 0) | (labels >= self.num_classes))
        if len(wrong):
            raise ValueError(
                f"labels must be in 0..{self.num_classes - 1}, got {labels[wrong[0]]} at position {wrong[0]}."
            )
        object.__setattr__(self, "labels", labels)
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
    """How far the training is when an epoch begins.

    Arguments:
        epoch: The epoch, from 0.
        progress: Progress through the training, in [0, 1).
        pruned_progress: Progress through the pruned phase (the epochs before `full_last`), in [0, 1].
        k: How many examples the epoch is to have.
        uses: How often each example was used so far, int64[n].
        rng: The epoch's random generator.
    """

    epoch: int
    progress: float
    pruned_progress: float
    k: int
    uses: np.ndarray = field(repr=False)
    rng: np.random.Generator = field(repr=False)


@dataclass(frozen=True, eq=False)
class Choice:
    """The examples of an epoch and their loss weights.

    Arguments:
        index: Distinct positions, int64[k], in any order.
        weights: A loss weight for each, float[k]; None where all are 1.
        total: The sum that the weights must have; None where any sum will do.
    """

    index: np.ndarray = field(repr=False)
    weights: np.ndarray | None = field(default=None, repr=False)
    total: float | None = None


class Dynamic(ABC):
    """Base class of the dynamic methods.

    Arguments:
        sizes_itself: Whether the method itself determines the size of an epoch, so that a fraction has no effect.
    """

    sizes_itself: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def spec(self) -> Any:
        """The settings that determine the choices, ready for a digest."""
        return self

    @property
    def needs_scores(self) -> tuple[str, ...]:
        """The names of the scores that `prepare` asks the workbench for."""
        return ()

    @property
    def feature_space(self) -> str:
        """The name of the feature space whose factors `prepare` asks the workbench for; empty for none."""
        return ""

    @property
    def needs_features(self) -> bool:
        """Whether `feature_space` is that of the proxy."""
        return self.feature_space == "proxy"

    def prepare(self, workbench: Workbench) -> dict[str, np.ndarray]:
        """The values that the method needs before the training, float64[n] by name; none by default."""
        return {}

    def begin(self, examples: Examples) -> State:
        """The initial statistics; none by default."""
        return {}

    @abstractmethod
    def choose(self, state: State, examples: Examples, moment: Moment) -> Choice:
        """The examples of an epoch; may change the statistics, in place."""

    def notes(self, examples: Examples, index: np.ndarray, pruned_progress: float) -> dict[str, float]:
        """Numbers that describe an epoch, by name, for a benchmark's diary; none by default.

        Arguments:
            examples: The training set.
            index: The epoch's examples, int64[k].
            pruned_progress: See `Moment`.
        """
        return {}

    def signal(self, losses: Tensor, logits: Tensor | None) -> Tensor:
        """What `observe` receives of each example of a batch, float32[B]; the loss by default.

        Arguments:
            losses: float32[B], without weights.
            logits: float32[B, C]; None where the training does not report them.
        """
        return losses

    def observe(self, state: State, index: np.ndarray, signal: np.ndarray) -> None:
        """Updates the statistics, in place; each example comes at most once an epoch.

        Arguments:
            state: The statistics.
            index: int64[B].
            signal: What `signal` returned for these examples, float32[B].
        """
        return
