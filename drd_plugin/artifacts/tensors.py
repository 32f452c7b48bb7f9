"""Tensors in safetensors files, written aside and renamed, and arrays of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .files import ArtifactError, write_aside

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["load_array", "load_tensors", "save_tensors"]


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: str = "", first: bool = False) -> None:
    """Writes tensors to a file that appears whole or not at all.

    Arguments:
        tensors: By name, on any device.
        path: The file.
        header: A text that is kept with them.
        first: Whether a file that another process has written meanwhile stays.

    Raises:
        OSError: If it cannot be written (the disk is full, say).
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with write_aside(path, first) as aside:
        aside.touch()
        readable = aside.stat().st_mode  # which save_file narrows to the owner
        try:
            save_file(plain, aside, {"format": "pt", "drd_plugin": header})
            aside.chmod(readable)
        except SafetensorError as error:
            raise OSError(f"{path} cannot be written: {error}.") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file, on the CPU, and its header.

    Raises:
        ArtifactError: If it is damaged.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, (file.metadata() or {}).get("drd_plugin", "")  # noqa: SIM118
    except Exception as error:  # of several kinds, none of which has a common base
        raise ArtifactError(f"{path} is damaged ({error}): remove it, and it is made again.") from error


def load_array(path: Path, mapped: bool = False) -> np.ndarray:
    """The array of a .npy file.

    Arguments:
        path: The file.
        mapped: Whether it is mapped into memory, and read where it is looked at; what is written stays in memory.

    Raises:
        ArtifactError: If it is damaged, or holds objects or several arrays.
    """
    try:
        values = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ArtifactError(f"{path} is damaged or holds no plain numbers ({error}): np.save a float array.") from error
    fields = values.dtype.names if isinstance(values, np.ndarray) else values.files
    if fields is not None:
        raise ArtifactError(
            f"{path} holds several arrays ({', '.join(fields)}): np.save the one with the scores alone."
        )
    return values
