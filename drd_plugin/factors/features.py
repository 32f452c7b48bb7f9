"""The features of a data set, and the sources that compute or read them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from typing_extensions import override

from ..artifacts import ArtifactError, check_fingerprint
from ..artifacts.files import sha256
from ..core.job import Job
from ..core.provenance import describe, digest
from ..data import Split
from .arrays import map_rows, write_rows

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
        """Raises ArtifactError unless these can be the features of this split."""
        if self.fingerprint:
            check_fingerprint(self.fingerprint, split.fingerprint, "the file of features")
        if len(self.values) != len(split):
            raise ArtifactError(
                f"there are features of {len(self.values)} examples, but {split.name} has {len(split)}: give those of "
                "this data set, a row for each example in its order."
            )


class FeatureSource(Protocol):
    """Computes the features of a split; a frozen dataclass, whose fields are its settings."""

    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """All that determines the features beside the fields and the split (the version of weights, a seed), ready for
        JSON.
        """

    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """The features, float32[B, d] in the order of the split, n in all."""


@dataclass(frozen=True)
class FeatureFile(FeatureSource):
    """Reads features from a file.

    Arguments:
        path: A .npy or safetensors file; see `drd_plugin.factors.arrays.map_rows`.
    """

    path: Path = field(metadata={"identity": False})

    @override
    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """Raises ArtifactError if there is no such file."""
        if not self.path.exists():
            raise ArtifactError(f"there is no file {self.path} of features.")
        return {"sha256": sha256(self.path)}

    @override
    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        yield self.mapped().values

    def mapped(self) -> FeatureSpace:
        """The features, mapped into memory.

        Raises:
            ArtifactError: If the file does not hold features.
        """
        values, header = map_rows(self.path)
        return FeatureSpace(values, header.get("fingerprint", ""), header.get("provenance", {}))


def feature_space(split: Split, source: FeatureSource, seed: int = 0, job: Job = Job()) -> FeatureSpace:
    """The features of a split: computed, or read where they were computed before.

    Arguments:
        split: The training split.
        source: The source of the features.
        seed: The seed of what is random in them (a proxy's weights and order).
        job: How and where; features are stored in its folder, in a file that a digest names, and mapped from there; in
            memory where it has none.

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
