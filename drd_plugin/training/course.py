"""A training in progress: the network, its optimiser, how far it is, and what a checkpoint holds of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..artifacts import ArtifactError
from ..processes import Team
from .checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from .goal import Goal
from .nets import Net
from .recipe import Recipe
from .recorder import Recorder
from .sampled import EpochSampler

__all__ = ["Course", "Point", "Trained"]

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


class Course:
    """A training in progress, and what a checkpoint holds of it.

    Arguments:
        net: The network.
        recipe: How it is trained.
        goal: When it ends.
        recorder: Watches.
        sampler: Chooses the examples of each epoch, where they change.
        checkpoint: Where the course is written down; one that is there is taken up.
        us: The processes that share the training; the first writes.
        start: When it began, by `time.perf_counter`.
    """

    def __init__(
        self,
        net: Net,
        recipe: Recipe,
        goal: Goal,
        recorder: Recorder | None,
        sampler: EpochSampler | None,
        checkpoint: Checkpoint | None,
        us: Team,
        start: float,
    ) -> None:
        self.net, self.recipe, self.goal, self.recorder, self.sampler = net, recipe, goal, recorder, sampler
        self.checkpoint, self.us = checkpoint, us
        self.optimizer = _optimizer(net, recipe)
        self.epochs, self.step, self.seen, self.testing = 0.0, 0, 0, 0.0
        self.curve = list[Point]()
        self.diverged = torch.zeros((), dtype=torch.bool, device=next(net.parameters()).device)
        self.start, self.progress, self._tests = start, 0.0, 0
        self._take_up()

    def advance(self, loss: Tensor, size: int, epochs: float) -> None:
        """One step down the loss.

        Arguments:
            loss: Of the step's examples.
            size: How many they are, of all processes.
            epochs: The epochs that lie behind after it, with the share of the present one.
        """
        in_steps = self.goal.axis == "steps"
        place, steps = (self.step, self.goal.amount) if in_steps else (FINELY * self.progress, FINELY)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * _rate(self.recipe, place, steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.diverged |= ~loss.detach().isfinite()
        self.step, self.seen, self.epochs = self.step + 1, self.seen + size, epochs
        self._measure()

    def test(self, accuracy: Callable[[], float]) -> None:
        """Takes the test accuracy, where it is time to."""
        if self._tests_due() <= self._tests:
            return
        before, seconds = time.perf_counter(), self._seconds()
        self.curve.append(Point(accuracy(), self.step, self.seen, seconds))
        self._tests = self._tests_due()
        self.testing += time.perf_counter() - before

    def write_down(self) -> None:
        """Writes the checkpoint, where it is time to."""
        if self.checkpoint is None or not self.us.same(self.checkpoint.due and self.progress < 1):
            return
        self._check()
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        if self.recorder is not None:
            tensors |= {f"recorder.{name}": value for name, value in self.recorder.tensors().items()}
        said = {name: getattr(self, name) for name in ("epochs", "step", "seen", "testing")}
        said |= {"curve": [asdict(point) for point in self.curve], "seconds": time.perf_counter() - self.start}
        if self.sampler is not None:
            numbers, arrays = _apart(self.sampler.state_dict())
            said["sampler"], tensors = numbers, tensors | {f"sampler.{name}": of for name, of in arrays.items()}
        if self.us.leads:
            self.checkpoint.write(tensors, said)
        self.us.wait()

    def finished(self) -> Trained:
        """The trained network."""
        self._check()
        best = max(self.curve, key=lambda point: point.accuracy, default=Point(math.nan, 0, 0, 0))
        last = self.curve[-1].accuracy if self.curve else math.nan
        self.us.agree(self.net.buffers())
        seconds = time.perf_counter() - self.start
        return Trained(
            self.net, last, best.accuracy, best.steps, self.step, self.seen, seconds, self.epochs, tuple(self.curve)
        )

    def _take_up(self) -> None:
        found = None if self.checkpoint is None else self.checkpoint.read()
        if self.us.same(found is None) != (found is None):
            raise ArtifactError("the processes see different checkpoints: give a folder that all of them share.")
        if found is None:
            return
        tensors, said = found
        self.net.load_state_dict(_under("net", tensors))
        restore_optimizer(self.optimizer, tensors)
        if self.recorder is not None:
            self.recorder.restore(_under("recorder", tensors))
        if self.sampler is not None:
            self.sampler.load_state_dict({**said["sampler"], **_under("sampler", tensors)})
        self.epochs, self.step, self.seen, self.testing = (said[of] for of in ("epochs", "step", "seen", "testing"))
        self.curve = [Point(**point) for point in said["curve"]]
        self.start -= said["seconds"]
        self._measure()
        self._tests = self._tests_due()

    def _seconds(self) -> float:
        """The seconds so far, tests left out."""
        return time.perf_counter() - self.start - self.testing

    def _measure(self) -> None:
        """The progress; the first process's, where clocks count."""
        reached = {"epochs": self.epochs, "steps": self.step, "samples": self.seen, "wall": self._seconds()}
        share = min(1.0, reached[self.goal.axis] / self.goal.amount)
        self.progress = self.us.same(share) if self.goal.axis == "wall" else share

    def _tests_due(self) -> int:
        return int(self.progress * self.recipe.evaluations + 1e-9)

    def _check(self) -> None:
        if self.diverged:
            raise FloatingPointError(
                f"the training diverged (the loss became NaN): lower the recipe's lr, now {self.recipe.lr}."
            )


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {name.removeprefix(f"{prefix}."): of for name, of in tensors.items() if name.startswith(f"{prefix}.")}


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    decayed = [p for p in net.parameters() if recipe.decay_all or p.ndim > 1]
    plain = [p for p in net.parameters() if not recipe.decay_all and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    if recipe.optimizer == "sgd":
        nesterov = recipe.nesterov and recipe.momentum > 0
        return torch.optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, fused=True)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer](groups, recipe.lr, fused=True)


def _apart(state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What of a state is plain, and what are tensors."""
    tensors = {name: of for name, of in state.items() if isinstance(of, Tensor)}
    return {name: of for name, of in state.items() if name not in tensors}, tensors


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
