"""Checkpoints, from which a killed training goes on exactly.

A checkpoint is one safetensors file, overwritten after an epoch unless it was written less than `EVERY` seconds before.
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
"""The least seconds between checkpoints: a crash loses one epoch or about this long, whichever is longer."""


class Checkpoint:
    """The file with the state of a training.

    Arguments:
        path: The file.
        identity: A digest of all that determines the training.
        every: The least number of seconds between two checkpoints.
        note: Further entries for the file's header, ready for JSON.
    """

    def __init__(
        self, path: Path, identity: str, every: float = EVERY, note: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.path, self.identity, self.every, self.note = path, identity, every, note
        self._written = time.perf_counter()

    @property
    def due(self) -> bool:
        """Whether `every` seconds have passed since it was written."""
        return time.perf_counter() - self._written >= self.every

    def write(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Overwrites the checkpoint.

        Arguments:
            tensors: The tensors by name.
            header: All else, ready for JSON.
        """
        save_tensors(tensors, self.path, json.dumps({"identity": self.identity, **self.note, **header}))
        self._written = time.perf_counter()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and the header, or None if there is no checkpoint yet.

        Raises:
            ArtifactError: If it is damaged, or of another training.
        """
        if not self.path.exists():
            return None
        tensors, text = load_tensors(self.path)
        header = json.loads(text)
        if header.get("identity") != self.identity:
            raise ArtifactError(
                f"{self.path} is the checkpoint of a training with other settings: give another folder, or remove it."
            )
        return tensors, header


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser by name: `optimizer.PARAMETER.KEY`."""
    states = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{key}": value for i, state in states.items() for key, value in state.items()}


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restores an optimiser from the result of `optimizer_tensors`; tensors with other names are ignored.

    A tensor with the shape of its parameter gets the parameter's memory format, which fused optimisers rely on.
    """
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, i, key = name.split(".", 2)
            states.setdefault(int(i), {})[key] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": states})
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
