"""How artefacts are written and refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

ABANDONED = 24 * 3600.0
"""Seconds after which what a killed process left is cleared away."""

__all__ = ["ArtifactError", "check_fingerprint", "sha256", "write_aside"]


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
