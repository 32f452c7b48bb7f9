"""Options without flags: DeepCore's parser takes no new ones, so settings come from `configure()`, or from a TOML file
that the environment variable DRD_PLUGIN_CONFIG names.

A file has a table for each selection, with the fields of its score and its strategy:

    [DRD]
    denoiser = "runs/denoiser"
    draws = 16

    ["DRD+CCS"]
    denoiser = "runs/denoiser"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..artifacts import read_text
from ..methods.published import parse

__all__ = ["configure", "read_options", "settings_of"]

VARIABLE = "DRD_PLUGIN_CONFIG"

_options: dict[str, dict[str, Any]] = {}


def configure(selection: str, **settings: Any) -> None:
    """Sets options of a method inside DeepCore; they come before those of the file.

    Arguments:
        selection: The name that DeepCore's `--selection` takes.
        settings: Fields of the method's score and strategy.

    Raises:
        UnknownName: If there is no such method, or it has no such field.
        ValueError: If a value does not fit its field.
    """
    parse(selection).configured(selection, settings)
    _options.setdefault(selection, {}).update(settings)


def settings_of(selection: str) -> dict[str, Any]:
    """The options of a selection: those of the file, and over them those of `configure()`.

    Raises:
        ValueError: If the file cannot be read.
    """
    path = os.environ.get(VARIABLE)
    from_file = read_options(Path(path)).get(selection, {}) if path else {}
    return {**from_file, **_options.get(selection, {})}


def read_options(path: Path) -> Mapping[str, dict[str, Any]]:
    """The options of a TOML file, checked, by selection.

    Raises:
        UnknownName: If there is no such method, or it has no such field.
        ValueError: If the file cannot be read, or a value does not fit its field.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}, which should hold the options: a table for each selection.")
    try:
        content = tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read as TOML with a table for each selection: {error}.") from error
    for selection, settings in content.items():
        if not isinstance(settings, dict):
            raise ValueError(f"{path}: expected a table for each selection, got {selection} = {settings!r}.")
        try:
            parse(selection).configured(selection, settings)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return content
