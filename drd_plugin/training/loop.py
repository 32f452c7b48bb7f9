"""The training loop: a network, a subset, a recipe and two seeds in; accuracies out.

Made for many short trainings: data stay on the device, augmentation works on batches, and an epoch is cut into batches
of equal size, so that each example is presented exactly once an epoch and no batch is too small for batch
normalisation.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..artifacts import Subset, check_fingerprint
from ..data import Dataset, Split, check_split
from ..processes import ALONE, Team
from ..rng import generator, seeded
from .augment import augmentation
from .checkpoint import Checkpoint
from .course import Course, Trained
from .goal import Goal
from .loader import Loader, resolve_device
from .nets import Net, check_net, net_for
from .presentation import Presentation, stretches
from .recipe import Recipe
from .recorder import Recorder
from .sampled import EpochSampler

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
    us: Team = ALONE,
    device: str = "auto",
    progress: str = "",
) -> Trained:
    """Trains a network from scratch.

    Where several processes share the training, each takes a part of every batch, and gradients are averaged: the same
    training as by one process, but that each augments its part by a generator of its own, and that batch normalisation
    sees each part by itself on CPUs (on GPUs it is synchronised).

    Arguments:
        split: The training split.
        recipe: How to train.
        seed_init: Decides the initial weights.
        seed_order: Decides the order of the examples, the augmentation and dropout.
        subset: What to train on, or its positions int64[k]; all by default. A subset's weights are scaled to mean 1 and
            weigh the losses.
        test: The split to measure the accuracy on.
        recorder: Is handed the outputs of each step; needs a recipe in epochs.
        sampler: Chooses the examples of each epoch, in the place of a subset, and is told their losses and logits.
        goal: When the training ends; after the recipe's steps or epochs by default. Learning rates follow the share of
            it that is reached.
        checkpoint: Where the training is written down after epochs, and goes on from.
        us: The processes that share the training.
        device: `auto`, or a torch device.
        progress: The label of a progress bar; none by default.

    Raises:
        ArtifactError: If the subset was made for another data set, a position is out of range or appears twice, or the
            checkpoint is that of another training.
        DataError: If the test split has other classes or another image size than the training split.
        FloatingPointError: If the loss becomes NaN or infinite.
        ValueError: If there are more processes than examples in a batch, a sampler comes with a subset or recorder, or
            the recipe's network or augmentation takes images and the split holds texts, or the other way round.
    """
    start, on = time.perf_counter(), us.device or resolve_device(device)
    check_split(split)
    check_recipe(recipe, split)
    if test is not None:
        check_split(test)
        Dataset(split, test)  # raises unless they agree
    if sampler is not None and (subset is not None or recorder is not None):
        raise ValueError("a sampler chooses the examples itself, of which a recorder must see all: give one alone.")
    subset = _subset(split, subset)
    goal = goal or _goal(recipe, len(subset), sampler)
    loader = Loader(split, on)
    held_out = None if test is None else Loader(test, on, split.statistics)
    net = _to_device(net_for(split, recipe.net, seed_init), on)
    course = Course(net, recipe, goal, recorder, sampler, checkpoint, us, start)
    net_of_all, augment, cast = us.shared(net), augmentation(recipe.augment, split.kind), _autocast(recipe, on)
    chance, weight = torch.Generator(on), _weights(subset, on)
    pending: deque[Presentation] = deque()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for stretch in stretches(subset, sampler, course, seed_order):
            pending.clear()
            yield from loader.over(us.part(_kept(now, pending).index) for now in stretch)

    def evaluate() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        us.agree(net.buffers())
        for index, logits in _outputs(net.eval(), loader, cast, us):
            yield index, logits, loader.labels[index]

    bar = tqdm(desc=progress, total=100, unit="%", leave=False, disable=not progress, mininterval=1)
    with seeded(0), bar:
        for index, images in batches():
            now = pending.popleft()
            if now.first:
                chance.manual_seed(_chance(seed_order, "augmentation", now.epoch, us))
                torch.manual_seed(_chance(seed_order, "dropout", now.epoch, us))
                weight = weight if sampler is None else _to(sampler.weights, on)
            if not net.training:
                net.train()
            labels = loader.labels[index]
            with cast:
                logits = net_of_all(augment(images, chance))
            losses = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing, reduction="none")
            loss = (losses if weight is None else losses * weight[index]).sum() * (us.count / len(now.index))
            course.advance(loss, len(now.index), now.epochs)
            bar.update(round(100 * course.progress) - bar.n)
            if sampler is not None:
                sampler.update(index, losses.detach(), logits.detach())
            if recorder is not None:
                recorder.step(now.epoch, index, logits.detach(), labels, len(now.index))
                if now.last:
                    recorder.end_epoch(now.epoch, evaluate)
            if held_out is not None:
                course.test(partial(accuracy, net, held_out, cast))
            if now.last:
                course.write_down()
            if course.progress >= 1:
                break
    net.eval()
    return course.finished()


def check_recipe(recipe: Recipe, split: Split) -> None:
    """Raises ValueError unless the recipe's network and augmentation take what the split holds."""
    check_net(recipe.net, split.kind)
    augmentation(recipe.augment, split.kind)


def _chance(seed: int, purpose: str, epoch: int, us: Team) -> int:
    """The seed of an epoch's chance, so that a training that goes on needs no random state; each process its own."""
    whose = f" of process {us.index}" if us.index else ""
    return int(generator(seed, f"{purpose} {epoch}{whose}").integers(2**63))


def _kept(now: Presentation, pending: deque[Presentation]) -> Presentation:
    pending.append(now)
    return now


def _goal(recipe: Recipe, n: int, sampler: EpochSampler | None) -> Goal:
    """The end that a recipe means; the epochs of a sampler have no length that is known before."""
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


def _to(tensor: Tensor | None, device: torch.device) -> Tensor | None:
    return None if tensor is None else tensor.to(device)


def _to_device(net: Net, device: torch.device) -> Net:
    layout = torch.channels_last if net.channels_last else torch.contiguous_format
    return net.to(device=device, memory_format=layout)  # type: ignore[call-overload]


def _autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager:
    wanted = {"auto": device.type == "cuda", "float32": False, "bfloat16": True}[recipe.precision]
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def _outputs(
    module: nn.Module, loader: Loader, cast: AbstractContextManager, us: Team = ALONE
) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.inference_mode():
        for index, images in loader.over(map(us.part, loader.in_order())):
            with cast:
                outputs = module(images)
            yield index, outputs.float()


def accuracy(net: Net, loader: Loader, cast: AbstractContextManager) -> float:
    """The share of the loader's examples that the network classifies correctly, in percent."""
    hits = [(logits.argmax(1) == loader.labels[index]).sum() for index, logits in _outputs(net.eval(), loader, cast)]
    return 100 * float(torch.stack(hits).sum()) / len(loader.split)


def predict(
    net: Net, split: Split, device: str = "auto", statistics: tuple[list[float], list[float]] | None = None
) -> Tensor:
    """The network's logits for a whole split in `eval` mode, float32[n, C], on the CPU."""
    return _whole(net, net, split, device, statistics)


def features(
    net: Net, split: Split, device: str = "auto", statistics: tuple[list[float], list[float]] | None = None
) -> Tensor:
    """The network's penultimate features for a whole split in `eval` mode, float32[n, width], on the CPU."""
    return _whole(net, net.backbone, split, device, statistics)


def _whole(
    net: Net, module: nn.Module, split: Split, device: str, statistics: tuple[list[float], list[float]] | None
) -> Tensor:
    on = resolve_device(device)
    cast = torch.autocast(on.type, enabled=False)
    net.to(on).eval()
    return torch.cat([out.cpu() for _, out in _outputs(module, Loader(split, on, statistics), cast)])
