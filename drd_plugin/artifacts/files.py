"""Reading and writing artefacts: files that appear complete or not at all, texts, JSON, tensors as safetensors, .npy
arrays.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

ABANDONED = 24 * 3600.0
"""Seconds after which the temporary files of a killed process are removed."""

__all__ = [
    "ArtifactError",
    "check_fingerprint",
    "check_writable",
    "load_array",
    "load_tensors",
    "read_json",
    "read_text",
    "reason_of",
    "save_tensors",
    "sha256",
    "without_doubles",
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

    Raises:
        OSError: If it cannot be written (the disk is full, say).
    """
    aside = _aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob(f".{path.name}.*.tmp"):
            if time.time() - old.stat().st_mtime > ABANDONED:
                _remove(old)
        yield aside
        if not (first and _put_in_place(aside, path)):
            os.replace(aside, path)
    except Exception as error:
        if not _of_writing(error, path):
            raise
        raise OSError(f"{path} cannot be written ({reason_of(error)}). Nothing of it was left behind.") from error
    finally:
        _remove(aside)


def _aside(path: Path) -> Path:
    """A temporary path beside a path."""
    return path.with_name(f".{path.name}.{uuid4().hex}.tmp")


def _of_writing(error: Exception, path: Path) -> bool:
    """Whether writing there failed: by an error of the operating system, not one about another file or a download; or
    of safetensors or torch, which hide its errors in their own.
    """
    if isinstance(error, OSError):
        return error.errno is not None and str(error.filename or path).startswith(str(path.parent))
    return type(error).__name__ == "SafetensorError" or "PytorchStreamWriter" in str(error)


def reason_of(error: Exception) -> str:
    """The reason of an error of the operating system, without its number and the name of a temporary file."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    name = str(error.filename or "")
    return error.strerror if not name or name.endswith(".tmp") else f"{error.strerror}: {name}"


def check_writable(path: Path, folder: bool = True, existing: bool = True) -> None:
    """Checks before long work that a folder, or a file, can be written; nothing of the trial stays.

    Arguments:
        path: The folder or file, which may exist.
        folder: Whether it is a folder.
        existing: Whether a folder that exists is tried too; it may hold finished work that is only read.

    Raises:
        ArtifactError: If it cannot be written.
    """
    path, remedy = Path(path), "give another place to write to"
    if os.path.isdir(path) and not folder:
        raise ArtifactError(f"{path} is a folder, and a file is to be written: {remedy}.")
    if os.path.isdir(path) and not existing:
        return
    aside = _aside(path.absolute() / "x" if folder else path.absolute())
    place = aside.parent
    while not os.path.lexists(place):
        place = place.parent
    if not os.path.isdir(place):
        raise ArtifactError(f"{path} cannot be written, since {place} is not a folder: {remedy}.")
    try:
        for part in aside.relative_to(place).parts:
            with suppress(FileNotFoundError):
                (place / part).lstat()  # raises if the name is too long
        trial = place / aside.name
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({reason_of(error)}): {remedy}.") from error


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
    with suppress(OSError):  # it is a folder that is gone, or was never there
        path.unlink()


def check_fingerprint(made_for: str, fingerprint: str, artefact: str) -> None:
    """Raises ArtifactError unless an artefact (named so) was made for the data set with this fingerprint."""
    if made_for != fingerprint:
        raise ArtifactError(
            f"{artefact} was made for the data set {made_for}, but the data set at hand is {fingerprint}: "
            f"give the data it was made from, or make it again for this data set."
        )


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 where a byte-order mark says so; without the mark."""
    with Path(path).open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return Path(path).read_text("utf-16" if wide else "utf-8-sig")


def read_json(path: Path, remedy: str, *names: str) -> dict[str, Any]:
    """The table in a JSON file.

    Arguments:
        path: The file.
        remedy: What to do where it cannot be read, for the message.
        names: The entries that it must have.

    Raises:
        ArtifactError: If the file is missing or damaged, holds no table, has an entry twice or lacks one.
    """
    try:
        content = json.loads(read_text(path), object_pairs_hook=without_doubles)
    except (OSError, ValueError, RecursionError) as error:
        empty = isinstance(error, json.JSONDecodeError) and not error.doc.strip()
        reason = "it is empty" if empty else reason_of(error)
        raise ArtifactError(f"{path} cannot be read as JSON ({reason}): {remedy}.") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} holds {content!r:.40}, and no table of names and values: {remedy}.")
    lacking = next((name for name in names if name not in content), None)
    if lacking is not None:
        raise ArtifactError(f"{path} does not say the {lacking}: {remedy}.")
    return content


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The table with these entries; raises ValueError if a name comes twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return table


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
    from safetensors.torch import save_file

    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with write_aside(path, first) as aside:
        aside.touch()
        readable = aside.stat().st_mode  # which save_file narrows to the owner
        save_file(plain, aside, {"format": "pt", "drd_plugin": header})
        aside.chmod(readable)


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
