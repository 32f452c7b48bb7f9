"""`Subset`: the selected indices with their provenance, a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from .files import ArtifactError, read_json, write_aside
from .vectors import as_array, positions_of

__all__ = ["Subset"]


@dataclass(frozen=True, eq=False)
class Subset:
    """The examples to train on.

    Arguments:
        indices: Distinct positions in the training set, int64[k]; or a mask bool[n]. Stored in ascending order.
        n: The size of the training set.
        method: The name of the method that selected it, for tables ("DRD", "EL2N+CCS").
        fingerprint: The data set's fingerprint.
        weights: A loss weight for each index, float32[k], or None.
        chosen: What the strategy chose (a window's start, a cut-off), ready for JSON.
        provenance: Score, strategy, fraction and seed, ready for JSON.

    Raises:
        ArtifactError: If an index is no integer, is out of range or appears twice, or the weights do not fit.
    """

    indices: np.ndarray = field(repr=False)
    n: int
    method: str
    fingerprint: str
    weights: np.ndarray | None = field(default=None, repr=False)
    chosen: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if type(self.n) is bool or not isinstance(self.n, Integral) or not isinstance(self.method, str):
            raise ArtifactError(f"a subset has a size n and a method's name, got n={self.n!r}, method={self.method!r}.")
        if not isinstance(self.chosen, Mapping) or not isinstance(self.provenance, Mapping):
            raise ArtifactError(
                f"the chosen settings and the provenance of a subset are tables, got {self.chosen!r:.40}."
            )
        indices = positions_of(self.indices, self.n)
        if not len(indices):
            raise ArtifactError(f"a subset needs distinct indices in 0..{self.n - 1}, at least one; got none.")
        order = np.argsort(indices, kind="stable")
        object.__setattr__(self, "indices", indices[order])
        if self.weights is not None:
            weights = as_array(self.weights)
            number = weights.dtype.kind in "biuf" or all(isinstance(weight, Real) for weight in weights.flat)
            weights = weights.astype(np.float32) if number else np.full(weights.shape, np.nan, np.float32)
            sound = np.isfinite(weights).all() and (weights >= 0).all() and weights.any()
            if weights.shape != indices.shape or not sound:
                raise ArtifactError(
                    f"expected {len(indices)} finite, non-negative weights, not all zero, got {weights.shape}: "
                    f"{weights if number else self.weights}."
                )
            object.__setattr__(self, "weights", weights[order])

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {self.n} examples by {self.method!r}, fingerprint={self.fingerprint!r})"

    def save(self, path: Path) -> None:
        """Writes the subset as JSON."""
        content = {
            "kind": "subset",
            "method": self.method,
            "n": self.n,
            "k": len(self),
            "fingerprint": self.fingerprint,
            "chosen": dict(self.chosen),
            "provenance": dict(self.provenance),
            "indices": self.indices.tolist(),
            "weights": None if self.weights is None else self.weights.tolist(),
        }
        with write_aside(Path(path)) as aside:
            aside.write_text(json.dumps(content))

    @classmethod
    def load(cls, path: Path) -> Subset:
        """Reads a subset from a file that `save` wrote.

        Raises:
            ArtifactError: If the file is missing, damaged or no subset.
        """
        if not Path(path).exists():
            raise ArtifactError(f"there is no subset {path}.")
        try:
            content = read_json(path, "give a file that `drd-plugin select` wrote", "kind", "k", "indices")
            if content["kind"] != "subset" or content["k"] != len(content["indices"]):
                raise ValueError("not a complete subset")
            return cls(
                indices=content["indices"],
                n=content["n"],
                method=content["method"],
                fingerprint=content["fingerprint"],
                weights=content["weights"],
                chosen=content["chosen"],
                provenance=content["provenance"],
            )
        except (ArtifactError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"{path} is no subset file ({error}): expected JSON as `drd-plugin select` writes it."
            ) from error
