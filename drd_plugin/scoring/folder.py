"""Folders of scores: `plan.json` describes the scores in a folder, and the parts of one run can be merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Scores, write_aside
from ..artifacts.scores import read_part
from ..core.provenance import describe, differences, identity_of
from ..data import Split
from ..scores import Score

__all__ = ["claim_folder", "merge", "plan_of", "read_plan"]


def plan_of(split: Split, score: Score, seed: int) -> dict[str, Any]:
    """The settings and digests that determine the scores; equal plans give equal scores."""
    return {
        "score": describe(score),
        "inputs": dict(score.file_digests(split)),
        "seed": seed,
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


def claim_folder(folder: Path, plan: Mapping[str, Any]) -> bool:
    """Claims a folder for a plan; whether all its parts exist already. An earlier plan without parts is replaced.

    Raises:
        ArtifactError: If the folder has parts of another plan.
    """
    path, text = folder / "plan.json", json.dumps(plan, indent=2, sort_keys=True) + "\n"
    plan = json.loads(text)
    others = [file for file in folder.glob("*") if file != path and not file.name.startswith(".")]
    if path.exists() and others:
        if identity_of(read_plan(folder)) != identity_of(plan):
            raise ArtifactError(
                f"{folder} holds scores made with other settings ({differences(read_plan(folder), plan)}): give "
                "another folder, or remove this one."
            )
    elif others:
        raise ArtifactError(
            f"{folder} holds {others[0].name} but no plan.json, so nobody knows with which settings it was made: give "
            "another folder."
        )
    else:
        with write_aside(path) as aside:
            aside.write_text(text)
    parts = [*folder.glob("part-*.parquet")]
    return bool(parts) and len(parts) == int(parts[0].stem.split("-of-")[1])


def read_plan(folder: Path) -> Mapping[str, Any]:
    """The plan of a scores folder.

    Raises:
        ArtifactError: If the plan is missing or damaged.
    """
    try:
        return json.loads((Path(folder) / "plan.json").read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{folder} has no plan.json that can be read, as `drd-plugin score` writes ({error})."
        ) from error


def merge(folders: Sequence[Path], out: Path) -> Scores:
    """Merges the parts of one run, and the choices made for them (timesteps, say), from the folders of machines that
    share no disk.

    Arguments:
        folders: Folders of parts, made with the same settings.
        out: The folder to write to.

    Raises:
        ArtifactError: If the folders (or `out`, where it holds parts already) were made with different settings, a part
            is damaged, two folders hold different scores of the same part, or parts are missing.
    """
    written = [Path(out)] if (Path(out) / "plan.json").exists() else []
    plans = {folder: identity_of(read_plan(folder)) for folder in [*folders, *written]}
    other = next((folder for folder in plans if plans[folder] != plans[folders[0]]), None)
    if other is not None:
        raise ArtifactError(
            f"{other} and {folders[0]} hold parts of runs with different settings "
            f"({differences(plans[other], plans[folders[0]])}): merge the parts of one run."
        )
    for folder in folders:
        for path in sorted(Path(folder).iterdir()):
            target = Path(out) / path.name
            if path.is_dir() or path.name.startswith("."):
                continue
            if target.exists() and path.suffix == ".parquet":
                _check_same(path, target)
            elif not target.exists():
                with write_aside(target) as aside:
                    shutil.copyfile(path, aside)
    return Scores.load(out)


def _check_same(one: Path, other: Path) -> None:
    first, second = read_part(one)[1], read_part(other)[1]
    if first.estimates.shape != second.estimates.shape or not np.allclose(first.estimates, second.estimates, 1e-3):
        raise ArtifactError(f"{one} and {other} hold different scores of the same examples: remove one of them.")
