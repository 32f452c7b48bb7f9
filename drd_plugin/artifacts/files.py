"""How artefacts are written and refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

__all__ = ["ArtifactError", "check_fingerprint", "write_aside"]


class ArtifactError(ValueError):
    """An artefact that is damaged, incomplete, of another kind, or made for another data set."""


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or make a folder at, and renames it to `path` if the block succeeds;
    nothing is left behind if it fails. A folder replaces an empty folder only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        aside.unlink(missing_ok=True)


def check_fingerprint(made_for: str, given: str, what: str) -> None:
    """Raises ArtifactError unless `what`, which was made for the data set `made_for`, meets that same data set."""
    if made_for != given:
        raise ArtifactError(
            f"{what} was made for the data set {made_for}, but the data set at hand is {given}: "
            f"give the data it was made from, or make it again for this data set."
        )
