"""Provenance: the versions, the commit and the machine behind every artefact, and digests of settings."""

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

__all__ = ["describe", "differences", "digest", "environment", "git_commit", "identity_of", "processor", "versions"]

PACKAGES = (
    "drd_plugin", "torch", "torchvision", "numpy", "diffusers", "lpips", "scikit-learn", "pyarrow", "timm",
    "sentence-transformers",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """The versions of Python and of the installed packages that a number may depend on."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


@cache
def git_commit(root: Path = Path(__file__).parents[2]) -> str | None:
    """The commit of a checkout, by default this package's, with `-dirty` if tracked files were changed; outside a
    checkout, the commit that pip installed this package from; None if that is unknown.
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
    """The commit that pip recorded when it installed this package from git (direct_url.json, PEP 610)."""
    try:
        origin = json.loads(distribution("drd_plugin").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        return None
    return origin.get("vcs_info", {}).get("commit_id")


@cache
def processor() -> str:
    """The processor's name, as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def environment(device: str) -> dict[str, Any]:
    """Versions, commit, device, processor (the GPU's or the CPU's name), threads of this process, operating system and
    time (UTC, ISO 8601), ready for JSON.
    """
    import torch

    return {
        "versions": versions(),
        "git": git_commit(),
        "device": device,
        "processor": torch.cuda.get_device_name(device) if device.startswith("cuda") else processor(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def describe(thing: Any) -> Any:
    """Plain nested data, ready for JSON; a dataclass becomes its fields, and its class under `name`.

    Fields with the metadata `identity=False`, which do not change the result, are left out.
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


def identity_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a plan or provenance that determines the values: without times and machines, and without the fields
    of the score (paths, say) whose content is among the digests in `inputs`.
    """
    circumstances = ("environment", "environments", "seconds")
    identity = {key: value for key, value in provenance.items() if key not in circumstances}
    if "score" in provenance:
        inputs = provenance.get("inputs", {})
        identity["score"] = {key: value for key, value in provenance["score"].items() if key not in inputs}
    return identity


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The entries that determine the values and differ between two plans or provenances: NAME: ONE, not OTHER; ..."""
    first, second = _entries(one), _entries(other)
    return "; ".join(
        f"{key}: {str(first.get(key))[:40]}, not {str(second.get(key))[:40]}"
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key)
    )


def _entries(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The identity with the fields of score and recipe, and the settings, among its entries."""
    identity = identity_of(provenance)
    settings = identity.pop("settings", {})
    parts = {f"{part}'s {key}": value for part in ("score", "recipe") for key, value in identity.pop(part, {}).items()}
    return {**identity, **parts, **settings}


def digest(thing: Any, length: int = 16) -> str:
    """A short hexadecimal name of settings; equal settings have equal digests, on any machine."""
    text = json.dumps(describe(thing), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]
