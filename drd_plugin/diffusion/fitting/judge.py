"""The quality of a fitted denoiser: samples of each class, and the share of them that a classifier recognises."""

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

__all__ = ["CLASSIFIER", "Judgement", "draw_samples", "judge"]

CLASSIFIER = Recipe(net="convnet", steps=1000, batch_size=128, evaluations=1)
"""The recipe of the classifier, which is trained on the denoiser's training split."""

STEPS = 25
"""The forward passes of DPM-Solver++ for a sample."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """Samples of a denoiser, and the share that a classifier recognises.

    Arguments:
        samples: k samples of each class, uint8[C, k, channels, H, W].
        recognised: The share of all samples that the classifier gives the class they were drawn for.
        accuracy: The classifier's test accuracy in percent; None without a test split.
    """

    samples: Tensor
    recognised: float
    accuracy: float | None

    @property
    def card(self) -> dict[str, Any]:
        """The entries for the denoiser's card."""
        accuracy = None if self.accuracy is None else round(self.accuracy, 2)
        return {
            "samples_recognised": round(self.recognised, 4),
            "samples": self.samples.shape[0] * self.samples.shape[1],
            "classifier_accuracy": accuracy,
        }


def judge(
    denoiser: Denoiser, split: Split, test: Split | None, each: int, seed: int, device: torch.device
) -> Judgement:
    """The judgement of a fitted denoiser.

    Arguments:
        denoiser: The fitted denoiser.
        split: Its training split, on which the classifier is trained too.
        test: The split for the classifier's test accuracy.
        each: The number of samples of each class.
        seed: Determines samples and classifier.
        device: The device to compute on.
    """
    labels = torch.arange(split.num_classes).repeat_interleave(each)
    samples = ((draw_samples(denoiser, labels, seed, device).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    trained = train(split, CLASSIFIER, seed_init=seed, seed_order=seed, test=test, device=str(device), least_classes=1)
    sample_split = Split("samples", samples, labels.numpy(), split.classes)
    hits = predict(trained.net, sample_split, str(device), split.statistics).argmax(1) == labels
    accuracy = None if test is None else trained.acc_last
    return Judgement(samples.unflatten(0, (-1, each)), float(hits.float().mean()), accuracy)


def draw_samples(denoiser: Denoiser, labels: Tensor, seed: int, device: torch.device) -> Tensor:
    """A sample for each label by DPM-Solver++, float32[B, C, H, W] on the CPU, about in [-1, 1].

    Arguments:
        denoiser: The denoiser.
        labels: The classes of the samples, int64[B].
        seed: Determines the noise.
        device: The device to compute on.
    """
    shape, last = tuple(denoiser.latent_shape), len(denoiser.alphas_cumprod) - 1

    def sample(index: Tensor) -> Tensor:
        noise = torch.from_numpy(keyed_normal(seed, "sample", index.numpy(), 0, shape)).to(device)
        latents = solve("dpmsolver++", denoiser, noise, last, labels[index].to(device), STEPS, clipped=True)
        return denoiser.decode(latents).float().cpu()

    with torch.inference_mode():
        return Batches(forward_batch(2048, shape, device)).over(torch.arange(len(labels)), sample)
