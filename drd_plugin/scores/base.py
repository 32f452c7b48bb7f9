"""The base classes of scores: frozen dataclasses that order the training examples by how hard they are.

- A `MapScore` is computed from the example alone (with a diffusion model, perhaps).
- A `FoldScore` watches one training run of a proxy network; one recorded run feeds all of them at once.

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
from ..data import DataError, Kind, Split
from ..strategies import Strategy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..training.recorder import Outputs, State

__all__ = ["FoldScore", "MapScore", "Proxy", "Score", "Scorer", "early_epochs", "epochs_watched"]


class Score(ABC):
    """A score of training examples.

    Arguments:
        higher_is_harder: Whether a larger value means a harder (less typical, less likely) example.
        seeded_by: The one of the `Seeds` on which the values depend.
        takes: The kinds of examples that the score can be computed of; by default all.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("images", "texts")
    higher_is_harder: ClassVar[bool]
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]]

    def __post_init__(self) -> None:
        check_fields(self)

    def file_digests(self, split: Split) -> Mapping[str, Any]:
        """All that determines the values beside the fields, the split and the seed, ready for JSON: digests of files to
        read, and choices that depend on the machine.
        """
        return {}

    def why_not(self, split: Split) -> str:
        """The reason why the score cannot be computed of this split; empty if it can."""
        if split.kind in self.takes:
            return ""
        return f"{type(self).__name__} takes {' or '.join(self.takes)}, and {split.name} holds {split.kind}"

    def why_not_with(self, strategy: Strategy) -> str:
        """The reason why this strategy cannot select by the score; empty if it can."""
        return ""

    def check(self, split: Split) -> None:
        """Raises DataError if the score cannot be computed of this split."""
        if reason := self.why_not(split):
            raise DataError(f"{reason}: take a score that watches a network's training, such as Forgetting or AUM.")


class Scorer(Protocol):
    """A map score prepared for a data set: a function from a batch to its scores."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The choices that were made in preparation (timesteps, say), ready for JSON."""

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        """The scores of a batch.

        Arguments:
            images: float32[B, C, H, W] in [-1, 1].
            labels: int64[B].
            index: Positions in the data set, int64[B]; noise is keyed by them.

        Returns:
            Independent estimates of each score, float32[B, R].
        """


class MapScore(Score):
    """A score that is computed from the example alone, an image by default; batches do not change its values."""

    takes: ClassVar[tuple[Kind, ...]] = ("images",)
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]] = "noise"

    def resized(self, split: Split) -> Split:
        """The split with its images in the size that the score needs; by default the split itself."""
        return split

    @abstractmethod
    def prepare(self, split: Split, seed: int, job: Job = Job()) -> Scorer:
        """Loads models, makes choices (timesteps, say), and returns the scorer.

        Arguments:
            split: The training split, resized for the score.
            seed: The noise seed.
            job: How and where; choices are stored in its folder, and read there by a resumed run.
        """


@dataclass(frozen=True, eq=False)
class Proxy:
    """A proxy network after its recorded training.

    Arguments:
        net: The trained network.
        split: The split it was trained on.
        epochs: The epochs of its training.
        device: Its device.
    """

    net: training.Net
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
        frugal: Whether its statistics are a few numbers for each example, rather than a number for each class.
        proxies: The number of proxies, trained from different seeds, over which the score is averaged.
    """

    frugal: ClassVar[bool] = True
    seeded_by: ClassVar[Literal["proxy", "noise", "selection"]] = "proxy"

    proxies: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "proxies")

    def last(self, epochs: int) -> int:
        """The last epoch that the score watches in a training of `epochs`; all by default.

        Raises:
            ValueError: If the training is too short for the score.
        """
        return epochs

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """The outputs of this epoch that the score takes: by default those of the training steps, up to the `last`."""
        return "train" if epoch <= self.last(epochs) else None

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """The statistics before training; by default `total`, a zero for each example."""
        import torch

        return {"total": torch.zeros(n, device=device)}

    @abstractmethod
    def update(self, state: State, outputs: Outputs) -> None:
        """Updates the statistics by the outputs of one batch."""

    def release(self, state: State, epoch: int, epochs: int) -> None:
        """Drops the statistics that no epoch after this one, of `epochs`, needs."""

    @abstractmethod
    def compute(self, state: State, proxy: Proxy) -> Tensor:
        """The scores after training, float32[n]."""


def epochs_watched(
    score: FoldScore, first_epochs: int | None, epochs: int, default: int | None = None, least: int = 1
) -> int:
    """The number of epochs, from the first, that a score watches.

    Arguments:
        score: The score, for the message.
        first_epochs: The number from its settings; None for the default.
        epochs: The length of the training.
        default: The default; all epochs if None.
        least: The least number that the score needs.

    Raises:
        ValueError: If there are fewer than `least`, or the training is shorter.
    """
    chosen = first_epochs if first_epochs is not None else epochs if default is None else default
    name = type(score).__name__
    if epochs < max(least, chosen):
        raise ValueError(
            f"{name} watches the first {max(least, chosen)} epochs, but the proxy trains for {epochs}: train it for "
            f"longer, or watch fewer ({score})."
        )
    if chosen < least:
        raise ValueError(f"{name} watches at least {least} epochs, got first_epochs={chosen}.")
    return chosen


EARLY = 30 / 200
"""The share of the training that DUAL watches on CIFAR, and TDDS in its read-me: 30 of 200 epochs."""


def early_epochs(epochs: int, window: int = 10) -> int:
    """The number of epochs, from the first, that count as early: 15 %, at least a window."""
    return max(window, round(EARLY * epochs))
