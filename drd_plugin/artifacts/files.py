"""How artefacts are written, read and refused: files that appear whole or not at all, tensors as safetensors, arrays of
other tools.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

ABANDONED = 24 * 3600.0
"""Seconds after which what a killed process left is cleared away."""

__all__ = [
    "ArtifactError",
    "check_fingerprint",
    "load_array",
    "load_tensors",
    "save_tensors",
    "sha256",
    "write_aside",
]


class ArtifactError(ValueError):
    """An artefact that is damaged, incomplete, of another kind, or made for another data set."""


@contextmanager
def write_aside(path: Path, first: bool = False) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or make a folder at, and renames it to `path` if the block succeeds;
    nothing is left behind if it fails. A folder replaces an empty folder only.

    Arguments:
        path: Where it should be.
        first: Whether what another process has put there meanwhile stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f".{path.name}.*.tmp"):
        if time.time() - old.stat().st_mtime > ABANDONED:
            _remove(old)
    aside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield aside
        if not (first and _there(aside, path)):
            os.replace(aside, path)
    finally:
        _remove(aside)


def _there(aside: Path, path: Path) -> bool:
    """Puts a file or folder at a path where nothing is; whether something is there now."""
    try:
        os.rename(aside, path) if aside.is_dir() else os.link(aside, path)
    except OSError:  # something is there, or the file system has no hard links
        return path.exists()
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


def check_fingerprint(made_for: str, given: str, what: str) -> None:
    """Raises ArtifactError unless `what`, which was made for the data set `made_for`, meets that same data set."""
    if made_for != given:
        raise ArtifactError(
            f"{what} was made for the data set {made_for}, but the data set at hand is {given}: "
            f"give the data it was made from, or make it again for this data set."
        )


def sha256(path: Path) -> str:
    """The digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
