"""The `Recorder`, through which any number of fold scores watch one training run.

The training loop passes it the network's outputs for each example (`Outputs`). A fold's statistics are a dictionary of
tensors of length n, a few numbers for each example; logits are not stored (except by TDDS, which stores the
probabilities of the last epoch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from ..core.team import ALONE, Team

__all__ = ["Fold", "Outputs", "Recorder", "State"]

State = dict[str, Tensor]

AT_ONCE = 2**20
"""The number of logits that are collected before they go to the folds, since many small updates are slow."""


class Outputs:
    """The network's outputs for one batch; derived quantities are computed once, however many folds read them.

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
        """The logit of the label minus the largest other logit, float32[B]."""
        return self.target - self._largest_other(self.logits, self.target)

    @cached_property
    def target_probability(self) -> Tensor:
        """The probability of the label, float32[B]."""
        return self.probabilities.gather(1, self.labels[:, None]).squeeze(1)

    @cached_property
    def probability_margin(self) -> Tensor:
        """The probability of the label minus the largest other probability, float32[B]."""
        return self.target_probability - self._largest_other(self.probabilities, self.target_probability)

    def _largest_other(self, values: Tensor, target: Tensor) -> Tensor:
        """The largest value of each row without the label's, which is overwritten meanwhile, since a copy is slow."""
        label = self.labels[:, None]
        with torch.inference_mode():
            largest = values.scatter_(1, label, -torch.inf).amax(1)
            values.scatter_(1, label, target[:, None])
        return largest

    @cached_property
    def correct(self) -> Tensor:
        """Whether the label has the largest logit, bool[B]."""
        return self.logits.argmax(1) == self.labels

    @cached_property
    def probabilities(self) -> Tensor:
        """The softmax of the logits, float32[B, C]."""
        return self.logits.softmax(1)


class Fold(Protocol):
    """A score that watches a training run."""

    def observes(self, epoch: int, epochs: int) -> Literal["train", "eval", None]:
        """The outputs of an epoch (from 1, of `epochs`) that the score needs: those of the training steps, those of an
        evaluation after the epoch (no augmentation, `eval` mode), or none.
        """

    def begin(self, n: int, num_classes: int, device: torch.device) -> State:
        """The statistics before training, tensors of length n on the device."""

    def update(self, state: State, outputs: Outputs) -> None:
        """Updates the statistics by one batch."""

    def release(self, state: State, epoch: int, epochs: int) -> None:
        """Frees, after an epoch, what no later epoch needs."""


class Recorder:
    """Passes the outputs of one training run to every fold.

    Arguments:
        folds: The scores that watch the run.
        n: The number of training examples.
        num_classes: The number of classes.
        epochs: The number of epochs of the run.
        device: The device of the statistics.
        team: The processes that share the training; each has the statistics of all examples.
    """

    def __init__(
        self,
        folds: Sequence[Fold],
        n: int,
        num_classes: int,
        epochs: int,
        device: torch.device,
        team: Team = ALONE,
    ) -> None:
        self.folds, self.num_classes, self.epochs, self.team = tuple(folds), num_classes, epochs, team
        self.states = [fold.begin(n, num_classes, device) for fold in self.folds]
        self.presented = torch.zeros(n, dtype=torch.int32, device=device)
        self._broken = torch.full((), n, device=device)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []
        self._size = 0

    def watching(self, epoch: int, mode: str) -> list[tuple[Fold, State]]:
        """The folds that need the outputs of this epoch in this mode (`train` or `eval`), with their statistics."""
        pairs = zip(self.folds, self.states, strict=True)
        return [(fold, state) for fold, state in pairs if fold.observes(epoch, self.epochs) == mode]

    def step(self, epoch: int, index: Tensor, logits: Tensor, labels: Tensor, size: int | None = None) -> None:
        """Records the outputs of one training step. The folds get them together with those of other steps of the epoch,
        in which no example may appear twice.

        Arguments:
            epoch: The epoch, from 1.
            index: Positions in the data set, int64[B].
            logits: float[B, C], detached from the graph.
            labels: int64[B].
            size: The number of examples in the step, of all processes; B by default.

        Raises:
            ValueError: If C is not the number of classes.
        """
        if logits.shape[1] != self.num_classes:
            raise ValueError(
                f"the recorder watches a run of {self.num_classes} classes, but the network gave logits for "
                f"{logits.shape[1]}: record each run of its own number of classes by itself."
            )
        self._waiting.append((index, logits, labels))
        self._size += len(index) if size is None else size
        if self._size * self.num_classes >= AT_ONCE:
            self._flush(epoch)

    def end_epoch(self, epoch: int, evaluate: Callable[[], Iterator[tuple[Tensor, Tensor, Tensor]]]) -> None:
        """Ends an epoch, with an evaluation on the training set if a fold needs one.

        Arguments:
            epoch: The epoch.
            evaluate: Yields (index, logits, labels) of the training set in `eval` mode; each process those of its part.

        Raises:
            FloatingPointError: If a logit of this epoch was NaN or infinite.
        """
        self._flush(epoch)
        watching = self.watching(epoch, "eval")
        for piece in evaluate() if watching else ():
            self._update(watching, Outputs(epoch, *self.team.gather(*piece)))
        for fold, state in zip(self.folds, self.states, strict=True):
            fold.release(state, epoch, self.epochs)
        if self._broken < len(self.presented):
            raise FloatingPointError(
                f"the network gave NaN or infinite logits for example {int(self._broken)} in epoch {epoch}: lower the "
                "learning rate, train in float32, or look at this image."
            )

    def finish(self) -> None:
        """Checks, after the last epoch, that every example has statistics.

        Raises:
            ValueError: If an example was never presented.
        """
        missing = (self.presented == 0).nonzero().flatten().tolist()
        if missing:
            raise ValueError(
                f"{len(missing)} of {len(self.presented)} examples were never presented (the first: {missing[:5]}), so "
                "they have no score: record a training on the whole set."
            )

    def tensors(self) -> dict[str, Tensor]:
        """All statistics by name, for a checkpoint after an epoch."""
        named = {f"{i}.{name}": value for i, state in enumerate(self.states) for name, value in state.items()}
        return {"presented": self.presented} | named

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Restores the result of `tensors`."""
        device = self.presented.device
        self.presented = tensors["presented"].to(device)
        for i, state in enumerate(self.states):
            state.update({name: tensors[f"{i}.{name}"].to(device) for name in state})

    def _flush(self, epoch: int) -> None:
        if not self._waiting:
            return
        outputs = Outputs(epoch, *self.team.gather(*map(torch.cat, zip(*self._waiting, strict=True))))
        self.presented.index_add_(0, outputs.index, torch.ones_like(outputs.index, dtype=torch.int32))
        self._update(self.watching(epoch, "train"), outputs)
        self._waiting.clear()
        self._size = 0

    def _update(self, watching: Iterable[tuple[Fold, State]], outputs: Outputs) -> None:
        broken = ~outputs.logits.sum(1).isfinite()  # a NaN or an infinity makes its row's sum one
        first = outputs.index.index_select(0, broken.int().argmax().view(1)).squeeze(0)
        unbroken = self._broken == len(self.presented)
        self._broken = torch.where(broken.any() & unbroken, first, self._broken)
        for fold, state in watching:
            fold.update(state, outputs)
