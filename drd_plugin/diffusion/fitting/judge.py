"""How good a fitted denoiser is: samples of each class, and the share of them that a classifier recognises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...core.seeds import keyed_normal
from ...data import Split
from ...training.loop import predict, train
from ...training.recipe import Recipe
from ..batching import Batches, forward_batch
from ..denoisers.base import Denoiser
from ..solvers import solve

__all__ = ["CLASSIFIER", "Judgement", "drawn", "judge"]

CLASSIFIER = Recipe(net="convnet", steps=1000, batch_size=128, evaluations=1)
"""How the classifier is trained, on the images that the denoiser has learned."""

STEPS = 25
"""Forward passes of DPM-Solver++ for a sample."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Samples and what a classifier makes of them.

    Arguments:
        samples: uint8[C, k, channels, H, W].
        recognised: The share of all samples that the classifier gives the class they were asked for.
        accuracy: The classifier's test accuracy in percent, where there was a test split.
    """

    samples: Tensor
    recognised: float
    accuracy: float | None

    @property
    def card(self) -> dict[str, Any]:
        """For the denoiser's card."""
        accuracy = None if self.accuracy is None else round(self.accuracy, 2)
        return {
            "samples_recognised": round(self.recognised, 4),
            "samples": self.samples.shape[0] * self.samples.shape[1],
            "classifier_accuracy": accuracy,
        }


def judge(
    denoiser: Denoiser, split: Split, test: Split | None, each: int, seed: int, device: torch.device
) -> Judgement:
    """Draws samples and has them recognised.

    Arguments:
        denoiser: The fitted denoiser.
        split: What it was fitted to, on which the classifier is trained.
        test: On which the classifier's accuracy is taken.
        each: Samples of each class.
        seed: Decides samples and classifier.
        device: Where to compute.
    """
    labels = torch.arange(split.num_classes).repeat_interleave(each)
    samples = ((drawn(denoiser, labels, seed, device).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    trained = train(split, CLASSIFIER, seed_init=seed, seed_order=seed, test=test, device=str(device))
    made = Split("samples", samples, labels.numpy(), split.classes)
    hits = predict(trained.net, made, str(device), split.statistics).argmax(1) == labels
    accuracy = None if test is None else trained.acc_last
    return Judgement(samples.unflatten(0, (-1, each)), float(hits.float().mean()), accuracy)


def drawn(denoiser: Denoiser, labels: Tensor, seed: int, device: torch.device) -> Tensor:
    """A sample for each label by DPM-Solver++, float32[B, C, H, W] on the CPU, about [-1, 1].

    Arguments:
        denoiser: The denoiser.
        labels: int64[B].
        seed: Decides the noise.
        device: Where to compute.
    """
    shape, last = tuple(denoiser.latent_shape), len(denoiser.alphas_cumprod) - 1

    def of(index: Tensor) -> Tensor:
        noise = torch.from_numpy(keyed_normal(seed, "sample", index.numpy(), 0, shape)).to(device)
        latents = solve("dpmsolver++", denoiser, noise, last, labels[index].to(device), STEPS, clipped=True)
        return denoiser.decode(latents).float().cpu()

    with torch.inference_mode():
        return Batches(forward_batch(2048, shape, device)).over(torch.arange(len(labels)), of)
