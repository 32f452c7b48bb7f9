"""The training loop: a network, a subset, a recipe and two seeds in; accuracies out.

Made for many short trainings: data stay on the device, augmentation works on batches, and an epoch is cut into batches
of equal size, so that each example is presented exactly once an epoch and no batch is too small for batch
normalisation.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..artifacts import Subset, check_fingerprint
from ..data import Dataset, Split, check_split
from ..processes import ALONE, Team
from ..rng import generator, seeded
from .augment import AUGMENTATIONS
from .checkpoint import Checkpoint
from .course import Course, Trained
from .loader import Loader, resolve_device
from .nets import Net, build
from .recipe import Recipe
from .recorder import Recorder

__all__ = ["Trained", "accuracy", "features", "predict", "train"]


def train(
    split: Split,
    recipe: Recipe,
    *,
    seed_init: int = 0,
    seed_order: int = 0,
    subset: Subset | np.ndarray | None = None,
    test: Split | None = None,
    recorder: Recorder | None = None,
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
        checkpoint: Where the training is written down after epochs, and goes on from.
        us: The processes that share the training.
        device: `auto`, or a torch device.
        progress: The label of a progress bar; none by default.

    Raises:
        ArtifactError: If the subset was made for another data set, a position is out of range or appears twice, or the
            checkpoint is that of another training.
        DataError: If the test split has other classes or another image size than the training split.
        FloatingPointError: If the loss becomes NaN or infinite.
        ValueError: If there are more processes than examples in a batch.
    """
    start, on = time.perf_counter(), us.device or resolve_device(device)
    check_split(split)
    if test is not None:
        check_split(test)
        Dataset(split, test)  # raises unless they agree
    subset = _subset(split, subset)
    loader = Loader(split, on)
    held_out = None if test is None else Loader(test, on, split.statistics)
    net = _to_device(build(recipe.net, split.shape[0], split.shape[1], split.num_classes, seed_init), on)
    course = Course(net, recipe, recipe.total_steps(len(subset)), recorder, checkpoint, us, start)
    net_of_all, augment, cast = us.shared(net), AUGMENTATIONS[recipe.augment], _autocast(recipe, on)
    chance, weight = torch.Generator(on), _weights(subset, on)
    pending: deque[_Presentation] = deque()

    def positions() -> Iterator[Tensor]:
        presented = _presentations(subset.indices, recipe, course.steps, seed_order)
        for presentation in itertools.islice(presented, course.step, None):
            pending.append(presentation)
            yield us.part(presentation.index)

    def evaluate() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        us.agree(net.buffers())
        for index, logits in _outputs(net.eval(), loader, cast, us):
            yield index, logits, loader.labels[index]

    batches = tqdm(
        loader.over(positions()), progress, course.steps, leave=False, disable=not progress, mininterval=1,
        initial=course.step,
    )  # fmt: skip
    with seeded(0):
        for index, images in batches:
            now = pending.popleft()
            if now.first:
                chance.manual_seed(_chance(seed_order, "augmentation", now.epoch, us))
                torch.manual_seed(_chance(seed_order, "dropout", now.epoch, us))
            if not net.training:
                net.train()
            labels = loader.labels[index]
            with cast:
                logits = net_of_all(augment(images, chance))
            losses = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing, reduction="none")
            loss = (losses if weight is None else losses * weight[index]).sum() * (us.count / len(now.index))
            course.advance(loss)
            course.seen += len(now.index)
            if recorder is not None:
                recorder.step(now.epoch, index, logits.detach(), labels, len(now.index))
                if now.last:
                    recorder.end_epoch(now.epoch, evaluate)
            if held_out is not None and course.step in course.milestones:
                course.results.append((accuracy(net, held_out, cast), course.step))
            if now.last:
                course.write_down()
    net.eval()
    return course.finished()


def _chance(seed: int, purpose: str, epoch: int, us: Team) -> int:
    """The seed of an epoch's chance, so that a training that goes on needs no random state; each process its own."""
    whose = f" of process {us.index}" if us.index else ""
    return int(generator(seed, f"{purpose} {epoch}{whose}").integers(2**63))


@dataclass(frozen=True, eq=False)
class _Presentation:
    """One batch: its epoch (from 1), whether it is the epoch's first or last, and its positions."""

    epoch: int
    first: bool
    last: bool
    index: Tensor


def _presentations(indices: np.ndarray, recipe: Recipe, steps: int, seed: int) -> Iterator[_Presentation]:
    """`steps` batches; each epoch is a fresh permutation, cut into batches of equal size."""
    order, positions = generator(seed, "order"), torch.from_numpy(np.asarray(indices, np.int64))
    per_epoch = recipe.steps_per_epoch(len(indices))
    for step in range(steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            batches = positions[torch.from_numpy(order.permutation(len(indices)))].tensor_split(per_epoch)
        yield _Presentation(epoch + 1, place == 0, place == per_epoch - 1, batches[place])


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
