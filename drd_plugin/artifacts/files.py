"""Reading and writing artefacts: files that appear complete or not at all, tensors as safetensors, .npy arrays."""

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
"""Seconds after which the temporary files of a killed process are removed."""

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
    """An artefact is missing, damaged, incomplete, of another kind, or made for another data set."""


@contextmanager
def write_aside(path: Path, first: bool = False) -> Iterator[Path]:
    """Yields a temporary path for a file or folder, which is renamed to `path` if the block succeeds and removed if it
    fails. A folder replaces an empty folder only.

    Arguments:
        path: The final path.
        first: Whether to keep what another process has put there meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f".{path.name}.*.tmp"):
        if time.time() - old.stat().st_mtime > ABANDONED:
            _remove(old)
    aside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield aside
        if not (first and _put_in_place(aside, path)):
            os.replace(aside, path)
    finally:
        _remove(aside)


def _put_in_place(aside: Path, path: Path) -> bool:
    """Renames a file or folder unless the new path exists; whether the new path exists afterwards."""
    try:
        os.rename(aside, path) if aside.is_dir() else os.link(aside, path)
    except OSError:  # the path exists, or the file system has no hard links
        return path.exists()
    return True


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)


def check_fingerprint(made_for: str, fingerprint: str, artefact: str) -> None:
    """Raises ArtifactError unless an artefact (named so) was made for the data set with this fingerprint."""
    if made_for != fingerprint:
        raise ArtifactError(
            f"{artefact} was made for the data set {made_for}, but the data set at hand is {fingerprint}: "
            f"give the data it was made from, or make it again for this data set."
        )


def sha256(path: Path) -> str:
    """The SHA-256 digest of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: str = "", first: bool = False) -> None:
    """Writes tensors to a safetensors file, which appears complete or not at all.

    Arguments:
        tensors: By name, on any device.
        path: The file.
        header: A text to store with them.
        first: Whether to keep a file that another process has written meanwhile.

    Raises:
        OSError: If the file cannot be written (the disk is full, say).
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
    """The tensors of a file that `save_tensors` wrote, by name, on the CPU, and its header.

    Raises:
        ArtifactError: If the file is damaged.
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
        mapped: Whether to map it into memory and read rows on access; the file never changes.

    Raises:
        ArtifactError: If the file is damaged, or holds objects or several arrays.
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
