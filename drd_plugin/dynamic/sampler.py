"""`DynamicSampler`: a dynamic method as a plain sampler of PyTorch's, with a state that can be written down."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from ..artifacts import ArtifactError
from ..core.provenance import digest
from ..core.seeds import generator
from ..core.team import Team, current_team
from .base import Choice, Dynamic, Examples, Moment
from .plan import Plan

__all__ = ["DynamicSampler"]


class DynamicSampler(Sampler[int]):
    """Positions of the examples of an epoch, in random order.

    The training begins an epoch with `set_epoch`, and tells what came of each batch with `update`, which the method
    sees before it chooses again:

        for epoch in range(epochs):
            sampler.set_epoch(epoch)
            for images, labels, index in DataLoader(dataset, batch_size=128, sampler=sampler):
                losses = cross_entropy(net(images), labels, reduction="none")
                sampler.update(index, losses)
                (losses * sampler.weights_of(index)).mean().backward()

    Nothing of the global random state is read or changed. Where `torch.distributed` is initialised, each process yields
    its share of the epoch, so that together they see each example of it once; all processes call `set_epoch`, `update`
    and `state_dict` at the same points. The shares differ by at most one example, for which one process may have a
    batch more: wrap a loop of your own in `DistributedDataParallel.join()`, which lets the others wait.

    Arguments:
        method: Chooses.
        examples: What it knows of the training set.
        plan: How many examples an epoch has.
        epochs: How many epochs the training has; None where `set_epoch` is told the progress.
        seed: Of everything that is drawn.
        us: The processes that share the training; those of `torch.distributed` by default, as they are at each epoch.

    Raises:
        ValueError: If there is no epoch, or the plan leaves one at the beginning or the end no example.

    Attributes:
        index: The epoch's examples in the order of presentation, of all processes, int64[k].
        weights: A loss weight for each example of the data set, float32[n]; None where all are 1.
        uses: How often each example was chosen so far, this epoch included, int64[n].
    """

    def __init__(
        self,
        method: Dynamic,
        examples: Examples,
        plan: Plan,
        *,
        epochs: int | None = None,
        seed: int = 0,
        team: Team | None = None,
    ) -> None:
        if epochs is not None and epochs < 1:
            raise ValueError(f"expected at least one epoch, got {epochs}.")
        plan.check(len(examples))
        self.method, self.examples, self.plan = method, examples, plan
        self.epochs, self.seed, self._team = epochs, seed, team
        self.epoch, self.index = -1, torch.empty(0, dtype=torch.int64)
        self.weights: Tensor | None = None
        self.uses = np.zeros(len(examples), np.int64)
        self._state = method.begin(examples)
        self._told: list[tuple[Tensor, Tensor]] = []
        self._start = self._given = 0

    @property
    def team(self) -> Team:
        """The processes that share the training."""
        return current_team() if self._team is None else self._team

    def set_epoch(self, epoch: int, progress: float | None = None) -> None:
        """Chooses the examples of an epoch; does nothing if it is the present one already (of a state that was loaded).

        Arguments:
            epoch: From 0.
            progress: The share of the training that lies behind, in [0, 1); `epoch / epochs` by default.

        Raises:
            FloatingPointError: If a loss of the last epoch was NaN or infinite.
            ValueError: If the epoch lies behind, the progress is not known, or the choice cannot be used.
        """
        if epoch == self.epoch:
            return
        if epoch < self.epoch:
            raise ValueError(f"epoch {epoch} lies behind epoch {self.epoch}: load a state from then, or begin anew.")
        if progress is None:
            if self.epochs is None:
                raise ValueError("the sampler was not told how many epochs there are: give set_epoch the progress.")
            progress = epoch / self.epochs
        if not 0 <= progress < 1:
            raise ValueError(f"epoch {epoch} of {self.epochs}: expected a progress in [0, 1), got {progress}.")
        self._listen()
        rng = generator(self.seed, f"dynamic {epoch}")
        k = self.plan.size(len(self.examples), progress)
        moment = Moment(epoch, progress, self.plan.pruned_progress(progress), k, self.uses, rng)
        choice = self.method.choose(self._state, self.examples, moment)
        index = _checked(choice, len(self.examples), self.method)
        self.uses[index] += 1
        self.epoch, self._start, self._given = epoch, 0, 0
        self.index, self.weights = torch.from_numpy(rng.permutation(index)), self._full(choice)

    def __iter__(self) -> Iterator[int]:
        share = self._share()
        start, self._start = self._start, 0
        for self._given, position in enumerate(share[start:].tolist(), start + 1):
            yield position

    def __len__(self) -> int:
        """The number of examples that this process has in the epoch."""
        return len(self._share())

    def weights_of(self, index: Tensor) -> Tensor:
        """The loss weights of a batch, float32[B], on its device.

        Arguments:
            index: int64[B].
        """
        if self.weights is None:
            return torch.ones(len(index), device=index.device)
        return self.weights[index.cpu()].to(index.device)

    def update(self, index: Tensor, losses: Tensor, logits: Tensor | None = None) -> None:
        """What came of a batch.

        Arguments:
            index: int64[B].
            losses: float[B], without weights.
            logits: float[B, C], for methods whose `signal` reads them.
        """
        signal = self.method.signal(losses.detach().float(), None if logits is None else logits.detach().float())
        self._told.append((index.to(signal.device), signal))

    def state_dict(self, taken: int | None = None) -> dict[str, Any]:
        """Everything that decides what comes: plain numbers, a text, and tensors. All processes get the same.

        Arguments:
            taken: How many examples of this epoch the training has taken from this process's share; by default those
                that were yielded, which are too many where workers of a `DataLoader` read ahead.
        """
        self._listen()
        place = self.team.same(self._given if taken is None else taken) * self._processes
        tensors = {"index": self.index, "uses": self.uses, **{f"method.{key}": of for key, of in self._state.items()}}
        if self.weights is not None:
            tensors["weights"] = self.weights
        copies = {key: torch.as_tensor(of).clone() for key, of in tensors.items()}
        return {"identity": self.identity, "epoch": self.epoch, "place": place, **copies}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state_dict` gave; the next iteration goes on where it was, with any number of processes.

        Raises:
            ArtifactError: If it is the state of another data set, method, plan or seed.
        """
        if state.get("identity") != self.identity:
            raise ArtifactError(
                f"this is the state of another training: expected {self.identity}, got {state.get('identity')}."
            )
        self.epoch, self.index, self.weights = state["epoch"], state["index"].clone(), state.get("weights")
        self.uses = state["uses"].numpy().copy()
        for key in self._state:
            self._state[key] = state[f"method.{key}"].numpy().copy()
        self._told.clear()
        self._start = self._given = max(0, -(-(state["place"] - self._rank) // self._processes))

    @cached_property
    def identity(self) -> str:
        """A digest of what decides the choices beside what the training says, after the method's name."""
        arrays = {"labels": self.examples.labels, **self.examples.values}
        known = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
        made = [self.method.spec, self.plan, self.epochs, self.seed, self.examples.fingerprint, known]
        return f"{type(self.method).__name__} {digest(made)}"

    @property
    def _rank(self) -> int:
        state = self.team.state
        return 0 if state is None else state.process_index

    @property
    def _processes(self) -> int:
        state = self.team.state
        return 1 if state is None else state.num_processes

    def _share(self) -> Tensor:
        return self.index[self._rank :: self._processes]

    def _full(self, choice: Choice) -> Tensor | None:
        if choice.weights is None:
            return None
        weights = torch.zeros(len(self.examples))
        weights[torch.from_numpy(choice.index)] = torch.as_tensor(choice.weights, dtype=torch.float32)
        return weights

    def _listen(self) -> None:
        """Hands the method what the training has said since the last time, of all processes."""
        team = self.team
        nothing = torch.empty(0, dtype=torch.int64, device=team.device), torch.empty(0, device=team.device)
        columns = map(torch.cat, zip(*self._told or [nothing], strict=True))
        index, signal = (column.cpu().numpy() for column in team.together(*columns))
        self._told.clear()
        broken = index[~np.isfinite(signal)]
        if len(broken):
            raise FloatingPointError(
                f"the loss of {len(broken)} examples was NaN or infinite (the first: {broken[:5].tolist()}): lower the "
                "learning rate, train in float32, or look at these examples."
            )
        if len(index):
            self.method.observe(self._state, index, signal)


def _checked(choice: Choice, n: int, method: Dynamic) -> np.ndarray:
    """The positions of a choice that can be used."""
    index, whose = choice.index, type(method).__name__
    if not len(index) or index.min() < 0 or index.max() >= n or np.bincount(index).max() > 1:
        raise ValueError(f"{whose} must choose distinct positions in 0..{n - 1}, at least one; it chose {index}.")
    if choice.weights is not None:
        weights = np.asarray(choice.weights)
        if weights.shape != index.shape or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(f"{whose} must give a finite, non-negative weight for each of {len(index)}: {weights}.")
        if choice.total is not None and abs(weights.sum() - choice.total) > 1e-3 * choice.total:
            raise ValueError(f"{whose} promised weights with sum {choice.total:g}, and gave {weights.sum():g}.")
    return index
