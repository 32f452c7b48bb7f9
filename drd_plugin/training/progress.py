"""A training's progress: the network, its optimiser, how far it is, and what a checkpoint holds of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..artifacts import ArtifactError
from ..core.team import Team
from .checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from .nets import Net
from .recipe import Goal, Recipe
from .recorder import Recorder
from .sampling import EpochSampler

__all__ = ["Point", "Progress", "Trained"]

FINELY = 1000
"""Into how many steps a training that is not counted in steps is cut, for the learning rate."""


@dataclass(frozen=True)
class Point:
    """A test during a training.

    Arguments:
        accuracy: In percent.
        steps: Steps taken before.
        examples_seen: Examples presented before.
        seconds: Wall seconds before, tests left out.
    """

    accuracy: float
    steps: int
    examples_seen: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and how it did.

    Arguments:
        net: The network, in `eval` mode.
        acc_last: Test accuracy after the last step in percent; NaN without a test split.
        acc_best: The best test accuracy in percent.
        step_best: Its step.
        steps: Steps taken.
        examples_seen: Examples presented.
        seconds: Wall seconds, tests included.
        epochs: Epochs, with the share of the last one.
        curve: The tests, in order.
    """

    net: Net = field(repr=False)
    acc_last: float
    acc_best: float
    step_best: int
    steps: int
    examples_seen: int
    seconds: float
    epochs: float = 0.0
    curve: tuple[Point, ...] = field(default=(), repr=False)


class Progress:
    """How far a training is, and what a checkpoint holds of it.

    Arguments:
        net: The network.
        recipe: How it is trained.
        goal: When it ends.
        recorder: Watches.
        sampler: Chooses the examples of each epoch, where they change.
        checkpoint: Where the progress is written down; one that exists is continued.
        team: The processes that share the training; the first writes.
        start: When it began, by `time.perf_counter`.

    Attributes:
        share: The share of the goal that is reached, in [0, 1].
        step: Optimiser steps.
        epochs: Epochs, with the share of the present one.
        examples_seen: Examples presented, of all processes.
        curve: The tests so far.
    """

    def __init__(
        self,
        net: Net,
        recipe: Recipe,
        goal: Goal,
        recorder: Recorder | None,
        sampler: EpochSampler | None,
        checkpoint: Checkpoint | None,
        team: Team,
        start: float,
    ) -> None:
        self.net, self.recipe, self.goal, self.recorder, self.sampler = net, recipe, goal, recorder, sampler
        self.checkpoint, self.team = checkpoint, team
        self.optimizer = _optimizer(net, recipe)
        self.epochs, self.step, self.examples_seen, self.testing = 0.0, 0, 0, 0.0
        self.curve = list[Point]()
        self.diverged = torch.zeros((), dtype=torch.bool, device=next(net.parameters()).device)
        self.start, self.share, self._tests = start, 0.0, 0
        self._restore()

    def advance(self, loss: Tensor, size: int, epochs: float) -> None:
        """One step down the loss.

        Arguments:
            loss: Of the step's examples.
            size: How many they are, of all processes.
            epochs: The epochs after it, with the share of the present one.
        """
        in_steps = self.goal.axis == "steps"
        place, steps = (self.step, self.goal.amount) if in_steps else (FINELY * self.share, FINELY)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * _rate(self.recipe, place, steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.diverged |= ~loss.detach().isfinite()
        self.step, self.examples_seen, self.epochs = self.step + 1, self.examples_seen + size, epochs
        self._measure()

    def test(self, accuracy: Callable[[], float]) -> None:
        """Takes the test accuracy, where it is time to."""
        if self._tests_due() <= self._tests:
            return
        start, seconds = time.perf_counter(), self._seconds()
        self.curve.append(Point(accuracy(), self.step, self.examples_seen, seconds))
        self._tests = self._tests_due()
        self.testing += time.perf_counter() - start

    def write(self) -> None:
        """Writes the checkpoint, where it is time to."""
        if self.checkpoint is None or not self.team.same(self.checkpoint.due and self.share < 1):
            return
        self._check()
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        if self.recorder is not None:
            tensors |= {f"recorder.{name}": value for name, value in self.recorder.tensors().items()}
        header: dict[str, Any] = {
            "epochs": self.epochs,
            "step": self.step,
            "seen": self.examples_seen,
            "testing": self.testing,
        }
        header |= {"curve": [asdict(point) for point in self.curve], "seconds": time.perf_counter() - self.start}
        if self.sampler is not None:
            numbers, arrays = _split_tensors(self.sampler.state_dict())
            header["sampler"], tensors = numbers, tensors | {f"sampler.{name}": a for name, a in arrays.items()}
        if self.team.leads:
            self.checkpoint.write(tensors, header)
        self.team.wait()

    def finished(self) -> Trained:
        """The trained network."""
        self._check()
        best = max(self.curve, key=lambda point: point.accuracy, default=Point(math.nan, 0, 0, 0))
        self.team.agree(self.net.buffers())
        return Trained(
            net=self.net,
            acc_last=self.curve[-1].accuracy if self.curve else math.nan,
            acc_best=best.accuracy,
            step_best=best.steps,
            steps=self.step,
            examples_seen=self.examples_seen,
            seconds=time.perf_counter() - self.start,
            epochs=self.epochs,
            curve=tuple(self.curve),
        )

    def _restore(self) -> None:
        """Takes over what the checkpoint holds, if there is one."""
        reached = None if self.checkpoint is None else self.checkpoint.read()
        if self.team.same(reached is None) != (reached is None):
            raise ArtifactError("the processes see different checkpoints: give a folder that all of them share.")
        if reached is None:
            return
        tensors, header = reached
        self.net.load_state_dict(_under("net", tensors))
        restore_optimizer(self.optimizer, tensors)
        if self.recorder is not None:
            self.recorder.restore(_under("recorder", tensors))
        if self.sampler is not None:
            self.sampler.load_state_dict({**header["sampler"], **_under("sampler", tensors)})
        self.epochs, self.step, self.testing = header["epochs"], header["step"], header["testing"]
        self.examples_seen, self.curve = header["seen"], [Point(**point) for point in header["curve"]]
        self.start -= header["seconds"]
        self._measure()
        self._tests = self._tests_due()

    def _seconds(self) -> float:
        """The seconds so far, tests left out."""
        return time.perf_counter() - self.start - self.testing

    def _measure(self) -> None:
        """Brings the share up to date; the first process's, where clocks count."""
        amounts = {
            "epochs": self.epochs, "steps": self.step, "samples": self.examples_seen, "wall": self._seconds(),
        }  # fmt: skip
        share = min(1.0, amounts[self.goal.axis] / self.goal.amount)
        self.share = self.team.same(share) if self.goal.axis == "wall" else share

    def _tests_due(self) -> int:
        return int(self.share * self.recipe.evaluations + 1e-9)

    def _check(self) -> None:
        if self.diverged:
            raise FloatingPointError(
                f"the training diverged (the loss became NaN): lower the recipe's lr, now {self.recipe.lr}."
            )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    decayed = [p for p in net.parameters() if recipe.decay_all or p.ndim > 1]
    plain = [p for p in net.parameters() if not recipe.decay_all and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer](groups, recipe.lr, fused=True)


def _split_tensors(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The plain values of a state, and its tensors."""
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    return {name: value for name, value in state.items() if name not in tensors}, tensors


def _rate(recipe: Recipe, step: float, steps: float) -> float:
    """The learning rate of a step, from 0, as a share of the peak."""
    warmup, floor = round(recipe.warmup * steps), recipe.min_lr / recipe.lr
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = (step - warmup) / max(1, steps - warmup)
    return {
        "cosine": floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2,
        "linear": floor + (1 - floor) * (1 - progress),
        "step": 0.1 ** int(3 * progress),
        "constant": 1.0,
    }[recipe.schedule]
