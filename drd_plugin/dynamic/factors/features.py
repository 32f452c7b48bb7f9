"""The features of a data set: what makes them, and where they are kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ...artifacts import ArtifactError, check_fingerprint
from ...artifacts.files import sha256
from ...provenance import describe, digest
from .arrays import map_rows, write_rows

if TYPE_CHECKING:
    from ...data import Split

__all__ = ["FeatureFile", "FeatureSource", "FeatureSpace", "Work", "feature_space"]


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


@dataclass(frozen=True)
class Work:
    """How features are computed.

    Arguments:
        device: `auto`, or a torch device.
        folder: Where what was reached is written down; None for nowhere.
        progress: Whether to show progress bars.
    """

    device: str = "auto"
    folder: Path | None = None
    progress: bool = True


class FeatureSource(Protocol):
    """Makes features of a split; a frozen dataclass, whose fields are its settings."""

    def inputs(self, split: Split, seed: int) -> Mapping[str, Any]:
        """What decides the features beside the fields and the split (the version of weights, a seed), ready for
        JSON.
        """

    def rows(self, split: Split, seed: int, work: Work) -> Iterator[np.ndarray]:
        """The features, float32[B, d] in the order of the split, n in all."""


@dataclass(frozen=True)
class FeatureFile:
    """Features that somebody else has made.

    Arguments:
        path: A .npy or safetensors file; see `drd_plugin.dynamic.factors.arrays.map_rows`.
    """

    path: Path = field(metadata={"identity": False})

    def inputs(self, split: Split, seed: int) -> Mapping[str, Any]:
        """See `FeatureSource`.

        Raises:
            ArtifactError: If there is no such file.
        """
        if not self.path.exists():
            raise ArtifactError(f"there is no file {self.path} of features.")
        return {"sha256": sha256(self.path)}

    def rows(self, split: Split, seed: int, work: Work) -> Iterator[np.ndarray]:
        """See `FeatureSource`."""
        yield self.mapped().values

    def mapped(self) -> FeatureSpace:
        """The features, mapped into memory.

        Raises:
            ArtifactError: If it is no file of features.
        """
        values, said = map_rows(self.path)
        return FeatureSpace(values, said.get("fingerprint", ""), said.get("provenance", {}))


def feature_space(
    split: Split,
    source: FeatureSource,
    seed: int = 0,
    *,
    folder: Path | None = None,
    device: str = "auto",
    progress: bool = True,
) -> FeatureSpace:
    """The features of a split: computed, or found.

    Arguments:
        split: The training split.
        source: What makes them.
        seed: Decides what is drawn in making them (a proxy's weights and order).
        folder: Where they are kept, in a file that a digest names, and mapped from; in memory by default.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If they are those of another data set, or of another number of examples.
    """
    if isinstance(source, FeatureFile):
        space = source.mapped()
    else:
        made = {"features": describe(source), **source.inputs(split, seed), "fingerprint": split.fingerprint}
        space = _computed(split, source, seed, made, Work(device, folder, progress))
    space.check(split)
    return space


def _computed(split: Split, source: FeatureSource, seed: int, made: dict[str, Any], work: Work) -> FeatureSpace:
    start = time.perf_counter()
    if work.folder is None:
        values = np.concatenate(list(source.rows(split, seed, work)))
        return FeatureSpace(values, split.fingerprint, {**made, "seconds": round(time.perf_counter() - start, 3)})
    path = work.folder / f"features-{digest(made)}.safetensors"
    if not path.exists():
        write_rows(path, source.rows(split, seed, work), len(split), split.fingerprint, made)
    return FeatureFile(path).mapped()
