"""Reading settings from names, `Name[field=value, ...]`, and from the command line; the order of names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

__all__ = ["natural_order", "read_name", "read_settings", "split_outside"]


def read_name(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings in `Name[key=value, ...]`.

    Raises:
        ValueError: If it cannot be read.
    """
    if not isinstance(text, str):
        raise ValueError(f"a name is a text, got {text!r:.80}.")
    match = re.fullmatch(r"\s*([^\[\]]+?)\s*(?:\[(.*)\])?\s*", text)
    if match is None:
        raise ValueError(f"cannot read {text!r}: expected Name or Name[field=value, ...].")
    name, inside = match.groups()
    return name, read_settings(split_outside(inside, ",") if inside else [])


def split_outside(text: str, separator: str) -> list[str]:
    """The parts of a text, cut at the separators outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def read_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Settings from `field=value` texts; a value is read as TOML, or as plain text if it is not TOML.

    Raises:
        ValueError: If there is no equals sign.
    """
    return dict(map(_pair, pairs))


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError(f"cannot read the setting {text.strip()!r}: expected field=value.")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return key, value


def natural_order(names: Iterable[str]) -> list[str]:
    """The names sorted as text, or by their values where all are whole numbers: 2 before 10."""
    names = [*names]
    numbers = all(name.isascii() and name.isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name) if numbers else 0, name))
