"""What is compared on: all logits of a real training, of its steps and of evaluations, and the features at its end.

A tenth of the labels are wrong, so that some examples are never learned.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from drd_plugin import load, train
from drd_plugin.artifacts import Scores
from drd_plugin.data import Split
from drd_plugin.scores import FoldScore, Proxy
from drd_plugin.training import Outputs, Recipe, Recorder, features

__all__ = ["Dynamics", "record_dynamics"]

RECIPE = Recipe(net="lenet", lr=0.05, augment="shift")


@dataclass(frozen=True, eq=False)
class Dynamics:
    """The training dynamics of a data set.

    Arguments:
        train: Logits of the training steps, float32[E, n, C].
        evaluated: Logits of an evaluation after each epoch, float32[E, n, C].
        order: The order in which each epoch presented the examples, int64[E, n].
        labels: int64[n].
        features: Penultimate features after the last epoch, float32[n, d].
        name: What was trained on what.
    """

    train: Tensor
    evaluated: Tensor
    order: Tensor
    labels: Tensor
    features: np.ndarray
    name: str

    @property
    def epochs(self) -> int:
        """E."""
        return len(self.train)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The label's probability in the training steps, float32[E, n]."""
        chances = self.train.softmax(2)
        return chances.gather(2, self.labels.expand(self.epochs, -1)[..., None]).squeeze(2).numpy()

    def ours(self, score: FoldScore) -> Scores:
        """What this library makes of these logits."""
        n, classes = self.train.shape[1:]
        recorder = Recorder([score], n, classes, self.epochs, torch.device("cpu"))
        for epoch, order in enumerate(self.order, 1):
            recorder.step(epoch, order, self.train[epoch - 1][order], self.labels[order])
            whole = (torch.arange(n), self.evaluated[epoch - 1], self.labels)
            recorder.end_epoch(epoch, lambda whole=whole: iter([whole]))
        proxy = Proxy(None, _Labelled(self.labels.numpy(), classes), self.epochs, "cpu")  # type: ignore[arg-type]
        proxy.__dict__["features"] = torch.from_numpy(self.features)
        values = score.compute(recorder.states[0], proxy).numpy()
        return Scores(type(score).__name__, values[:, None], self.labels.numpy(), score.higher_is_harder, self.name)


@dataclass(frozen=True)
class _Labelled:
    labels: np.ndarray
    num_classes: int


class _Keeper:
    """A fold that keeps every logit."""

    def __init__(self, mode: str) -> None:
        self.mode, self.outputs = mode, list[Outputs]()

    def observes(self, epoch: int, epochs: int) -> Any:
        return self.mode

    def begin(self, n: int, num_classes: int, device: torch.device) -> dict:
        return {}

    def update(self, state: dict, outputs: Outputs) -> None:
        self.outputs.append(outputs)

    def release(self, state: dict, epoch: int, epochs: int) -> None:
        pass

    def by_epoch(self, epochs: int) -> tuple[Tensor, Tensor]:
        """The logits by example, float32[E, n, C], and the order of presentation, int64[E, n]."""
        order = [torch.cat([o.index for o in self.outputs if o.epoch == e]) for e in range(1, epochs + 1)]
        logits = [torch.cat([o.logits for o in self.outputs if o.epoch == e]) for e in range(1, epochs + 1)]
        by_example = [rows[index.argsort()] for rows, index in zip(logits, order, strict=True)]
        return torch.stack(by_example), torch.stack(order)


def record_dynamics(dataset: str, epochs: int) -> Dynamics:
    """Trains a LeNet and keeps all that it says."""
    split, keepers = _with_wrong_labels(load(dataset).train), [_Keeper("train"), _Keeper("eval")]
    recorder = Recorder(keepers, len(split), split.num_classes, epochs, torch.device("cpu"))
    net = train(split, RECIPE.for_epochs(epochs), recorder=recorder, device="cpu").net
    (steps, order), (evaluated, _) = (keeper.by_epoch(epochs) for keeper in keepers)
    name = f"lenet on the {len(split)} examples of {dataset}, a tenth of them with wrong labels, {epochs} epochs"
    return Dynamics(steps, evaluated, order, torch.from_numpy(split.labels), features(net, split, "cpu").numpy(), name)


def _with_wrong_labels(split: Split) -> Split:
    rng, labels = np.random.default_rng(0), split.labels.copy()
    wrong = rng.choice(len(labels), len(labels) // 10, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, split.num_classes, len(wrong))) % split.num_classes
    return Split(split.name, split.images, labels, split.classes)
