"""Parquet files in a folder, by the parts of the data set that they hold."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import DataError

__all__ = ["parquet_parts"]

PARTS = re.compile(r"(?:^|[-_./])(train|test|validation|valid|val)(?=$|[-_./])")
SHARD = re.compile(r"[-_.]\d+(?:[-_.]of[-_.]\d+)?$")


def parquet_parts(saved: Path, name: str) -> dict[str, list[str]]:
    """The paths of the Parquet files of each part, empty where there are none.

    The part stands in a file's name, or in that of its folder: `cifar10-train.parquet`,
    `data/test-00000-of-00001.parquet`, `train/0.parquet`. What stands before it is the data set; of several, the last
    word of `name` names the one that counts.

    Raises:
        DataError: If there are several data sets, and the name does not say which.
    """
    if saved.suffix == ".parquet":
        return {"train": [str(saved)]}
    paths = [path for path in sorted(saved.rglob("*.parquet")) if not path.name.startswith(".")]
    titles = {path: SHARD.sub("", path.relative_to(saved).with_suffix("").as_posix()) for path in paths}
    matches = {path: PARTS.search(title.lower()) for path, title in titles.items()}
    sets = {titles[path][: match.start()] for path, match in matches.items() if match}
    if not sets:
        return {"train": [*map(str, paths)]} if paths else {}
    parts: dict[str, dict[str, list[str]]] = {key: {} for key in sets}
    for path, match in matches.items():
        title = titles[path]
        owners = [key for key in sets if title == key or re.match(rf"{re.escape(key)}(?:[-_./]|$)", title) or not key]
        key = title[: match.start()] if match else max(owners, key=len, default="")
        part = match.group(1) if match else title[len(key) :].strip("-_./")
        parts.setdefault(key, {}).setdefault(part, []).append(str(path))
    return parts[_chosen([*sets], name, saved)]


def _chosen(sets: list[str], name: str, saved: Path) -> str:
    """The data set that a name names."""
    last = re.split(r"[/:]", name)[-1].lower()
    exact = [key for key in sets if re.split(r"/", key.lower())[-1] == last]
    named = exact or [key for key in sets if re.search(rf"(?<![a-z0-9]){re.escape(last)}(?![a-z0-9])", key.lower())]
    if len(named or sets) > 1:
        raise DataError(
            f"{saved} holds the Parquet files of several data sets ({', '.join(sorted(named or sets))}): name one of "
            "them, as in hf:NAME."
        )
    return (named or sets)[0]
