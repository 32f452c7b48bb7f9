"""The training of a denoiser, with checkpoints from which a killed training goes on exactly."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.training_utils import EMAModel
from torch import Tensor
from tqdm.auto import tqdm

from ...core.provenance import describe, digest
from ...core.seeds import generator
from ...data import Split, scaled
from ...training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from .network import build_network
from .settings import Fit

__all__ = ["Training"]

EVERY = 120.0
"""Seconds between checkpoints, which are written after epochs."""


class Training:
    """The state of a training: a network, its moving average, its optimiser and the losses so far.

    Arguments:
        fit: The settings.
        split: The training split.
        a: a_t, float[T], on the device.
        device: The device to train on.
        folder: The folder of the checkpoint, from which the training goes on if it exists.

    Raises:
        ArtifactError: If the checkpoint is that of another fit, or damaged.
    """

    def __init__(self, fit: Fit, split: Split, a: Tensor, device: torch.device, folder: Path) -> None:
        self.fit, self.split, self.a, self.device = fit, split, a, device
        self.model = build_network(fit, split).to(device).train()
        self.average = EMAModel(self.model.parameters(), decay=fit.ema)
        self.per_epoch = -(-len(split) // fit.batch_size)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), fit.lr, weight_decay=0.01)
        self.chance = torch.Generator(device).manual_seed(fit.seed)
        self.images = split.images.to(device) if isinstance(split.images, Tensor) else split.images
        self.labels = torch.from_numpy(split.labels).to(device)
        self.losses: list[Tensor] = []
        self.epoch, self.seconds = 0, 0.0
        identity = digest([describe(fit), split.fingerprint])
        self.checkpoint = Checkpoint(folder / "checkpoint.safetensors", identity, EVERY)
        self._read()

    def run(self, progress: bool) -> None:
        """Trains to the end.

        Raises:
            FloatingPointError: If the loss becomes NaN or infinite.
        """
        steps = self.fit.epochs * self.per_epoch
        model = torch.compile(self.model) if self.fit.compiled else self.model
        start, finished = time.perf_counter(), len(self.losses)
        with tqdm(total=steps, initial=finished, desc="fit", unit="step", disable=not progress, mininterval=1) as bar:
            while self.epoch < self.fit.epochs:
                self.epoch += 1
                order = torch.from_numpy(generator(self.fit.seed, f"order {self.epoch}").permutation(len(self.split)))
                for index in order.tensor_split(self.per_epoch):
                    for group in self.optimizer.param_groups:
                        group["lr"] = self.fit.lr * _rate(len(self.losses), steps)
                    loss = self._loss(model, index)
                    self.optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                    self.optimizer.step()
                    self.average.step(self.model.parameters())
                    self.losses.append(loss.detach())
                    bar.update()
                if not self.losses[-1].isfinite():
                    raise FloatingPointError(f"the fit diverged: lower lr, now {self.fit.lr}.")
                if self.checkpoint.due or self.epoch == self.fit.epochs:
                    self.seconds += time.perf_counter() - start
                    start = time.perf_counter()
                    self._write()

    def step_losses(self) -> Tensor:
        """The loss of each step, float32[steps], on the CPU."""
        return torch.stack(self.losses).cpu()

    def images_per_second(self) -> float:
        """The number of training images per second."""
        return len(self.losses) / self.per_epoch * len(self.split) / max(self.seconds, 1e-9)

    def averaged(self) -> Any:
        """The network, which gets the averaged weights, in `eval` mode."""
        self.average.copy_to(self.model.parameters())
        return self.model.eval()

    def loss_of_average(self) -> float:
        """The mean loss of the averaged network over the training set; call `averaged` before."""
        index = torch.from_numpy(generator(self.fit.seed, "order 0").permutation(len(self.split)))
        with torch.no_grad():
            losses = [self._loss(self.model, part) for part in index.tensor_split(self.per_epoch)]
        return float(torch.stack(losses).mean())

    def _loss(self, model: Any, index: Tensor) -> Tensor:
        """The mean squared error of the network's prediction for a batch at random timesteps."""
        x_0, device, chance = scaled(self.images[index].to(self.device)), self.device, self.chance
        if self.fit.flip:
            mirrored = torch.rand(len(index), 1, 1, 1, generator=chance, device=device) < 0.5
            x_0 = torch.where(mirrored, x_0.flip(3), x_0)
        t = torch.randint(0, len(self.a), (len(index),), generator=chance, device=device)
        noise = torch.randn(x_0.shape, generator=chance, device=device)
        a = self.a[t][:, None, None, None]
        dropped = torch.rand(len(index), generator=chance, device=device) < self.fit.null_share
        label = self.labels[index.to(device)].masked_fill(dropped, self.split.num_classes)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.fit.precision == "bfloat16"):
            x_t = a.sqrt() * x_0 + (1 - a).sqrt() * noise
            predicted = model(x_t, timestep=t, class_labels=label, return_dict=False)[0]
        v = a.sqrt() * noise - (1 - a).sqrt() * x_0
        return F.mse_loss(predicted.float(), noise if self.fit.prediction_type == "epsilon" else v)

    def _write(self) -> None:
        tensors = {f"model.{i}": p.detach() for i, p in enumerate(self.model.parameters())}
        tensors |= {f"average.{i}": p for i, p in enumerate(self.average.shadow_params)}
        tensors |= optimizer_tensors(self.optimizer)
        tensors |= {"chance": self.chance.get_state(), "losses": torch.stack(self.losses)}
        self.checkpoint.write(tensors, {"epoch": self.epoch, "seconds": self.seconds})

    def _read(self) -> None:
        stored = self.checkpoint.read()
        if stored is None:
            return
        tensors, header = stored
        with torch.no_grad():
            for i, parameter in enumerate(self.model.parameters()):
                parameter.copy_(tensors[f"model.{i}"])
                self.average.shadow_params[i].copy_(tensors[f"average.{i}"])
        self.epoch, self.seconds = header["epoch"], header["seconds"]
        self.losses = list(tensors["losses"].to(self.device))
        self.average.optimization_step = len(self.losses)
        restore_optimizer(self.optimizer, tensors)
        self.chance.set_state(tensors["chance"])


def _rate(step: int, steps: int) -> float:
    """The learning rate of a step (from 0) divided by the peak."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return (step + 1) / warmup
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2
