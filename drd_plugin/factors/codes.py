"""`Codes`: which factors each example of a data set has, and how strongly."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..artifacts import ArtifactError
from ..artifacts.files import load_tensors, save_tensors

__all__ = ["Codes"]


@dataclass(frozen=True, eq=False)
class Codes:
    """The active units of each example, strongest first, in the order of the data set.

    TopK gives every example k places, so two tables of k columns hold all units, without row pointers; a place whose
    activation is 0 is empty.

    Arguments:
        index: The units, int32[n, k], in 0..units - 1.
        value: Their activations, float32[n, k], finite and at least 0.
        units: The number of units m.

    Raises:
        ArtifactError: If shapes do not fit, a unit is out of range, or an activation is negative or not finite.
    """

    index: np.ndarray = field(repr=False)
    value: np.ndarray = field(repr=False)
    units: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", np.asarray(self.index, np.int32))
        object.__setattr__(self, "value", np.asarray(self.value, np.float32))
        if self.index.ndim != 2 or self.index.shape != self.value.shape or not self.index.size:
            raise ArtifactError(
                f"expected units and activations of the same shape [n, k], got {self.index.shape} and "
                f"{self.value.shape}."
            )
        if self.index.min() < 0 or self.index.max() >= self.units:
            raise ArtifactError(f"units must be in 0..{self.units - 1}, got {self.index.min()} to {self.index.max()}.")
        if not (np.isfinite(self.value) & (self.value >= 0)).all():
            raise ArtifactError("activations must be finite and at least 0: train the autoencoder again.")

    def __len__(self) -> int:
        return len(self.index)

    @property
    def shares(self) -> np.ndarray:
        """a_ij: each activation as a share of its example's sum, float32[n, k]; zeros where no unit is active."""
        total = self.value.sum(axis=1, keepdims=True)
        return np.divide(self.value, total, out=np.zeros_like(self.value), where=total > 0)

    @property
    def active(self) -> np.ndarray:
        """How many units are active for each example, int64[n]."""
        return (self.value > 0).sum(axis=1)

    def strongest(self, unit: int, most: int) -> np.ndarray:
        """The examples for which a unit is most active, strongest first, int64[at most `most`]."""
        row, column = np.nonzero((self.index == unit) & (self.value > 0))
        return row[np.argsort(-self.value[row, column], kind="stable")[:most]]

    def save(self, path: Path, mark: str = "") -> None:
        """Writes the codes as safetensors, with the mark of their run."""
        import torch

        tensors = {"index": torch.from_numpy(self.index), "value": torch.from_numpy(self.value)}
        save_tensors(tensors, path, json.dumps({"kind": "codes", "units": self.units, "mark": mark}))

    @classmethod
    def load(cls, path: Path) -> Codes:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: If the file is damaged, or holds something else.
        """
        tensors, header = load_tensors(path)
        content = json.loads(header or "{}")
        if content.get("kind") != "codes":
            raise ArtifactError(f"{path} holds no codes as `drd-plugin factors` writes them, but {sorted(tensors)}.")
        return cls(tensors["index"].numpy(), tensors["value"].numpy(), content["units"])
