"""What a score is: a frozen dataclass that orders the training examples by how hard they are.

- A `MapScore` needs only the example (and a diffusion model).
- A `FoldScore` watches one training run of a proxy network; one recorded run feeds every fold at once.

The fields of the dataclass are the hyper-parameters, so `repr`, command-line flags, cache keys and provenance follow
from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from .. import training
from ..core.job import Job
from ..core.registry import check_fields, check_least
from ..data import DataError, Kind

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..data import Split
    from ..training.nets import Net
    from ..training.recorder import Outputs, State

__all__ = ["FoldScore", "MapScore", "Proxy", "Score", "Scorer", "early", "epochs_watched"]


class Score(ABC):
    """Common to all scores.

    Arguments:
        higher_is_harder: Whether a larger value means a harder (less typical, less likely) example.
        seeded_by: Which of `Seeds` the values depend on.
        takes: What the examples may be; by default, whatever a network can be trained on.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("images", "texts")
    higher_is_harder: ClassVar[bool]
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]]

    def __post_init__(self) -> None:
        check_fields(self)

    def file_digests(self, split: Split) -> Mapping[str, Any]:
        """What decides the values beside the fields, the split and the seed (digests of files that are read, choices
        that depend on the machine), ready for JSON.
        """
        return {}

    def why_not(self, split: Split) -> str:
        """Why the score cannot be had of such examples at all; empty if it can."""
        if split.kind in self.takes:
            return ""
        return f"{type(self).__name__} takes {' or '.join(self.takes)}, and {split.name} holds {split.kind}"

    def check(self, split: Split) -> None:
        """Raises DataError if there is an obstacle."""
        if found := self.why_not(split):
            raise DataError(f"{found}: take a score that watches a network's training, such as Forgetting or AUM.")


class Scorer(Protocol):
    """A map score that has been made ready for a data set."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was settled while getting ready (timesteps, say), ready for JSON."""

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """Scores a batch.

        Arguments:
            images: float32[B, C, H, W] in [-1, 1].
            labels: int64[B].
            index: Positions in the data set, int64[B]; noise is keyed by them.

        Returns:
            Independent estimates of each score, float32[B, R].
        """


class MapScore(Score):
    """A score that needs only the example, an image by default; its values do not depend on how examples are
    batched.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("images",)
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]] = "noise"

    def resized(self, split: Split) -> Split:
        """The split with its images in the size that the score takes; the split itself by default."""
        return split

    @abstractmethod
    def prepare(self, split: Split, seed: int, job: Job = Job()) -> Scorer:
        """Loads or settles what scoring needs.

        Arguments:
            split: The training split, resized for the score.
            seed: The noise seed.
            job: How and where; in its folder settled things are kept, so that a resumed run finds them again.
        """


@dataclass(frozen=True, eq=False)
class Proxy:
    """A proxy network after its recorded run.

    Arguments:
        net: The trained network.
        split: What it was trained on.
        epochs: For how long.
        device: Where it is.
    """

    net: Net
    split: Split
    epochs: int
    device: str

    @cached_property
    def features(self) -> Tensor:
        """Penultimate features of the un-augmented training set in `eval` mode, float32[n, width], on the CPU."""
        return training.features(self.net, self.split, self.device)


@dataclass(frozen=True)
class FoldScore(Score):
    """A score that watches a training run. Its statistics are a dictionary of tensors of length n (see `Recorder`).

    Arguments:
        frugal: Whether its statistics are a few numbers for each example, and not C.
        proxies: How many proxies, trained from different seeds, the score is averaged over.
    """

    frugal: ClassVar[bool] = True
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]] = "proxy"

    proxies: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "proxies")

    def last(self, epochs: int) -> int:
        """The last epoch that is watched, in a training of `epochs`; by default the last one.

        Raises:
            ValueError: If the training is too short for the score.
        """
        return epochs

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """Which outputs of this epoch the score wants: by default those of the training steps, up to the `last`."""
        return "train" if epoch <= self.last(epochs) else None

    @abstractmethod
    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """The statistics before training."""

    @abstractmethod
    def update(self, state: State, outputs: Outputs) -> None:
        """Takes one batch into the statistics."""

    def release(self, state: State, epoch: int, epochs: int) -> None:
        """After an epoch, of `epochs`; lets go of statistics that no later epoch needs."""

    @abstractmethod
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        """The scores after training, float32[n]."""


def epochs_watched(what: FoldScore, wanted: int | None, epochs: int, default: int | None = None, least: int = 1) -> int:
    """How many of a training's first epochs a score watches.

    Arguments:
        what: The score, for the message.
        wanted: What its field `first_epochs` says; None for the default.
        epochs: The length of the training.
        default: The default; all by default.
        least: How many the score cannot do without.

    Raises:
        ValueError: If they are fewer than `least`, or the training is shorter.
    """
    chosen = wanted if wanted is not None else epochs if default is None else default
    name = type(what).__name__
    if epochs < max(least, chosen):
        raise ValueError(
            f"{name} watches the first {max(least, chosen)} epochs, but the proxy trains for {epochs}: train it for "
            f"longer, or watch fewer ({what})."
        )
    if chosen < least:
        raise ValueError(f"{name} watches at least {least} epochs, got first_epochs={chosen}.")
    return chosen


EARLY = 30 / 200
"""The share of the training that DUAL watches on CIFAR, and TDDS in its read-me: 30 of 200 epochs."""


def early(epochs: int, window: int = 10) -> int:
    """The first epochs of a training that count as early: 15 %, at least a window."""
    return max(window, round(EARLY * epochs))
