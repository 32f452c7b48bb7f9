"""Checkpoints: a training that is killed goes on where it was last written down, exactly.

A checkpoint is one safetensors file that is overwritten after an epoch, unless the last was written less than
`EVERY` seconds ago.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..artifacts import ArtifactError
from ..artifacts.files import load_tensors, save_tensors

__all__ = ["Checkpoint", "optimizer_tensors", "restore_optimizer"]

EVERY = 10.0
"""Seconds between checkpoints: a crash costs an epoch, or this long where epochs are shorter."""


class Checkpoint:
    """Where a training is written down.

    Arguments:
        path: The file.
        identity: The digest of what decides the training.
        every: Seconds between two checkpoints.
        note: What is written down beside the training, ready for JSON.
    """

    def __init__(
        self, path: Path, identity: str, every: float = EVERY, note: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.path, self.identity, self.every, self.note = path, identity, every, note
        self._written = time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether it is time to write."""
        return time.perf_counter() - self._written >= self.every

    def write(self, tensors: Mapping[str, Tensor], said: Mapping[str, Any]) -> None:
        """Overwrites the checkpoint.

        Arguments:
            tensors: By name.
            said: What else is to be known, ready for JSON.
        """
        save_tensors(tensors, self.path, json.dumps({"identity": self.identity, **self.note, **said}))
        self._written = time.perf_counter()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and what else was written, or None where there is no checkpoint yet.

        Raises:
            ArtifactError: If it is damaged, or of another training.
        """
        if not self.path.exists():
            return None
        tensors, header = load_tensors(self.path)
        said = json.loads(header)
        if said.get("identity") != self.identity:
            raise ArtifactError(
                f"{self.path} is the checkpoint of a training with other settings: give another folder, or remove it."
            )
        return tensors, said


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser by name: `optimizer.PARAMETER.WHAT`."""
    states = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{what}": value for i, of in states.items() for what, value in of.items()}


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Takes over what `optimizer_tensors` gave; other tensors are passed over.

    What belongs to a parameter gets its memory format: fused optimisers walk through both as they lie in memory.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            place, _, what = rest.partition(".")
            state.setdefault(int(place), {})[what] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    for parameter, of in optimizer.state.items():
        for what, value in of.items():
            if value.shape == parameter.shape:
                of[what] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
