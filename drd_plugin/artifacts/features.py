"""`Features`: a row of numbers for each training example, in one safetensors file, or from a plain .npy file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .files import ArtifactError, check_fingerprint, load_array, load_tensors, save_tensors, sha256
from .vectors import as_array

__all__ = ["Features"]


@dataclass(frozen=True, eq=False)
class Features:
    """A network's features of each training example, in the order of the data set.

    Arguments:
        values: float32[n, d], finite; copied, so that later changes of an array do not reach the features.
        fingerprint: The data set's fingerprint; empty if unknown.
        provenance: How they were made, ready for JSON.
        owned: Whether nobody else holds the values, so that they need no copy.

    Raises:
        ArtifactError: If the values are no matrix, or not finite.
    """

    values: np.ndarray = field(repr=False)
    fingerprint: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    owned: InitVar[bool] = False

    def __post_init__(self, owned: bool) -> None:
        try:
            values = as_array(self.values) if hasattr(self.values, "detach") else np.asarray(self.values)
        except ValueError as error:
            raise ArtifactError(f"expected features, numbers of shape [n, d]: {error}.") from error
        if values.ndim != 2 or not values.size or values.dtype.kind not in "iuf":
            raise ArtifactError(
                f"expected features, numbers of shape [n, d], got {values.dtype} of shape {values.shape}."
            )
        object.__setattr__(self, "values", (np.asarray if owned else np.array)(values, np.float32))
        broken = np.flatnonzero(~np.isfinite(self.values.sum(axis=1)))
        if len(broken):
            raise ArtifactError(
                f"the features of {len(broken)} examples are NaN or infinite (the first: {broken[:5].tolist()}): "
                "look at these images, or at the network."
            )

    def __len__(self) -> int:
        return len(self.values)

    def check(self, n: int, fingerprint: str) -> None:
        """Checks that these are features of a data set with n training examples and this fingerprint.

        Raises:
            ArtifactError: If the numbers of examples differ, or the fingerprints, where that of the features is known.
        """
        if len(self) != n:
            raise ArtifactError(
                f"there are features of {len(self)} examples and scores of {n}: give the features of the data set "
                "that was scored, a row for each example in its order."
            )
        if self.fingerprint:
            check_fingerprint(self.fingerprint, fingerprint, "the file of features")

    def save(self, path: Path) -> None:
        """Writes the features to a safetensors file."""
        import torch

        header = json.dumps({"kind": "features", "fingerprint": self.fingerprint, "provenance": dict(self.provenance)})
        save_tensors({"features": torch.from_numpy(self.values)}, Path(path), header)

    @classmethod
    def load(cls, path: Path) -> Features:
        """Reads a file that `save` wrote, or a .npy file of numbers[n, d], whose order cannot be checked.

        Raises:
            ArtifactError: If there is no such file, or it holds something else.
        """
        path = Path(path)
        if not path.exists():
            raise ArtifactError(f"there is no file {path} of features.")
        if path.suffix == ".npy":
            return cls(load_array(path), provenance={"file": path.name, "sha256": sha256(path)}, owned=True)
        tensors, header = load_tensors(path)
        content = json.loads(header or "{}")
        if "features" not in tensors or "fingerprint" not in content:
            raise ArtifactError(
                f"{path} holds no features as `drd-plugin record --features` writes them, but {sorted(tensors)}: give "
                "such a file, or a .npy file of numbers[n, d]."
            )
        return cls(tensors["features"].numpy(), content["fingerprint"], content["provenance"], owned=True)
