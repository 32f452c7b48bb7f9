"""The `Recorder`: one training run, watched by any number of fold scores at once.

The training loop hands it what the network said about each example (`Outputs`). A fold keeps what it needs in a
dictionary of tensors of length n; nothing of size n x C is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

__all__ = ["Fold", "Outputs", "Recorder", "State"]

State = dict[str, Tensor]

AT_ONCE = 2**20
"""The logits that a training run collects before the folds see them: small steps are dear one by one."""


class Outputs:
    """What the network said about one batch; derived quantities are computed once, however many folds read them.

    Arguments:
        epoch: The epoch, from 1.
        index: Positions in the data set, int64[B].
        logits: float32[B, C].
        labels: int64[B].
    """

    def __init__(self, epoch: int, index: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.epoch, self.index, self.logits, self.labels = epoch, index, logits.float(), labels

    @cached_property
    def target(self) -> Tensor:
        """The logit of the label, float32[B]."""
        return self.logits.gather(1, self.labels[:, None]).squeeze(1)

    @cached_property
    def margin(self) -> Tensor:
        """The logit of the label less the largest other logit, float32[B]."""
        return self.target - self.logits.scatter(1, self.labels[:, None], -torch.inf).amax(1)

    @cached_property
    def correct(self) -> Tensor:
        """Whether the label has the largest logit, bool[B]."""
        return self.logits.argmax(1) == self.labels

    @cached_property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, float32[B, C]."""
        return self.logits.softmax(1)


class Fold(Protocol):
    """What the recorder asks of a score that watches a training run."""

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """Which outputs of this epoch (from 1, of `epochs`) the score wants: those of the training steps, those of an
        evaluation after the epoch (no augmentation, `eval` mode), or none."""

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """The statistics before training, tensors of length n."""

    def update(self, state: State, outputs: Outputs) -> None:
        """Takes one batch into the statistics."""


class Recorder:
    """Hands the outputs of one training run to every fold.

    Arguments:
        folds: The scores that watch.
        n: The number of training examples.
        num_classes: The number of classes.
        epochs: The number of epochs that the run will have.
        device: Where the statistics are kept.
    """

    def __init__(self, folds: Sequence[Fold], n: int, num_classes: int, epochs: int, device: torch.device) -> None:
        self.folds, self.epochs = tuple(folds), epochs
        self.states = [fold.begin(n, num_classes, device) for fold in self.folds]
        self.finite = torch.ones((), dtype=torch.bool, device=device)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []

    def watching(self, epoch: int, mode: str) -> list[tuple[Fold, State]]:
        """The folds that want the outputs of this epoch in this mode, with their statistics."""
        pairs = zip(self.folds, self.states, strict=True)
        return [(fold, state) for fold, state in pairs if fold.observes(epoch, self.epochs) == mode]

    def step(self, epoch: int, index: Tensor, logits: Tensor, labels: Tensor) -> None:
        """One training step's outputs; `logits` float[B, C] are detached by the caller. The folds see them in larger
        pieces, within the epoch, in which no example comes twice.
        """
        self._waiting.append((index, logits, labels))
        if len(self._waiting) * logits.numel() >= AT_ONCE:
            self._flush(epoch)

    def end_epoch(self, epoch: int, evaluate: Callable[[], Iterator[tuple[Tensor, Tensor, Tensor]]]) -> None:
        """After an epoch: an evaluation pass over the training set where a fold wants one.

        Arguments:
            epoch: The epoch that ended.
            evaluate: Gives (index, logits, labels) of the whole training set in `eval` mode.

        Raises:
            FloatingPointError: If a logit of this epoch was NaN or infinite.
        """
        self._flush(epoch)
        watching = self.watching(epoch, "eval")
        for index, logits, labels in evaluate() if watching else ():
            self._hand(watching, Outputs(epoch, index, logits, labels))
        if not self.finite:
            raise FloatingPointError(
                f"the network gave NaN or infinite logits in epoch {epoch}: lower the learning rate, or train in "
                "float32."
            )

    def _flush(self, epoch: int) -> None:
        if self._waiting:
            index, logits, labels = map(torch.cat, zip(*self._waiting, strict=True))
            self._hand(self.watching(epoch, "train"), Outputs(epoch, index, logits, labels))
            self._waiting.clear()

    def _hand(self, watching: Iterable[tuple[Fold, State]], outputs: Outputs) -> None:
        self.finite &= outputs.logits.isfinite().all()
        for fold, state in watching:
            fold.update(state, outputs)
