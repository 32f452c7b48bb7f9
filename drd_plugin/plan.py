"""A scores folder's `plan.json`: what is being computed there, settled before anything is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .artifacts import ArtifactError, write_aside
from .provenance import deciding, describe, differences

if TYPE_CHECKING:
    from .data import Split
    from .scores import Score

__all__ = ["begin", "plan_of", "read_plan"]


def plan_of(split: Split, what: Score, seed: int) -> dict[str, Any]:
    """What decides the values, as it stands before anything is computed."""
    return {
        "score": describe(what),
        "inputs": dict(what.inputs(split)),
        "seed": seed,
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


def begin(out: Path, plan: dict[str, Any]) -> bool:
    """Makes sure that the folder is for this plan; whether all its parts are there.

    A plan of which nothing was computed gives way.

    Raises:
        ArtifactError: If it is for another plan.
    """
    path, text = out / "plan.json", json.dumps(plan, indent=2, sort_keys=True) + "\n"
    wanted = json.loads(text)
    others = [file for file in out.glob("*") if file != path and not file.name.startswith(".")]
    if path.exists() and others:
        if deciding(read_plan(out)) != deciding(wanted):
            raise ArtifactError(
                f"{out} holds scores made with other settings ({differences(read_plan(out), wanted)}): give another "
                "folder, or remove this one."
            )
    elif others:
        raise ArtifactError(
            f"{out} holds {others[0].name} but no plan.json, so nobody knows with which settings it was made: give "
            "another folder."
        )
    else:
        with write_aside(path) as aside:
            aside.write_text(text)
    n = len(list(out.glob("part-*.parquet")))
    return n > 0 and n == int(next(out.glob("part-*.parquet")).stem.split("-of-")[1])


def read_plan(folder: Path) -> Mapping[str, Any]:
    """The plan of a scores folder.

    Raises:
        ArtifactError: If there is none.
    """
    try:
        return json.loads((Path(folder) / "plan.json").read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{folder} has no plan.json that can be read, as `drd-plugin score` writes ({error})."
        ) from error
