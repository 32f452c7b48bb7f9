"""The features of a data set: what makes them, and where they are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..artifacts import ArtifactError, check_fingerprint
from ..artifacts.files import sha256
from ..core.job import Job
from ..core.provenance import describe, digest
from .arrays import map_rows, write_rows

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["FeatureFile", "FeatureSource", "FeatureSpace", "feature_space"]


@dataclass(frozen=True, eq=False)
class FeatureSpace:
    """Features of each example, in the order of the data set.

    Arguments:
        values: Floating-point numbers [n, d], in memory or mapped.
        fingerprint: The data set's fingerprint; empty where it is not known.
        provenance: How they were made, ready for JSON.
    """

    values: np.ndarray = field(repr=False)
    fingerprint: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def check(self, split: Split) -> None:
        """Raises ArtifactError unless they can be the features of this split."""
        if self.fingerprint:
            check_fingerprint(self.fingerprint, split.fingerprint, "the file of features")
        if len(self.values) != len(split):
            raise ArtifactError(
                f"there are features of {len(self.values)} examples, but {split.name} has {len(split)}: give those of "
                "this data set, a row for each example in its order."
            )


class FeatureSource(Protocol):
    """Makes features of a split; a frozen dataclass, whose fields are its settings."""

    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """What decides the features beside the fields and the split (the version of weights, a seed), ready for
        JSON.
        """

    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """The features, float32[B, d] in the order of the split, n in all."""


@dataclass(frozen=True)
class FeatureFile:
    """Features that somebody else has made.

    Arguments:
        path: A .npy or safetensors file; see `drd_plugin.factors.arrays.map_rows`.
    """

    path: Path = field(metadata={"identity": False})

    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """See `FeatureSource`.

        Raises:
            ArtifactError: If there is no such file.
        """
        if not self.path.exists():
            raise ArtifactError(f"there is no file {self.path} of features.")
        return {"sha256": sha256(self.path)}

    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """See `FeatureSource`."""
        yield self.mapped().values

    def mapped(self) -> FeatureSpace:
        """The features, mapped into memory.

        Raises:
            ArtifactError: If it is no file of features.
        """
        values, said = map_rows(self.path)
        return FeatureSpace(values, said.get("fingerprint", ""), said.get("provenance", {}))


def feature_space(split: Split, source: FeatureSource, seed: int = 0, job: Job = Job()) -> FeatureSpace:
    """The features of a split: computed, or read where they were before.

    Arguments:
        split: The training split.
        source: Makes them.
        seed: Decides what is drawn in making them (a proxy's weights and order).
        job: How and where; they are kept in its folder, in a file that a digest names, and mapped from there; in memory
            where it has none.

    Raises:
        ArtifactError: If they are those of another data set, or of another number of examples.
    """
    if isinstance(source, FeatureFile):
        space = source.mapped()
    else:
        identity = {"features": describe(source), **source.identity(split, seed), "fingerprint": split.fingerprint}
        space = _computed(split, source, seed, identity, job)
    space.check(split)
    return space


def _computed(split: Split, source: FeatureSource, seed: int, identity: dict[str, Any], job: Job) -> FeatureSpace:
    start = time.perf_counter()
    if job.folder is None:
        values = np.concatenate(list(source.rows(split, seed, job)))
        return FeatureSpace(values, split.fingerprint, {**identity, "seconds": round(time.perf_counter() - start, 3)})
    path = job.folder / f"features-{digest(identity)}.safetensors"
    if not path.exists():
        write_rows(path, source.rows(split, seed, job), len(split), split.fingerprint, identity)
    return FeatureFile(path).mapped()
