"""Random selection as a score: uniform numbers keyed by example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..core.job import Job
from ..core.seeds import keyed_uniform
from ..data import Split
from .base import MapScore, Scorer

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(MapScore):
    """An independent uniform number in [0, 1) for each example; with "hardest first", a uniform random subset."""

    takes = ("images", "texts")
    higher_is_harder = True
    seeded_by = "selection"

    @override
    def prepare(self, split: Split, seed: int, job: Job = Job()) -> UniformScorer:
        return UniformScorer(seed)


@dataclass(frozen=True)
class UniformScorer(Scorer):
    """Uniform prepared for a data set."""

    seed: int

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {}

    @override
    def __call__(self, images: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        import torch

        return torch.from_numpy(keyed_uniform(self.seed, "uniform", index.cpu().numpy()))[:, None]
