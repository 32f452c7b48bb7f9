"""Published numbers beside ours: TOML files in `bench/experiments/published/`, with their source.

A file has `source`, `dataset`, `net`, `columns`, `rows` (a list of texts for each name), and perhaps `note`.
"""

from __future__ import annotations

from tabulate import tabulate

from ..catalog import published_file

__all__ = ["published"]


def published(name: str) -> str:
    """The published numbers as markdown, with their data set and source.

    Raises:
        UnknownName: If there is no such file.
    """
    content = published_file(name)
    rows = [[row, *values] for row, values in content["rows"].items()]
    table = tabulate(rows, ["", *content["columns"]], tablefmt="pipe", disable_numparse=True)
    note = f"; {content['note']}" if "note" in content else ""
    title = f"{content['dataset']}, {content['net']} ({content['source']}{note})"
    return f"\nPublished, on another data set: {title}:\n\n{table}\n"
