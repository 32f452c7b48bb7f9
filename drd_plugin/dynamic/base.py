"""What a dynamic method is: a frozen dataclass that chooses the examples of each epoch anew.

A method looks at what it was told before the training (`Examples`), at its own statistics (`State`), and at what the
training says about the examples that it used; it never asks the training network for more. What it draws comes from a
generator of the seed and the epoch, so that its choices depend on nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ..registry import check_fields

if TYPE_CHECKING:
    from torch import Tensor

    from ..artifacts import Scores
    from .factors import Autoencoder, Factors

__all__ = ["Choice", "Dynamic", "Examples", "Now", "Prepared", "State", "Workshop"]

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
class Prepared:
    """What a method is told of each example before the training.

    Arguments:
        values: float64[n] each, by name.
        seconds: What they took, by stage: `score`, `features`, `autoencoder`.
        made: More that is worth to be known of them, ready for JSON.
    """

    values: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    seconds: Mapping[str, float] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)


class Workshop(Protocol):
    """Where a method finds what it needs before the training; all of it is of the same training set."""

    @property
    def labels(self) -> np.ndarray:
        """int64[n]."""

    def scores(self, name: str) -> Scores:
        """A score by name in the registry, with settings."""

    def factors(self, source: str, autoencoder: Autoencoder) -> Factors:
        """The factors that an autoencoder finds in a feature space."""

    def seconds(self, names: Sequence[str], factors: Factors | None) -> dict[str, float]:
        """What scores and factors took, by stage: `score`, `features`, `autoencoder`; a proxy that they share counts
        once.
        """


@dataclass(frozen=True, eq=False)
class Now:
    """Where the training is.

    Arguments:
        epoch: The epoch, from 0.
        progress: The share of the training that lies behind, in [0, 1).
        part: The share that lies behind of the epochs that do not see all examples by plan, in [0, 1].
        k: How many examples the epoch is to have.
        uses: How often each example was used so far, int64[n].
        rng: Draws for this epoch.
    """

    epoch: int
    progress: float
    part: float
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
    def definition(self) -> Any:
        """What decides its choices, ready for a digest."""
        return self

    @property
    def asks(self) -> tuple[str, ...]:
        """The names of the scores that `prepare` asks the workshop for."""
        return ()

    @property
    def sees(self) -> str:
        """The name of the feature space of whose factors `prepare` asks; empty for none."""
        return ""

    @property
    def sees_features(self) -> bool:
        """Whether that is the proxy's."""
        return self.sees == "proxy"

    def prepare(self, workshop: Workshop) -> Prepared:
        """What the method is told of each example before the training; nothing by default."""
        return Prepared()

    def begin(self, examples: Examples) -> State:
        """The statistics before the training; none by default."""
        return {}

    @abstractmethod
    def choose(self, state: State, examples: Examples, now: Now) -> Choice:
        """Chooses the examples of an epoch; may change the statistics, in place."""

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
