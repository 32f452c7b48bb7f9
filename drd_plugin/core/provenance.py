"""Where a number came from: the versions, the commit and the machine behind every artefact, and the identity of a
setting.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

__all__ = ["deciding", "describe", "differences", "digest", "environment", "git_commit", "processor", "versions"]

PACKAGES = (
    "drd_plugin", "torch", "torchvision", "numpy", "diffusers", "lpips", "scikit-learn", "pyarrow", "timm",
    "sentence-transformers",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a number may depend on; packages that are not installed are left
    out.
    """
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def git_commit(root: Path = Path(__file__).parents[2]) -> str | None:
    """The commit of a checkout, by default the one this package is imported from, marked `-dirty` where it was changed;
    outside a checkout the one that pip installed this package from; None where nobody knows.
    """
    if not (root / ".git").exists():
        return _installed_commit()

    def git(*command: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _installed_commit() -> str | None:
    """What pip noted of an address of git (direct_url.json, PEP 610)."""
    try:
        noted = json.loads(distribution("drd_plugin").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    return noted.get("vcs_info", {}).get("commit_id")


@cache
def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _gpu(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device)


def environment(device: str) -> dict[str, Any]:
    """Versions, commit, device, its processor (the GPU's name, or the CPU's), the threads of this process, system and
    the time (UTC, ISO 8601), ready for JSON.
    """
    import torch

    return {
        "versions": versions(),
        "git": git_commit(),
        "device": device,
        "processor": _gpu(device) if device.startswith("cuda") else processor(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def describe(thing: Any) -> Any:
    """A dataclass as nested plain data with its class under `name`; anything else as JSON has it.

    Fields with the metadata `identity=False` change how a thing is computed but not what; they are left out.
    """
    if is_dataclass(thing) and not isinstance(thing, type):
        values = {f.name: describe(getattr(thing, f.name)) for f in fields(thing) if f.metadata.get("identity", True)}
        return {"name": type(thing).__name__} | values
    if isinstance(thing, Mapping):
        return {str(key): describe(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [describe(value) for value in thing]
    if isinstance(thing, Path):
        return str(thing)
    return thing


def deciding(made: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the values in a plan or in the provenance of scores: neither when and where they were computed, nor
    the fields of the score (paths, say) for whose content `inputs` stands.
    """
    kept = {key: value for key, value in made.items() if key not in ("environment", "environments", "seconds")}
    if "score" in made:
        kept["score"] = {key: value for key, value in made["score"].items() if key not in made.get("inputs", {})}
    return kept


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What decides the values and is another in two plans or provenances: NAME: ONE, not OTHER; ..."""
    first, second = (
        {
            **made,
            **{f"{part}'s {key}": value for part in ("score", "recipe") for key, value in made.get(part, {}).items()},
            **made.get("settings", {}),
        }
        for made in map(deciding, (one, other))
    )
    keys = [key for key in dict.fromkeys([*first, *second]) if key not in ("score", "recipe", "settings")]
    return "; ".join(
        f"{key}: {str(first.get(key))[:40]}, not {str(second.get(key))[:40]}"
        for key in keys
        if first.get(key) != second.get(key)
    )


def digest(thing: Any, length: int = 16) -> str:
    """A short name for a setting: equal settings have equal names, on any machine."""
    text = json.dumps(describe(thing), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]
