"""The training loop: trains a network on a subset by a recipe and two seeds, and measures its accuracy.

It is made for many short trainings: data stay on the device, augmentation works on batches, and an epoch is cut into
batches of equal size, so that each example is presented exactly once in it and no batch is too small for batch
normalisation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..artifacts import Subset, check_fingerprint
from ..core.device import resolve_device
from ..core.seeds import check_seed, generator, seeded
from ..core.team import ALONE, Team
from ..data import Dataset, Split, check_split
from .augment import augmentation
from .batches import Batch, readable_ahead
from .check import check_recipe
from .checkpoint import Checkpoint
from .loader import Loader
from .nets import Net, net_for
from .progress import Progress, Trained
from .recipe import Goal, Recipe
from .recorder import Recorder
from .sampling import EpochSampler

__all__ = ["Trained", "accuracy", "check_recipe", "features", "predict", "train"]


def train(
    split: Split,
    recipe: Recipe,
    *,
    seed_init: int = 0,
    seed_order: int = 0,
    subset: Subset | np.ndarray | None = None,
    test: Split | None = None,
    recorder: Recorder | None = None,
    sampler: EpochSampler | None = None,
    goal: Goal | None = None,
    checkpoint: Checkpoint | None = None,
    team: Team = ALONE,
    device: str = "auto",
    label: str = "",
    least_classes: int = 2,
) -> Trained:
    """A network trained from scratch, with its accuracies.

    If several processes share the training, each computes a part of every batch, and gradients are averaged. Two things
    differ from the training by one process: each process augments its part by a generator of its own, and on CPUs batch
    normalisation works on each part by itself (on GPUs it is synchronised).

    Arguments:
        split: The training split.
        recipe: How to train.
        seed_init: Determines the initial weights.
        seed_order: Determines the order of the examples, the augmentation and dropout.
        subset: The subset to train on, its positions int64[k], or a mask bool[n]; all by default. A subset's weights,
            scaled to mean 1, weigh the losses.
        test: The split to measure the accuracy on.
        recorder: Receives the outputs of each step; needs a recipe in epochs.
        sampler: Chooses the examples of each epoch, instead of a subset; receives their losses and logits.
        goal: When the training ends; by default after the recipe's steps or epochs. Learning rates follow the share of
            it that is reached.
        checkpoint: The file that the training is saved to after epochs, and resumed from.
        team: The processes that share the training.
        device: `auto`, or a torch device.
        label: The label of a progress bar; "" for no bar.
        least_classes: The least number of classes; 1 for a network that is used for its features alone.

    Raises:
        ArtifactError: If the subset was made for another data set, a position is no integer, out of range or appears
            twice, or the checkpoint is that of another training.
        DataError: If the test split has other classes or another image size than the training split, there is one class
            alone, or the network cannot take images of this size.
        FloatingPointError: If the loss becomes NaN or infinite.
        ValueError: If there are more processes than examples in a batch, a sampler comes with a subset or recorder, or
            the recipe's network or augmentation takes images and the split holds texts, or the other way round.
    """
    start = time.perf_counter()
    check_split(split)
    check_recipe(recipe, split, least_classes=least_classes)
    check_seed(seed_init)
    check_seed(seed_order)
    chosen, subset = subset is not None, _subset(split, subset)
    if len(subset) // recipe.steps_per_epoch(len(subset)) == 1:
        check_recipe(recipe, split, least_classes=least_classes, single=True)
    if test is not None:
        check_split(test)
        Dataset(split, test)  # raises unless they agree
    if sampler is not None and (chosen or recorder is not None):
        raise ValueError("a sampler chooses the examples itself, of which a recorder must see all: give one alone.")
    on_device = team.device or resolve_device(device)
    net = _to_device(net_for(split, recipe.net, seed_init), on_device)
    goal = goal or _goal(recipe, len(subset), sampler)
    progress = Progress(net, recipe, goal, recorder, sampler, checkpoint, team, start)
    loop = _Loop(progress, subset, Loader(split, on_device), seed_order)
    return loop.run(None if test is None else Loader(test, on_device, split.statistics), label)


class _Loop:
    """The loop over the batches of a training.

    Arguments:
        progress: The training's progress.
        subset: The training examples, unless a sampler chooses them.
        loader: Loads the training images.
        seed: Determines the order of the examples, the augmentation and dropout.
    """

    def __init__(self, progress: Progress, subset: Subset, loader: Loader, seed: int) -> None:
        self.progress, self.subset, self.loader, self.seed = progress, subset, loader, seed
        self.net, self.sampler, self.team = progress.net, progress.sampler, progress.team
        self.recorder, self.recipe = progress.recorder, progress.recipe
        self.shared = self.team.shared(self.net)
        self.augment = augmentation(self.recipe.augment, loader.split.kind)
        self.cast, self.chance = _autocast(self.recipe, loader.device), torch.Generator(loader.device)
        self.weight = _weights(subset, loader.device)
        self.pending: deque[Batch] = deque()

    def run(self, test: Loader | None, label: str) -> Trained:
        """The network, trained to the goal.

        Arguments:
            test: Loads the images to measure the accuracy on.
            label: The label of a progress bar; "" for no bar.
        """
        progress = self.progress
        bar = tqdm(desc=label, total=100, unit="%", leave=False, disable=not label, mininterval=1)
        with seeded(0), bar:
            for index, images in self._batches():
                batch = self.pending.popleft()
                if batch.first:
                    self._begin_epoch(batch.epoch)
                self._step(batch, index, images)
                bar.update(round(100 * progress.share) - bar.n)
                if self.recorder is not None and batch.last:
                    self.recorder.end_epoch(batch.epoch, self._evaluate)
                if test is not None:
                    progress.test(partial(accuracy, self.net, test, self.cast))
                if batch.last:
                    progress.write()
                if progress.share >= 1:
                    break
        self.net.eval()
        return progress.finished()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The positions and images of this process's part of each batch, which is itself appended to `pending`."""
        for ahead in readable_ahead(self.subset, self.sampler, self.progress, self.seed):
            self.pending.clear()
            yield from self.loader.over(self._queued(batch) for batch in ahead)

    def _queued(self, batch: Batch) -> Tensor:
        self.pending.append(batch)
        return self.team.part(batch.index)

    def _begin_epoch(self, epoch: int) -> None:
        """Seeds augmentation and dropout by the epoch, so that a resumed training needs no random state."""
        self.chance.manual_seed(self._epoch_seed("augmentation", epoch))
        on_cpu = self.loader.device.type == "cpu"  # torch.manual_seed formats the stack where CUDA is not initialised
        seed_dropout: Any = torch.default_generator.manual_seed if on_cpu else torch.manual_seed
        seed_dropout(self._epoch_seed("dropout", epoch))
        if self.sampler is not None:
            weights = self.sampler.weights
            self.weight = None if weights is None else weights.to(self.loader.device)

    def _epoch_seed(self, purpose: str, epoch: int) -> int:
        """The seed for a purpose in an epoch; each process has its own."""
        process = f" of process {self.team.index}" if self.team.index else ""
        return int(generator(self.seed, f"{purpose} {epoch}{process}").integers(2**63))

    def _step(self, batch: Batch, index: Tensor, images: Tensor) -> None:
        """Takes one step of the optimiser on a batch, of which this process has the examples `index`."""
        if not self.net.training:
            self.net.train()
        labels, size = self.loader.labels[index], len(batch.index)
        with self.cast:
            logits = self.shared(self.augment(images, self.chance))
        smoothing = self.recipe.label_smoothing
        losses = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
        weighted = losses if self.weight is None else losses * self.weight[index]
        self.progress.advance(weighted.sum() * (self.team.count / size), size, batch.epochs)
        if self.sampler is not None:
            self.sampler.update(index, losses.detach(), logits.detach())
        if self.recorder is not None:
            self.recorder.step(batch.epoch, index, logits.detach(), labels, size)

    def _evaluate(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The positions, logits and labels of the training set in `eval` mode, of each process its part."""
        self.team.synchronise(self.net.buffers())
        for index, logits in _outputs(self.net.eval(), self.loader, self.cast, self.team):
            yield index, logits, self.loader.labels[index]


def _goal(recipe: Recipe, n: int, sampler: EpochSampler | None) -> Goal:
    """The goal of a recipe; in epochs with a sampler, since the lengths of its epochs are not known in advance."""
    if sampler is not None and recipe.epochs is not None:
        return Goal("epochs", recipe.epochs)
    return Goal("steps", recipe.total_steps(n))


def _subset(split: Split, subset: Subset | np.ndarray | None) -> Subset:
    if isinstance(subset, Subset):
        check_fingerprint(subset.fingerprint, split.fingerprint, f"the subset by {subset.method}")
        return subset
    return Subset(np.arange(len(split)) if subset is None else subset, len(split), "given", split.fingerprint)


def _weights(subset: Subset, device: torch.device) -> Tensor | None:
    if subset.weights is None:
        return None
    full = torch.zeros(subset.n)
    full[torch.from_numpy(subset.indices)] = torch.from_numpy(subset.weights / subset.weights.mean())
    return full.to(device)


def _to_device(net: Net, device: torch.device) -> Net:
    layout = torch.channels_last if net.channels_last else torch.contiguous_format
    return net.to(device=device, memory_format=layout)  # type: ignore[call-overload]


def _autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    enabled = {"auto": device.type == "cuda", "float32": False, "bfloat16": True}[recipe.precision]
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def _outputs(
    module: nn.Module, loader: Loader, cast: AbstractContextManager, team: Team = ALONE
) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.inference_mode():
        for index, images in loader.over(map(team.part, loader.in_order())):
            with cast:
                outputs = module(images)
            yield index, outputs.float()


def accuracy(net: Net, loader: Loader, cast: AbstractContextManager) -> float:
    """The network's accuracy on the loader's examples in percent."""
    hits = [(logits.argmax(1) == loader.labels[index]).sum() for index, logits in _outputs(net.eval(), loader, cast)]
    return 100 * float(torch.stack(hits).sum()) / len(loader.split)


def predict(
    net: Net, split: Split, device: str = "auto", statistics: tuple[list[float], list[float]] | None = None
) -> Tensor:
    """The network's logits for all examples of a split in `eval` mode, float32[n, C] on the CPU."""
    return _outputs_of_split(net, net, split, device, statistics)


def features(
    net: Net, split: Split, device: str = "auto", statistics: tuple[list[float], list[float]] | None = None
) -> Tensor:
    """The network's penultimate features for all examples of a split in `eval` mode, float32[n, width] on the CPU."""
    return _outputs_of_split(net, net.backbone, split, device, statistics)


def _outputs_of_split(
    net: Net, module: nn.Module, split: Split, device: str, statistics: tuple[list[float], list[float]] | None
) -> Tensor:
    on_device = resolve_device(device)
    cast = torch.autocast(on_device.type, enabled=False)
    loader = Loader(split, on_device, statistics)
    net.to(on_device).eval()
    return torch.cat([outputs.cpu() for _, outputs in _outputs(module, loader, cast)])
