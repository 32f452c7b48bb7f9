"""Dynamic samplers of sixty examples; light to import, for scripts that run in processes of their own."""

from __future__ import annotations

import numpy as np
import torch

from drd_plugin.artifacts import Subset
from drd_plugin.dynamic import DynamicSampler, Examples, Fixed, Plan, parse_dynamic

N, CLASSES = 60, 3


def make_examples(n: int = N, classes: int = CLASSES, seed: int = 0) -> Examples:
    """n examples with a random representativeness and rarity."""
    rng = np.random.default_rng(seed)
    values = {"representativeness": rng.random(n), "rarity": rng.random(n)}
    return Examples(np.arange(n) % classes, classes, "made:up", values)


def make_sampler(name: str, fraction: float = 0.3, epochs: int = 12, seed: int = 0, **plan: float) -> DynamicSampler:
    """A sampler by the name of its method; `Fixed` is a random subset of as many examples."""
    count = round(fraction * N)
    subset = Subset(np.sort(np.random.default_rng(seed).permutation(N)[:count]), N, "Random", "made:up")
    method = Fixed(subset) if name == "Fixed" else parse_dynamic(name)
    return DynamicSampler(method, make_examples(), Plan(fraction, **plan), epochs=epochs, seed=seed)


def losses_of(index: torch.Tensor, epoch: int) -> torch.Tensor:
    """A loss that depends on the example and the epoch alone."""
    return torch.sin(index.double() * 12.9898 + epoch).abs().float() * 3


def walk(sampler: DynamicSampler, epochs: int, first: int = 0) -> list[list[int]]:
    """The epochs' examples, with feedback for each."""
    chosen = []
    for epoch in range(first, epochs):
        sampler.set_epoch(epoch)
        index = torch.tensor(list(sampler))
        chosen.append(index.tolist())
        sampler.update(index, losses_of(index, epoch))
    return chosen
