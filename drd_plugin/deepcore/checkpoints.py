"""DeepCore's checkpoints: subsets are exported for its `--resume`, and its results imported into this library's tables.

An exported checkpoint holds nothing but numbers in lists and dictionaries, so that every version of torch reads it.
Result checkpoints are read weights-only, with the few plain types that DeepCore puts in; anything else is refused.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..artifacts import ArtifactError, Run, Subset, write_aside
from ..core.provenance import digest
from .compat import repaired

__all__ = ["export_checkpoint", "read_checkpoint"]

NAME = re.compile(
    r"(?P<dataset>[^_]+)_(?P<net>.+?)_(?P<method>.+)_exp(?P<exp>\d+)_epoch(?P<epochs>\d+)_(?P<date>[^_]+)_"
    r"(?P<fraction>[\d.]+)_(?:(?P<cross>.+)_)?(?P<best>[\d.]+|unknown)\.ckpt"
)
"""The names that DeepCore gives its checkpoints."""


def export_checkpoint(subset: Subset, out: Path) -> None:
    """Writes a checkpoint from which DeepCore's `--resume` trains on the subset from the beginning.

    Arguments:
        subset: The subset; DeepCore's data set must have the same examples in the same order.
        out: The file.
    """
    content: dict[str, Any] = {"indices": subset.indices.tolist()}
    if subset.weights is not None:
        content["weights"] = torch.from_numpy(subset.weights)
    with write_aside(out) as aside:
        fraction = subset.provenance.get("fraction", len(subset) / subset.n)
        torch.save({"exp": 0, "subset": content, "sel_args": {"method": subset.method, "fraction": fraction}}, aside)


def read_checkpoint(path: Path, trust: bool = False) -> Run:
    """A result of DeepCore as a row of this library's tables.

    DeepCore saves at the best epoch, so the accuracy after the last epoch is known only where that was the best; it is
    NaN otherwise. Method and fraction are those of an exported subset, where DeepCore trained on one, else those of the
    file's name. Neither its seed nor its versions are in a checkpoint; `seed` is the number of the experiment.

    Arguments:
        path: A checkpoint that DeepCore's `--save_path` received, under its own name.
        trust: Whether to run code that the file may hold; only for files of your own.

    Raises:
        ArtifactError: If the file is no result, or holds other types than DeepCore's.
    """
    path = Path(path)
    if not path.is_file():
        raise ArtifactError(f"there is no file {path}: give checkpoints that DeepCore's --save_path received.")
    named = NAME.fullmatch(path.name)
    if named is None:
        raise ArtifactError(
            f"{path.name} is not a name that DeepCore gives (DATASET_NET_METHOD_exp0_epoch200_DATE_0.1_95.0.ckpt), so "
            "method and fraction are unknown: give the file its name back."
        )
    content = _content(path, trust)
    tests, steps, epochs = content["tests"], content["steps"], int(named["epochs"])
    environment = {"device": "unknown", "processor": "unknown", "git": None, "created": named["date"]}
    environment["versions"] = {"DeepCore": "at an unknown commit"}
    last = tests[-1] if steps and steps[-1] + 1 == epochs else math.nan
    best = int(np.argmax(tests)) if tests else 0
    return Run(
        key=digest([path.name]),
        method=content["settings"].get("method", named["method"]),
        fraction=content["settings"].get("fraction", float(named["fraction"])),
        k=content["k"],
        dataset=named["dataset"],
        fingerprint=f"deepcore:{named['dataset']}",
        net=named["cross"] or named["net"],
        seed=content["exp"],
        acc_last=last,
        acc_best=tests[best] if tests else math.nan,
        step_best=steps[best] + 1 if tests else 0,
        steps=epochs,
        examples_seen=epochs * content["k"],
        seconds_score=math.nan,
        seconds_select=math.nan,
        seconds_train=math.nan,
        device="unknown",
        provenance=json.dumps({"file": path.name, "seeds": {}, "environment": environment}),
    )


def _content(path: Path, trust: bool) -> dict[str, Any]:
    """What a checkpoint holds of a result: accuracies and their epochs, the subset's size and settings, the number of
    the experiment.

    Raises:
        ArtifactError: If the file is damaged, is no result, or holds other types than DeepCore's.
    """
    try:
        with repaired(["resume"]):
            content = torch.load(path, map_location="cpu", weights_only=not trust)
        tests, steps = content["rec"].test_acc, content["rec"].test_step
        if len(tests) != len(steps):
            raise ValueError(f"{len(tests)} accuracies for {len(steps)} epochs")
        return {
            "tests": [float(value) for value in tests],
            "steps": [int(value) for value in steps],
            "k": len(content["subset"]["indices"]),
            "settings": dict(content["sel_args"]),
            "exp": int(content["exp"]),
        }
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({type(error).__name__}): it is damaged, or holds types that a checkpoint of "
            "DeepCore does not; a file of your own can be read with --trust."
        ) from error
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(
            f"{path} holds no results (missing: {error}): DeepCore writes them after the first test."
        ) from error
