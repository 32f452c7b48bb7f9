"""Finding models of diffusers by hub name or folder; weights are read from safetensors only.

If a repository holds its weights as pickles (`*.bin`), they are read weights-only, which runs no code, and written as
safetensors to this library's cache; the model is loaded from that copy.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch

from ...artifacts import ArtifactError, read_json, write_aside
from ...artifacts.files import save_tensors
from ...core.provenance import digest
from .base import DenoiserError

__all__ = ["CACHE", "PARTS", "licence_of", "local_folder", "part_of", "read_config"]

CACHE = Path(os.environ.get("DRD_PLUGIN_CACHE", Path.home() / ".cache" / "drd_plugin")) / "denoisers"

PARTS = ("unet", "transformer", "vae", "scheduler")
"""The subfolders of a model that are read."""

NAME = re.compile(r"[\w.-]+/[\w.-]+")


def local_folder(name: str) -> Path:
    """The folder of a model: `name` itself, or the hub's repository of that name, downloaded to the hub's cache.

    Raises:
        DenoiserError: If it is neither, or its weights cannot be read safely.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if not NAME.fullmatch(name):
            raise DenoiserError(f"there is no folder {folder}: give one in the diffusers format, or a hub name.")
        folder = _downloaded(name)
    part_of(folder)
    return folder if not _pickled(folder) else _as_safetensors(folder, name)


def part_of(folder: Path) -> str:
    """The name of the folder's denoising network, `unet` or `transformer`.

    Raises:
        DenoiserError: If the folder holds neither.
    """
    part = next((part for part in ("unet", "transformer") if (folder / part / "config.json").is_file()), None)
    if part is None:
        raise DenoiserError(
            f"{folder} holds no denoiser: expected unet/ or transformer/ in the diffusers format; `drd-plugin fit` "
            "writes such a folder."
        )
    return part


def read_config(folder: Path, part: str, *keys: str) -> dict[str, Any]:
    """The configuration of a part of a model.

    Raises:
        DenoiserError: If it cannot be read, or lacks one of the keys.
    """
    path = folder / part / "config.json"
    try:
        config = read_json(path, "copy or fit the model again")
    except ArtifactError as error:
        raise DenoiserError(str(error)) from error
    missing = [key for key in keys if config.get(key) is None]
    if missing:
        raise DenoiserError(f"{path} does not say the {missing[0]}: write it there, or copy or fit the model again.")
    return config


def licence_of(folder: Path) -> str:
    """The licence in the model's `card.json` or README.md, or `unknown`."""
    card: dict[str, Any] = {}
    if (folder / "card.json").is_file():
        card = read_json(folder / "card.json", "put back a copy of it, or fit or copy the model again")
    if "licence" not in card and (folder / "README.md").is_file():
        from huggingface_hub import ModelCard

        card["licence"] = ModelCard.load(folder / "README.md", ignore_metadata_errors=True).data.license
    return card.get("licence") or "unknown"


def _downloaded(name: str) -> Path:
    """The folder of the hub's model, with its weights as safetensors, or as pickles if a network has no others."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    described = ["README.md", "*.json", *(f"{part}/*.json" for part in PARTS)]
    try:
        folder = Path(snapshot_download(name, allow_patterns=[*described, *(f"{p}/*.safetensors" for p in PARTS)]))
        if any((folder / part / "config.json").is_file() and not _weights(folder / part) for part in PARTS[:3]):
            folder = Path(snapshot_download(name, allow_patterns=[*described, *(f"{part}/*.bin" for part in PARTS)]))
        return folder
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise DenoiserError(
            f"there is no folder {name} here, and the hub gives no model of that name ({error}): check the name and "
            "the network, or copy the model here and give its folder."
        ) from error


def _weights(part: Path) -> list[Path]:
    return sorted(part.glob("*.safetensors"))


def _pickled(folder: Path) -> list[Path]:
    """The parts whose weights are only pickles."""
    parts = [folder / part for part in PARTS if (folder / part).is_dir() and not _weights(folder / part)]
    return [part for part in parts if any(part.glob("*.bin"))]


def _as_safetensors(folder: Path, name: str) -> Path:
    """The copy of the model in the cache, with its weights as safetensors; written if it is not there yet."""
    source = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))]
    out = CACHE / f"{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}-{digest(source)}"
    if out.is_dir():
        return out
    with write_aside(out, first=True) as aside:
        for pattern in ("*.json", "README.md", "*/*.json", "*/*.safetensors"):
            for path in folder.glob(pattern):
                (aside / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, aside / path.relative_to(folder))
        for part in _pickled(folder):
            for path in sorted(part.glob("*.bin")):
                try:
                    state = torch.load(path, map_location="cpu", weights_only=True)
                except Exception as error:
                    raise DenoiserError(f"{path} holds more than weights ({error}), and is not read.") from error
                plain = {key: value.clone() for key, value in state.items()}  # some share their storage
                save_tensors(plain, (aside / path.relative_to(folder)).with_suffix(".safetensors"))
    return out
