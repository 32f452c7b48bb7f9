"""Parts of one run that lie in several folders, of machines that share no disk, in one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..provenance import deciding, differences
from .files import ArtifactError, write_aside
from .scores import Scores, read_part

__all__ = ["merge"]


def merge(folders: Sequence[Path], out: Path) -> Scores:
    """Copies the parts of one run, and what was settled for them, into one folder.

    Arguments:
        folders: Folders of parts, made with the same settings.
        out: The folder to write to.

    Raises:
        ArtifactError: If the folders (or `out`, where it holds parts already) were made with different settings, a part
            is damaged, two folders hold different scores of the same part, or parts are missing.
    """
    there = [Path(out)] if (Path(out) / "plan.json").exists() else []
    plans = {folder: _plan(Path(folder) / "plan.json") for folder in [*folders, *there]}
    other = next((folder for folder in plans if plans[folder] != plans[folders[0]]), None)
    if other is not None:
        raise ArtifactError(
            f"{other} and {folders[0]} hold parts of runs with different settings "
            f"({differences(plans[other], plans[folders[0]])}): merge the parts of one run."
        )
    for folder in folders:
        for path in sorted(Path(folder).iterdir()):
            into = Path(out) / path.name
            if path.is_dir() or path.name.startswith("."):
                continue
            if into.exists() and path.suffix == ".parquet":
                _check_same(path, into)
            elif not into.exists():
                with write_aside(into) as aside:
                    shutil.copyfile(path, aside)
    return Scores.load(out)


def _plan(path: Path) -> dict[str, Any]:
    try:
        return deciding(json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path.parent} has no plan.json, as `drd-plugin score` writes: {error}.") from error


def _check_same(one: Path, other: Path) -> None:
    first, second = read_part(one)[1], read_part(other)[1]
    if first.estimates.shape != second.estimates.shape or not np.allclose(first.estimates, second.estimates, 1e-3):
        raise ArtifactError(f"{one} and {other} hold different scores of the same examples: remove one of them.")
