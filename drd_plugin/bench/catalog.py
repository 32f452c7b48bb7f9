"""The experiments of this package as TOML files, and what they cost; nothing heavy is imported to list them.

A file is either one grid, complete with its data set, or an experiment at several sizes: what it compares, and under
`sizes` the names of files in `sizes/`, each with the hours to expect and whatever differs there. A file in `sizes/`
fixes the settings for a data set: recipe, proxy, seeds, settings of the diffusion scores.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..artifacts import read_text
from ..core.registry import unknown
from .grid import Grid, grid_from
from .kinds import FILE, GridError
from .names import STUDIES

__all__ = ["ExperimentFile", "Size", "experiment_file", "experiments", "published_file"]

FOLDER = Path(__file__).parent / "experiments"
TABLES = ("dataset", "recipe", "proxy", "scores", "study")


@dataclass(frozen=True)
class Size:
    """A size at which an experiment can be run: a data set with its settings.

    Arguments:
        name: The size's name; "" for a file that is one grid.
        hours: The wall-clock hours to expect; None where they are not known.
        machine: The machine that needs these hours, and whether they were measured or estimated.
    """

    name: str
    hours: float | None = None
    machine: str = ""


@dataclass(frozen=True)
class ExperimentFile:
    """The file of an experiment.

    Arguments:
        path: The path.
        content: Its keys.
    """

    path: Path
    content: Mapping[str, Any]

    @property
    def about(self) -> str:
        """The question of the experiment, in a sentence."""
        return self.content.get("about", "")

    @property
    def sizes(self) -> list[Size]:
        """The sizes at which it can be run."""
        sizes = self.content.get("sizes", {"": self.content})
        return [Size(name, size.get("hours"), size.get("on", "")) for name, size in sizes.items()]

    def size(self, name: str) -> Size:
        """One of its sizes by name; the first where the name is empty.

        Raises:
            UnknownName: If it has no such size.
        """
        size = next((size for size in self.sizes if size.name == name or not name), None)
        if size is None:
            raise unknown(f"size of {self.path.stem}", name, [size.name or "(one size)" for size in self.sizes])
        return size

    def settings(self, size: Size) -> dict[str, Any]:
        """Its keys at a size; those of the size's file where the experiment has none."""
        keys = {key: value for key, value in self.content.items() if key != "sizes"}
        if size.name:
            keys = _merged(_merged(_size_file(size.name), keys), self.content["sizes"][size.name])
        return {key: value for key, value in keys.items() if key not in ("hours", "on")}

    def grid(self, size: Size) -> Grid:
        """Its grid at a size.

        Raises:
            GridError: If a key or a value is wrong.
            UnknownName: If a name is not known.
        """
        settings = self.settings(size)
        STUDIES.check(settings.get("study", {}).get("name", "comparison"))
        keys = {key: value for key, value in settings.items() if key not in ("about", "study", "published")}
        return grid_from(self.path.stem, keys, str(self.path))


def experiments() -> Iterator[ExperimentFile]:
    """The experiments of this package, sorted by name."""
    for path in sorted(FOLDER.glob("*.toml")):
        yield ExperimentFile(path, _read(path))


def experiment_file(name: str | Path) -> ExperimentFile:
    """The file of an experiment by name, or by its path, which ends in .toml.

    Raises:
        UnknownName: If there is no such experiment, or there are no such published numbers.
        GridError: If the file cannot be read, or a value is of the wrong kind.
    """
    path = Path(name) if Path(name).suffix == ".toml" else _named(str(name), "", "experiment")
    content = _read(path)
    _check(content, str(path))
    return ExperimentFile(path, content)


def _check(content: Mapping[str, Any], where: str) -> None:
    """Raises unless the values of a file, and of its sizes, are of the kinds that their keys take."""
    for key, value in content.items():
        if key in FILE:
            FILE[key].check(value, f"{where}: {key}")
    if content.get("published"):
        published_file(content["published"])
    if "sizes" in content and not content["sizes"]:
        raise GridError(f"{where}: sizes: expected a table for at least one size.")
    for name, size in content.get("sizes", {}).items():
        _check(size, f"{where}: sizes.{name}")


def published_file(name: str) -> dict[str, Any]:
    """The content of a file of published numbers.

    Raises:
        UnknownName: If there is no such file.
    """
    return _read(_named(name, "published", "published numbers"))


def _named(name: str, folder: str, kind: str) -> Path:
    paths = {path.stem: path for path in sorted((FOLDER / folder).glob("*.toml"))}
    if name not in paths:
        raise unknown(kind, name, paths)
    return paths[name]


def _size_file(name: str) -> dict[str, Any]:
    content = _read(_named(name, "sizes", "size"))
    content.pop("about", None)
    return content


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with the changes; tables are joined key by key."""
    joined = {key: {**base.get(key, {}), **changes[key]} for key in TABLES if key in changes}
    return {**base, **changes, **joined}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        packaged = FOLDER / path.name
        moved = f" (the experiments that came with the first edition are asked for by name now: {path.stem})"
        raise GridError(
            f"there is no {path}: expected a TOML file, or a name that `drd-plugin bench --list` knows"
            f"{moved if packaged.exists() else ''}."
        )
    try:
        return tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise GridError(f"{path} cannot be read as a grid: {error}.") from error
