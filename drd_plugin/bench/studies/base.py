"""What a study is: a frozen dataclass that does something with a grid, and reads its results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...registry import check_fields
from ..grid import Grid
from ..lab import Lab

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Results", "Study"]


@dataclass(frozen=True)
class Results:
    """What a study found.

    Arguments:
        text: The tables and what they say, as markdown.
        rows: What they were made from, one row each, with a column `provenance`.
        frames: Tables by name, for CSV files.
        plots: Pictures by name; each function draws on the axis it is given, or on a new one, and returns it.
        latex: The main table for LaTeX; "" for none.
    """

    text: str
    rows: pd.DataFrame = field(repr=False)
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    plots: Mapping[str, Callable[[Axes | None], Axes]] = field(default_factory=dict)
    latex: str = ""


@dataclass(frozen=True)
class Study(ABC):
    """Something that is done with a grid; its fields are its settings."""

    def __post_init__(self) -> None:
        check_fields(self)

    @abstractmethod
    def run(self, grid: Grid, lab: Lab) -> None:
        """Does what is missing, and keeps each row in the lab's folder as it is finished.

        Raises:
            ArtifactError: If the folder holds another grid's rows.
        """

    @abstractmethod
    def read(self, folder: Path) -> Results:
        """Reads the results.

        Raises:
            ArtifactError: If there are none in the folder.
        """
