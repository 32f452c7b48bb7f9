"""The training loop: a network, a subset, a recipe and two seeds in; accuracies out.

Made for many short trainings: data stay on the device, augmentation works on batches, and an epoch is cut into batches
of equal size, so that each example is presented exactly once an epoch and no batch is too small for batch
normalisation.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..artifacts import Subset, check_fingerprint
from ..data import Dataset, Split, check_split
from ..rng import generator, seeded
from .augment import AUGMENTATIONS
from .loader import Loader, resolve_device
from .nets import Net, build
from .recipe import Recipe
from .recorder import Recorder

__all__ = ["Trained", "accuracy", "features", "predict", "train"]


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


def train(
    split: Split,
    recipe: Recipe,
    *,
    seed_init: int = 0,
    seed_order: int = 0,
    subset: Subset | np.ndarray | None = None,
    test: Split | None = None,
    recorder: Recorder | None = None,
    device: str = "auto",
    progress: str = "",
) -> Trained:
    """Trains a network from scratch.

    Arguments:
        split: The training split.
        recipe: How to train.
        seed_init: Decides the initial weights.
        seed_order: Decides the order of the examples, the augmentation and dropout.
        subset: What to train on, or its positions int64[k]; all by default. A subset's weights are scaled to mean 1 and
            weigh the losses.
        test: The split to measure the accuracy on.
        recorder: Is handed the outputs of each step; needs a recipe in epochs.
        device: `auto`, or a torch device.
        progress: The label of a progress bar; none by default.

    Raises:
        ArtifactError: If the subset was made for another data set, or a position is out of range or appears twice.
        DataError: If the test split has other classes or another image size than the training split.
        FloatingPointError: If the loss becomes NaN or infinite.
    """
    start, on = time.perf_counter(), resolve_device(device)
    check_split(split)
    if test is not None:
        check_split(test)
        Dataset(split, test)  # raises unless they agree
    subset = _subset(split, subset)
    loader = Loader(split, on)
    held_out = None if test is None else Loader(test, on, split.statistics)
    net = _to_device(build(recipe.net, split.shape[0], split.shape[1], split.num_classes, seed_init), on)
    steps = recipe.total_steps(len(subset))
    optimizer, scheduler = _optimizer(net, recipe, steps)
    chance = torch.Generator(on).manual_seed(int(generator(seed_order, "augmentation").integers(2**63)))
    augment, cast = AUGMENTATIONS[recipe.augment], _autocast(recipe, on)
    weight = _weights(subset, on)
    milestones = {round(steps * i / recipe.evaluations) for i in range(1, recipe.evaluations + 1)} | {steps}
    seen, results = 0, []

    def evaluate() -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        for index, logits in _outputs(net.eval(), loader, cast):
            yield index, logits, loader.labels[index]

    pending: deque[_Presentation] = deque()

    def positions() -> Iterator[Tensor]:
        for presentation in _presentations(subset.indices, recipe, steps, seed_order):
            pending.append(presentation)
            yield presentation.index

    diverged = torch.zeros((), dtype=torch.bool, device=on)
    batches = tqdm(loader.over(positions()), progress, steps, leave=False, disable=not progress, mininterval=1)
    with seeded(int(generator(seed_order, "dropout").integers(2**63))):
        for step, (index, images) in enumerate(batches, 1):
            net.train()
            labels = loader.labels[index]
            with cast:
                logits = net(augment(images, chance))
            losses = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing, reduction="none")
            loss = (losses if weight is None else losses * weight[index]).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            diverged |= ~loss.detach().isfinite()
            seen += len(index)
            now = pending.popleft()
            if recorder is not None:
                recorder.step(now.epoch, index, logits.detach(), labels)
                if now.last:
                    recorder.end_epoch(now.epoch, evaluate)
            if held_out is not None and step in milestones:
                results.append((accuracy(net, held_out, cast), step))
    if diverged:
        raise FloatingPointError(
            f"the training diverged (the loss became NaN): lower the recipe's lr, now {recipe.lr}."
        )
    best, step_best = max(results, key=lambda pair: pair[0], default=(math.nan, 0))
    last = results[-1][0] if results else math.nan
    return Trained(net.eval(), last, best, step_best, steps, seen, time.perf_counter() - start)


@dataclass(frozen=True, eq=False)
class _Presentation:
    """One batch: its epoch (from 1), whether it is the epoch's last, and its positions."""

    epoch: int
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
        yield _Presentation(epoch + 1, place == per_epoch - 1, batches[place])


def _optimizer(
    net: nn.Module, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    decayed = [p for p in net.parameters() if recipe.decay_all or p.ndim > 1]
    plain = [p for p in net.parameters() if not recipe.decay_all and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer: torch.optim.Optimizer
    if recipe.optimizer == "sgd":
        optimizer = torch.optim.SGD(
            groups,
            recipe.lr,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov and recipe.momentum > 0,
            fused=True,
        )
    else:
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
        optimizer = kind(groups, recipe.lr, fused=True)
    warmup, floor = round(recipe.warmup * steps), recipe.min_lr / recipe.lr

    def rate(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        progress = (step - warmup) / max(1, steps - warmup)
        return {
            "cosine": floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2,
            "linear": floor + (1 - floor) * (1 - progress),
            "step": 0.1 ** int(3 * progress),
            "constant": 1.0,
        }[recipe.schedule]

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


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


def _outputs(module: nn.Module, loader: Loader, cast: AbstractContextManager) -> Iterator[tuple[Tensor, Tensor]]:
    with torch.inference_mode():
        for index, images in loader.in_order():
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
