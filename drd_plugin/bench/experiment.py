"""An `Experiment`: a study of one data set, by name or from a TOML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .catalog import Size, experiment_file
from .grid import Grid
from .kinds import GridError, plain
from .studies import Study, study_from, with_settings

__all__ = ["Experiment", "find_experiment"]


@dataclass(frozen=True)
class Experiment:
    """A study of one data set.

    Arguments:
        name: Its name.
        about: Its question, in a sentence.
        size: The size at which it is run.
        grid: The methods, fractions, seeds, data set and recipes.
        study: What is done with them.
        published: The name of the published numbers to compare with; "" for none.
        file: The TOML file, if it was named by its path; else "".

    Raises:
        GridError: If the grid has methods or nets that the study does not take.
    """

    name: str
    about: str
    size: Size
    grid: Grid
    study: Study
    published: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        self.study.check(self.grid)

    @property
    def place(self) -> Path:
        """The path of its results inside the folder of all results."""
        return Path(self.name) / self.size.name

    def changed(
        self,
        *,
        methods: Sequence[str] = (),
        fractions: Sequence[float] = (),
        seeds: Sequence[int] = (),
        study: Mapping[str, Any] | None = None,
        root: Path | None = None,
    ) -> Experiment:
        """The experiment with other settings; arguments that are empty change nothing.

        Arguments:
            methods: The methods.
            fractions: The fractions kept.
            seeds: The seeds.
            study: Settings of the study.
            root: The folder of the data.

        Raises:
            GridError: If there are fractions, and the study does not use them.
            UnknownName: If a method or a setting is not known.
        """
        if plain(fractions) != () and not self.study.uses_fractions:
            raise GridError(
                f"{self.name} looks at whole rankings, so that fractions mean nothing to it: leave them out."
            )
        changes: dict[str, Any] = {"methods": plain(methods), "fractions": plain(fractions), "seeds": plain(seeds)}
        changes["dataset"] = () if root is None else {**self.grid.dataset, "root": root}
        grid = replace(self.grid, **{key: value for key, value in changes.items() if value != ()})
        return replace(self, grid=grid, study=with_settings(self.study, study or {}, "--study"))


def find_experiment(name: str | Path, size: str = "") -> Experiment:
    """An experiment by name, or by the path of a TOML file.

    Arguments:
        name: The name or path.
        size: The size; its first by default.

    Raises:
        UnknownName: If there is no such experiment, or it has no such size.
        GridError: If a file cannot be read, or a key, a value or a name in it is wrong.
    """
    file = experiment_file(name)
    chosen = file.size(size)
    settings = file.settings(chosen)
    return Experiment(
        file.path.stem,
        file.about,
        chosen,
        file.grid(chosen),
        study_from(settings.get("study", {}), str(file.path)),
        settings.get("published", ""),
        str(name) if Path(name).suffix == ".toml" else "",
    )
