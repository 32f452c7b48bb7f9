"""Folders of scores: `plan.json` describes the scores in a folder, and the parts of one run can be merged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Scores, claim, read_json, write_aside
from ..artifacts.scores import PART, read_part
from ..core.provenance import describe, differences, digest, identity_of
from ..data import Split
from ..scores import Score

__all__ = ["claimed_folder", "merge", "plan_of", "read_plan"]


def plan_of(split: Split, score: Score, seed: int) -> dict[str, Any]:
    """The settings and digests that determine the scores; equal plans give equal scores."""
    return {
        "score": describe(score),
        "inputs": dict(score.file_digests(split)),
        "seed": seed,
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


@contextmanager
def claimed_folder(folder: Path, plan: Mapping[str, Any]) -> Iterator[bool]:
    """A context in which a folder belongs to a plan, and to processes with the same plan; it gives whether all parts
    exist already. An earlier plan without parts is replaced, unless a process is at work on it.

    Raises:
        ArtifactError: If the folder has parts of another plan, another process writes other parts there, or it cannot
            be written.
    """
    text = json.dumps(plan, indent=2, sort_keys=True) + "\n"
    plan = json.loads(text)
    _check_plan(folder, plan)
    if _is_finished(folder):
        yield True
        return
    path = folder / "plan.json"
    with claim(path, digest(identity_of(plan))):
        if not _check_plan(folder, plan):
            with write_aside(path) as aside:
                aside.write_text(text)
        yield _is_finished(folder)


def _check_plan(folder: Path, plan: Mapping[str, Any]) -> bool:
    """Whether a folder holds anything yet; raises ArtifactError if that belongs to another plan."""
    others = [file for file in folder.glob("*") if file.name != "plan.json" and not file.name.startswith(".")]
    if not others:
        return False
    if not (folder / "plan.json").exists():
        raise ArtifactError(
            f"{folder} holds {others[0].name} but no plan.json, so nobody knows with which settings it was made: give "
            "another folder."
        )
    stored = read_plan(folder)
    if identity_of(stored) != identity_of(plan):
        raise ArtifactError(
            f"{folder} holds scores made with other settings ({differences(stored, plan)}): give another folder, or "
            "remove this one."
        )
    return True


def _is_finished(folder: Path) -> bool:
    parts = [match for path in folder.glob("part-*") if (match := PART.fullmatch(path.name))]
    return bool(parts) and len(parts) == int(parts[0][2])


def read_plan(folder: Path) -> Mapping[str, Any]:
    """The plan of a scores folder.

    Raises:
        ArtifactError: If the plan is missing or damaged.
    """
    path, remedy = Path(folder) / "plan.json", "give a folder that `drd-plugin score` wrote, or score into another one"
    if not path.exists():
        raise ArtifactError(f"{folder} has no plan.json: {remedy}.")
    plan = read_json(path, remedy)
    if not isinstance(plan.get("score", {}), dict) or not isinstance(plan.get("inputs", {}), dict):
        raise ArtifactError(f"{path} is no plan of scores: {remedy}.")
    return plan


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
    with claim(Path(out) / "plan.json", digest(plans[folders[0]])):
        for path in (path for folder in folders for path in sorted(Path(folder).iterdir())):
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
