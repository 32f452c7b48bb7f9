"""`DynamicSampler`: a dynamic method as a sampler of PyTorch's that can be stored and resumed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler
from typing_extensions import override

from ..artifacts import ArtifactError
from ..artifacts.vectors import positions_of
from ..core.provenance import digest
from ..core.seeds import check_seed, generator
from ..core.team import Team, current_team
from .base import Choice, Dynamic, Examples, Moment
from .plan import Plan

__all__ = ["DynamicSampler", "check_epochs"]


class DynamicSampler(Sampler[int]):
    """Yields the positions of an epoch's examples, in random order.

    The training begins an epoch with `set_epoch`, and reports the losses of each batch with `update`; the method
    observes them before it chooses again:

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
        method: Chooses the examples of each epoch.
        examples: The training set as the method sees it.
        plan: How many examples an epoch has.
        epochs: How many epochs the training has; None where the training gives `set_epoch` its progress.
        seed: The seed of all random draws.
        team: The processes that share the training; those of `torch.distributed` by default, as they are at each epoch.

    Raises:
        ValueError: If there are no epochs, or an epoch at the beginning or the end would have no examples.

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
        check_epochs(epochs)
        check_seed(seed)
        plan.check(len(examples))
        self.method, self.examples, self.plan = method, examples, plan
        self.epochs, self.seed, self._team = epochs, seed, team
        self.epoch, self.index = -1, torch.empty(0, dtype=torch.int64)
        self.weights: Tensor | None = None
        self.uses = np.zeros(len(examples), np.int64)
        self._state = method.begin(examples)
        self._feedback: list[tuple[Tensor, Tensor]] = []
        self._start = self._position = 0

    @property
    def team(self) -> Team:
        """The processes that share the training."""
        return current_team() if self._team is None else self._team

    def set_epoch(self, epoch: int, progress: float | None = None) -> None:
        """Chooses the examples of an epoch; does nothing if it is the present one, as after `load_state_dict`.

        Arguments:
            epoch: From 0.
            progress: Progress through the training, in [0, 1); `epoch / epochs` by default.

        Raises:
            FloatingPointError: If a loss of the last epoch was NaN or infinite.
            ValueError: If the epoch is no integer, negative or before the present one, the progress is missing or not
                in [0, 1), or the choice is not valid.
        """
        if isinstance(epoch, bool) or not isinstance(epoch, int | np.integer) or epoch < 0:
            raise ValueError(f"expected the number of an epoch, from 0, got {epoch!r}.")
        if epoch == self.epoch:
            return
        if epoch < self.epoch:
            raise ValueError(f"epoch {epoch} lies behind epoch {self.epoch}: load a state from then, or begin anew.")
        if progress is None:
            if self.epochs is None:
                raise ValueError("the sampler was not told how many epochs there are: give set_epoch the progress.")
            progress = epoch / self.epochs
        if not isinstance(progress, Real) or not 0 <= progress < 1:
            raise ValueError(f"epoch {epoch} of {self.epochs}: expected a progress in [0, 1), got {progress}.")
        self._observe()
        rng = generator(self.seed, f"dynamic {epoch}")
        k = self.plan.size(len(self.examples), progress)
        moment = Moment(epoch, progress, self.plan.pruned_progress(progress), k, self.uses, rng)
        choice = self.method.choose(self._state, self.examples, moment)
        _check_choice(choice, len(self.examples), self.method)
        self.uses[choice.index] += 1
        self.epoch, self._start, self._position = epoch, 0, 0
        self.index, self.weights = torch.from_numpy(rng.permutation(choice.index)), self._all_weights(choice)

    @override
    def __iter__(self) -> Iterator[int]:
        """The positions of the epoch's examples that this process has.

        Raises:
            ValueError: If no epoch was begun.
        """
        share, start, self._start = self._share(), self._start, 0
        return self._counted(share[start:], start)

    def _counted(self, share: Tensor, start: int) -> Iterator[int]:
        for self._position, example in enumerate(share.tolist(), start + 1):
            yield example

    def __len__(self) -> int:
        """The number of examples that this process has in the epoch; raises ValueError if none was begun."""
        return len(self._share())

    def weights_of(self, index: Tensor) -> Tensor:
        """The loss weights of a batch, float32[B], on its device.

        Arguments:
            index: int64[B].

        Raises:
            ValueError: If no epoch was begun, or a position is out of range.
        """
        self._check_begun()
        if self.weights is None:
            return torch.ones(len(index), device=index.device)
        positions = index.cpu()
        self._check_range(positions.numpy())
        return self.weights[positions].to(index.device)

    def update(self, index: Tensor, losses: Tensor, logits: Tensor | None = None) -> None:
        """Takes the losses of a batch, which the method observes before it chooses again.

        Arguments:
            index: Distinct positions, int64[B].
            losses: Numbers [B] or [B, 1], without weights.
            logits: float[B, C], for methods whose `signal` reads them.

        Raises:
            ValueError: If no epoch was begun, the shapes do not fit, or a position is no integer, out of range (on a
                GPU found by the next `set_epoch`) or appears twice.
        """
        self._check_begun()
        if not isinstance(index, Tensor) or index.device.type == "cpu":  # a GPU would have to be waited for
            index = torch.from_numpy(positions_of(index, len(self.examples)))
        try:
            losses = losses if isinstance(losses, Tensor) else torch.from_numpy(np.asarray(losses, np.float64))
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"expected the loss of each example of a batch, numbers [B]: {error}.") from error
        if losses.ndim == 2 and losses.shape[1] == 1:
            losses = losses[:, 0]
        rows = [losses] if logits is None else [losses, logits]
        if any(values.shape[:1] != index.shape for values in rows) or losses.ndim != 1 or losses.is_complex():
            shapes = " and logits ".join(str(tuple(values.shape)) for values in rows)
            raise ValueError(
                f"expected the loss of each example of a batch, [B] (reduction='none'), for positions "
                f"{tuple(index.shape)}; got losses {shapes}."
            )
        signal = self.method.signal(losses.detach().float(), None if logits is None else logits.detach().float())
        self._feedback.append((index.to(signal.device), signal))

    def state_dict(self, position: int | None = None) -> dict[str, Any]:
        """The state to resume a training from: plain numbers, a text, and tensors; the same in all processes.

        Arguments:
            position: How many examples of its share of the epoch this process has trained on; by default those that
                were yielded, which are too many where workers of a `DataLoader` read ahead.
        """
        self._observe()
        place = self.team.broadcast(self._position if position is None else position) * self.team.processes
        arrays = {"index": self.index, "uses": self.uses}
        arrays |= {f"method.{name}": array for name, array in self._state.items()}
        if self.weights is not None:
            arrays["weights"] = self.weights
        copies = {name: torch.as_tensor(array).clone() for name, array in arrays.items()}
        return {"identity": self.identity, "epoch": self.epoch, "place": place, **copies}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores a state from `state_dict`; the next iteration goes on from there, with any number of processes.

        Raises:
            ArtifactError: If it is the state of another data set, method, plan or seed.
        """
        if state.get("identity") != self.identity:
            raise ArtifactError(
                f"this is the state of another training: expected {self.identity}, got {state.get('identity')}."
            )
        self.epoch, self.index, self.weights = state["epoch"], state["index"].clone(), state.get("weights")
        self.uses = state["uses"].numpy().copy()
        self._state = {name: state[f"method.{name}"].numpy().copy() for name in self._state}
        self._feedback.clear()
        self._start = self._position = max(0, -(-(state["place"] - self.team.rank) // self.team.processes))

    @cached_property
    def identity(self) -> str:
        """The method's name, and a digest of all that determines the choices beside the reported losses."""
        arrays = {"labels": self.examples.labels, **self.examples.values}
        digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
        settings = [self.method.spec, self.plan, self.epochs, self.seed, self.examples.fingerprint, digests]
        return f"{type(self.method).__name__} {digest(settings)}"

    def _check_begun(self) -> None:
        """Raises ValueError unless an epoch was begun."""
        if self.epoch < 0:
            raise ValueError("no epoch was begun, so that there are no examples: call set_epoch(epoch) first.")

    def _check_range(self, index: np.ndarray) -> None:
        """Raises ValueError if a position is out of range."""
        outside = index[(index < 0) | (index >= len(self.examples))]
        if len(outside):
            raise ValueError(f"expected positions in 0..{len(self.examples) - 1}, got {outside[0]}.")

    def _share(self) -> Tensor:
        """The examples of the epoch that this process yields."""
        self._check_begun()
        return self.index[self.team.rank :: self.team.processes]

    def _all_weights(self, choice: Choice) -> Tensor | None:
        """`weights` of a choice."""
        if choice.weights is None:
            return None
        weights = torch.zeros(len(self.examples))
        weights[torch.from_numpy(choice.index)] = torch.as_tensor(choice.weights, dtype=torch.float32)
        return weights

    def _observe(self) -> None:
        """Passes the losses that all processes have reported since the last call to the method."""
        team = self.team
        nothing = torch.empty(0, dtype=torch.int64, device=team.device), torch.empty(0, device=team.device)
        columns = map(torch.cat, zip(*self._feedback or [nothing], strict=True))
        index, signal = (column.cpu().numpy() for column in team.gather(*columns))
        self._feedback.clear()
        self._check_range(index)
        broken = index[~np.isfinite(signal)]
        if len(broken):
            raise FloatingPointError(
                f"the loss of {len(broken)} examples was NaN or infinite (the first: {broken[:5].tolist()}): lower the "
                "learning rate, train in float32, or look at these examples."
            )
        if len(index):
            self.method.observe(self._state, index, signal)


def check_epochs(epochs: int | None) -> None:
    """Raises ValueError unless a number of epochs is None or a positive integer."""
    integer = isinstance(epochs, int | np.integer) and not isinstance(epochs, bool)
    if epochs is not None and not (integer and epochs >= 1):
        raise ValueError(f"expected at least one epoch, got {epochs!r}.")


def _check_choice(choice: Choice, n: int, method: Dynamic) -> None:
    """Raises ValueError unless the positions and weights of a choice are valid."""
    index, whose = choice.index, type(method).__name__
    if not len(index) or index.min() < 0 or index.max() >= n or np.bincount(index).max() > 1:
        raise ValueError(f"{whose} must choose distinct positions in 0..{n - 1}, at least one; it chose {index}.")
    if choice.weights is not None:
        weights = np.asarray(choice.weights)
        if weights.shape != index.shape or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(f"{whose} must give a finite, non-negative weight for each of {len(index)}: {weights}.")
        if choice.total is not None and abs(weights.sum() - choice.total) > 1e-3 * choice.total:
            raise ValueError(f"{whose} promised weights with sum {choice.total:g}, and gave {weights.sum():g}.")
