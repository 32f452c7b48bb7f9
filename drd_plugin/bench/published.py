"""Numbers that were published, to stand beside ours; TOML files in `benchmarks/published/`, with their source."""

from __future__ import annotations

import tomllib
from typing import Any

from ..registry import unknown
from .experiment import named

__all__ = ["published", "published_numbers"]


def published_numbers(name: str) -> dict[str, Any]:
    """The content of a file: `source`, `dataset`, `net`, `columns`, `rows`, a list of texts for each name, and `note`,
    what is to be said of them, if anything.

    Raises:
        UnknownName: If there is no such file.
    """
    known = named("published/*.toml")
    if name not in known:
        raise unknown("published numbers", name, known)
    return tomllib.loads(known[name].read_text())


def published(name: str) -> str:
    """The published numbers as markdown, with their data set and source."""
    from tabulate import tabulate

    found = published_numbers(name)
    rows = [[row, *values] for row, values in found["rows"].items()]
    shown = tabulate(rows, ["", *found["columns"]], tablefmt="pipe", disable_numparse=True)
    note = f"; {found['note']}" if "note" in found else ""
    where = f"{found['dataset']}, {found['net']} ({found['source']}{note})"
    return f"\nPublished, on another data set: {where}:\n\n{shown}\n"
