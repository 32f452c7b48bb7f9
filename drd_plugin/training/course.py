"""A training in progress: the network, its optimiser, how far it is, and what a checkpoint holds of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..artifacts import ArtifactError
from ..processes import Team
from .checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from .nets import Net
from .recipe import Recipe
from .recorder import Recorder

__all__ = ["Course", "Trained"]


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
    """

    net: Net = field(repr=False)
    acc_last: float
    acc_best: float
    step_best: int
    steps: int
    examples_seen: int
    seconds: float


class Course:
    """A training in progress, and what a checkpoint holds of it.

    Arguments:
        net: The network.
        recipe: How it is trained.
        steps: For how long.
        recorder: Watches.
        checkpoint: Where the course is written down; one that is there is taken up.
        us: The processes that share the training; the first writes.
        start: When it began, by `time.perf_counter`.
    """

    def __init__(
        self,
        net: Net,
        recipe: Recipe,
        steps: int,
        recorder: Recorder | None,
        checkpoint: Checkpoint | None,
        us: Team,
        start: float,
    ) -> None:
        self.net, self.recipe, self.steps, self.recorder = net, recipe, steps, recorder
        self.checkpoint, self.us = checkpoint, us
        self.optimizer = _optimizer(net, recipe)
        self.milestones = {round(steps * i / recipe.evaluations) for i in range(1, recipe.evaluations + 1)} | {steps}
        self.step, self.seen, self.results = 0, 0, list[tuple[float, int]]()
        self.diverged = torch.zeros((), dtype=torch.bool, device=next(net.parameters()).device)
        self.start = start
        self._take_up()

    def advance(self, loss: Tensor) -> None:
        """One step down the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.lr * _rate(self.recipe, self.step, self.steps)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.diverged |= ~loss.detach().isfinite()
        self.step += 1

    def write_down(self) -> None:
        """Writes the checkpoint, where it is time to."""
        if self.checkpoint is None or not self.us.same(self.checkpoint.due and self.step < self.steps):
            return
        self._check()
        tensors = {f"net.{name}": value for name, value in self.net.state_dict().items()}
        tensors |= optimizer_tensors(self.optimizer)
        if self.recorder is not None:
            tensors |= {f"recorder.{name}": value for name, value in self.recorder.tensors().items()}
        said = {
            "step": self.step, "seen": self.seen, "results": self.results,
            "seconds": time.perf_counter() - self.start,
        }  # fmt: skip
        if self.us.leads:
            self.checkpoint.write(tensors, said)
        self.us.wait()

    def finished(self) -> Trained:
        """The trained network."""
        self._check()
        best, step_best = max(self.results, key=lambda pair: pair[0], default=(math.nan, 0))
        last = self.results[-1][0] if self.results else math.nan
        self.us.agree(self.net.buffers())
        seconds = time.perf_counter() - self.start
        return Trained(self.net, last, best, step_best, self.steps, self.seen, seconds)

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
        self.step, self.seen = said["step"], said["seen"]
        self.results = [(accuracy, step) for accuracy, step in said["results"]]
        self.start -= said["seconds"]

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


def _rate(recipe: Recipe, step: int, steps: int) -> float:
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
