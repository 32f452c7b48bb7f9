"""A training's progress: the network, its optimiser, steps, epochs and tests, and their checkpoint."""

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

SCHEDULE_STEPS = 1000
"""The number of steps of the learning rate's schedule in a training that is not measured in steps."""


@dataclass(frozen=True)
class Point:
    """The result of a test during a training.

    Arguments:
        accuracy: The test accuracy in percent.
        steps: Steps before it.
        examples_seen: Examples presented before it.
        seconds: Wall seconds before it, without the tests.
    """

    accuracy: float
    steps: int
    examples_seen: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and the course of its training.

    Arguments:
        net: The network, in `eval` mode.
        acc_last: Test accuracy after the last step in percent; NaN without a test split.
        acc_best: The best test accuracy in percent.
        step_best: The step of the best test accuracy.
        steps: The number of steps.
        examples_seen: The number of examples presented.
        seconds: Wall seconds, with the tests.
        epochs: The number of epochs, with a fraction for the last one.
        curve: The results of the tests, in order.
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
    """The state of a training, which a checkpoint stores.

    Arguments:
        net: The network.
        recipe: How it is trained.
        goal: When the training ends.
        recorder: Watches the training.
        sampler: Chooses the examples of each epoch; None for a fixed subset.
        checkpoint: The file that the state is written to; if it exists, the state is read from it.
        team: The processes that share the training; the first writes the checkpoint.
        start: When the training began, by `time.perf_counter`.

    Attributes:
        share: The share of the goal that is reached, in [0, 1].
        step: The number of optimiser steps so far.
        epochs: The number of epochs so far, with a fraction for the current one.
        examples_seen: The number of examples presented so far, by all processes.
        curve: The results of the tests so far.
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
        """Takes one step of the optimiser.

        Arguments:
            loss: The loss to minimise, a scalar.
            size: The number of the step's examples, of all processes.
            epochs: The number of epochs after the step, with a fraction for the current one.
        """
        in_steps = self.goal.axis == "steps"
        place, steps = (self.step, self.goal.amount) if in_steps else (SCHEDULE_STEPS * self.share, SCHEDULE_STEPS)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * _rate(self.recipe, place, steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.diverged |= ~loss.detach().isfinite()
        self.step, self.examples_seen, self.epochs = self.step + 1, self.examples_seen + size, epochs
        self._measure()

    def test(self, accuracy: Callable[[], float]) -> None:
        """Measures the test accuracy, if a test is due."""
        if self._tests_due() <= self._tests:
            return
        start, seconds = time.perf_counter(), self._seconds()
        self.curve.append(Point(accuracy(), self.step, self.examples_seen, seconds))
        self._tests = self._tests_due()
        self.testing += time.perf_counter() - start

    def write(self) -> None:
        """Writes the checkpoint, if it is due."""
        if self.checkpoint is None or not self.team.broadcast(self.checkpoint.due and self.share < 1):
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
            "curve": [asdict(point) for point in self.curve],
            "seconds": time.perf_counter() - self.start,
        }
        if self.sampler is not None:
            state = self.sampler.state_dict()
            header["sampler"] = {name: value for name, value in state.items() if not isinstance(value, Tensor)}
            tensors |= {f"sampler.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
        if self.team.leads:
            self.checkpoint.write(tensors, header)
        self.team.wait()

    def finished(self) -> Trained:
        """The result of the training."""
        self._check()
        best = max(self.curve, key=lambda point: point.accuracy, default=Point(math.nan, 0, 0, 0))
        self.team.synchronise(self.net.buffers())
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
        """Restores the state from the checkpoint, if there is one."""
        stored = None if self.checkpoint is None else self.checkpoint.read()
        if self.team.broadcast(stored is None) != (stored is None):
            raise ArtifactError("the processes see different checkpoints: give a folder that all of them share.")
        if stored is None:
            return
        tensors, header = stored
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
        """The seconds so far, without the tests."""
        return time.perf_counter() - self.start - self.testing

    def _measure(self) -> None:
        """Updates the share of the goal; if it is measured in seconds, by the clock of the first process."""
        amounts = {
            "epochs": self.epochs, "steps": self.step, "samples": self.examples_seen, "wall": self._seconds(),
        }  # fmt: skip
        share = min(1.0, amounts[self.goal.axis] / self.goal.amount)
        self.share = self.team.broadcast(share) if self.goal.axis == "wall" else share

    def _tests_due(self) -> int:
        """The number of tests that are due so far."""
        return int(self.share * self.recipe.evaluations + 1e-9)

    def _check(self) -> None:
        """Raises FloatingPointError if the loss was NaN or infinite."""
        if self.diverged:
            raise FloatingPointError(
                f"the training diverged (the loss became NaN): lower the recipe's lr, now {self.recipe.lr}."
            )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, by their names without it."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    decayed = [p for p in net.parameters() if recipe.decay_all or p.ndim > 1]
    plain = [p for p in net.parameters() if not recipe.decay_all and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer](groups, recipe.lr, fused=True)


def _rate(recipe: Recipe, step: float, steps: float) -> float:
    """The learning rate of a step (from 0) divided by the peak."""
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
