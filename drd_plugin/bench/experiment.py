"""An `Experiment`: a study of one data set by name, read from the TOML files under `benchmarks/`.

A file is either one grid, complete with its data set, or an experiment at several sizes: what it compares, and under
`sizes` the names of files in `benchmarks/sizes/`, which say what is settled for a data set (recipe, proxy, seeds,
settings of the diffusion scores), each with the hours that are to be expected and whatever differs there.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..registry import unknown
from .grid import Grid, GridError, grid_from
from .studies import Study, study_from

__all__ = ["Experiment", "Size", "experiments", "find_experiment", "find_grid", "named"]

PLACES = (
    Path("benchmarks"),
    Path(__file__).parents[2] / "benchmarks",
    Path(sys.prefix) / "share" / "drd_plugin" / "benchmarks",
)
TABLES = ("dataset", "recipe", "proxy", "scores", "study")


@dataclass(frozen=True)
class Size:
    """What an experiment is run on.

    Arguments:
        name: The size's name; "" for a file that is one grid.
        hours: The wall-clock hours that are to be expected; None where nobody knows.
        on: On what machine, and whether the hours were measured or estimated.
    """

    name: str
    hours: float | None = None
    on: str = ""


@dataclass(frozen=True)
class Experiment:
    """A study of one data set.

    Arguments:
        name: Its name.
        about: What it asks, in a sentence.
        size: What it is run on.
        grid: The methods, fractions, seeds, data set and recipes.
        study: What is done with them.
        published: The name of the published numbers that stand beside; "" for none.
        file: The TOML file that was asked for; "" where it was asked for by name.
    """

    name: str
    about: str
    size: Size
    grid: Grid
    study: Study
    published: str = ""
    file: str = ""

    @property
    def place(self) -> Path:
        """The folder of its results, below that of all results."""
        return Path(self.name) / self.size.name


@dataclass(frozen=True)
class _File:
    path: Path
    content: Mapping[str, Any]

    @property
    def sizes(self) -> list[Size]:
        return [
            Size(name, of.get("hours"), of.get("on", ""))
            for name, of in self.content.get("sizes", {"": self.content}).items()
        ]

    def experiment(self, size: str) -> Experiment:
        chosen = next((of for of in self.sizes if of.name == size or not size), None)
        if chosen is None:
            raise unknown(f"size of {self.path.stem}", size, [of.name or "(one size)" for of in self.sizes])
        own = {key: value for key, value in self.content.items() if key != "sizes"}
        if chosen.name:
            own = _over(_over(_size_file(chosen.name), own), self.content["sizes"][chosen.name])
        about, study, published = own.pop("about", ""), own.pop("study", {}), own.pop("published", "")
        grid = grid_from(self.path.stem, {k: of for k, of in own.items() if k not in ("hours", "on")}, str(self.path))
        return Experiment(self.path.stem, about, chosen, grid, study_from(study, str(self.path)), published)


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The base with the changes; tables are joined key by key."""
    joined = {key: {**base.get(key, {}), **changes[key]} for key in TABLES if key in changes}
    return {**base, **changes, **joined}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise GridError(f"there is no {path}: expected a TOML file, or a name that `drd-plugin bench --list` knows.")
    try:
        return tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GridError(f"{path} cannot be read as a grid: {error}.") from error


def _size_file(name: str) -> dict[str, Any]:
    known = named("sizes/*.toml")
    if name not in known:
        raise unknown("size", name, known)
    content = _read(known[name])
    content.pop("about", None)
    return content


def named(pattern: str) -> dict[str, Path]:
    """Files by name: those in ./benchmarks, in this checkout, and those installed with the package."""
    found: dict[str, Path] = {}
    for place in PLACES:
        for path in sorted(place.glob(pattern)):
            found.setdefault(path.stem, path)
    return found


def experiments() -> Iterator[tuple[str, str, list[Size]]]:
    """The experiments that can be named: the name, what it asks, and its sizes."""
    for name, path in named("*.toml").items():
        file = _File(path, _read(path))
        yield name, file.content.get("about", ""), file.sizes


def find_experiment(name: str | Path, size: str = "") -> Experiment:
    """An experiment by name, or by the path of a TOML file.

    Arguments:
        name: The name or path.
        size: On what; the first of its sizes by default.

    Raises:
        UnknownName: If there is no such experiment, or it has no such size.
        GridError: If a file cannot be read, or a key, a value or a name in it is wrong.
    """
    if Path(name).suffix == ".toml":
        return replace(_File(Path(name), _read(Path(name))).experiment(size), file=str(name))
    known = named("*.toml")
    if name not in known:
        raise unknown("experiment", str(name), known)
    return _File(known[str(name)], _read(known[str(name)])).experiment(size)


def find_grid(name: str | Path, size: str = "") -> Grid:
    """The grid of an experiment; see `find_experiment`."""
    return find_experiment(name, size).grid
