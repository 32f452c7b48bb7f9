"""`Study`, a frozen dataclass that does something with a grid and reads its results, and those `Results`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pandas as pd
from matplotlib.axes import Axes

from ...core.registry import check_fields
from ..grid import Grid
from ..kinds import GridError
from ..tables.footnotes import compared, left_out_text, origin
from ..workers import Workers

__all__ = ["Results", "Study", "by_net"]


@dataclass(frozen=True)
class Results:
    """The results of a study.

    Arguments:
        tables: The tables with their titles, as markdown.
        rows: The rows behind them, with the columns `method` and `provenance`.
        frames: Tables by name, for CSV files.
        plots: Pictures by name; each function draws on the axis it is given, or on a new one, and returns it.
        latex: The main table for LaTeX; "" for none.
        left_out: The methods that could not run, and why.
        title: The title of the page; "" for none.
        about: The question of the experiment and the command that ran it, as markdown.
        published: Published numbers to compare with, as markdown.
        folder: The folder that they were read from, where they came from one.
    """

    tables: str
    rows: pd.DataFrame = field(repr=False)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    plots: Mapping[str, Callable[[Axes | None], Axes]] = field(default_factory=dict)
    latex: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    about: str = ""
    published: str = ""
    folder: Path | None = None

    @property
    def origin(self) -> str:
        """The data, machine, versions and commit behind the rows, and the methods that could not run."""
        return f"{origin(self.rows)}{left_out_text(self.left_out)}"

    @property
    def text(self) -> str:
        """The results as one markdown text."""
        title = f"# {self.title}" if self.title else ""
        parts = [title, self.about, self.tables, compared(self.rows), self.origin]
        return "\n\n".join(filter(None, parts)) + "\n" + self.published


@dataclass(frozen=True)
class Study(ABC):
    """A study does something with a grid, and reads its results; its fields are its settings.

    Arguments:
        takes_dynamic: Whether the grid may hold dynamic methods.
        uses_fractions: Whether the study uses the grid's fractions.
        uses_nets: Whether the grid may name several networks.
    """

    takes_dynamic: ClassVar[bool] = False
    uses_fractions: ClassVar[bool] = True
    uses_nets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, grid: Grid) -> None:
        """Raises GridError unless the study can be done with a grid."""
        if grid.dynamic and not self.takes_dynamic:
            raise GridError(
                f"{grid.name}: {', '.join(grid.dynamic)} choose other examples every epoch and have no place in this "
                "study: compare them in a study `comparison` or `mixed`, as the experiment `dynamic` does."
            )
        if not self.uses_nets and (unused := [net for net in grid.nets if net != grid.recipe.net]):
            raise GridError(
                f"{grid.name}: this study makes no use of nets: leave them out; {', '.join(unused)} would not be "
                "trained."
            )

    @abstractmethod
    def run(self, grid: Grid, workers: Workers) -> None:
        """Does what is missing, and stores each row in the workers' folder as it is finished.

        Raises:
            GridError: If the grid has methods or nets that the study does not take.
            ArtifactError: If the folder holds another grid's rows.
        """

    @abstractmethod
    def read(self, folder: Path) -> Results:
        """Reads the results.

        Raises:
            ArtifactError: If there are none in the folder.
        """


def by_net(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """For each net the suffix of its pictures' names, which is empty where there is one net, and its rows."""
    groups = dict(list(rows.groupby("net", sort=False)))
    for net, part in groups.items():
        yield f"-{net}" if len(groups) > 1 else "", part
