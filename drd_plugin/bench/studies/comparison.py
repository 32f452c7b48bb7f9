"""`Comparison`: the accuracy of every method at every fraction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from typing_extensions import override

from ..grid import Grid
from ..kinds import GridError
from ..plots import plot_accuracy, plot_cost
from ..run import run_grid
from ..store import RunStore
from ..tables.accuracy import latex, markdown
from ..tables.summary import summary
from ..workers import Workers
from .base import Results, Study, by_net

__all__ = ["Comparison"]

READABLE = 25
"""The most methods in one picture; more are in the tables alone."""


@dataclass(frozen=True)
class Comparison(Study):
    """Tables of accuracies, of paired differences, and of costs.

    Arguments:
        baselines: The methods that the others are compared with; table.csv has the first.
        costs: Whether accuracy is also drawn against the seconds of scoring, selection and training.
    """

    takes_dynamic = True

    baselines: tuple[str, ...] = ("Random",)
    costs: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.baselines:
            raise ValueError(f"baselines: expected a list of at least one method, got {self.baselines!r}.")

    @override
    def check(self, grid: Grid) -> None:
        super().check(grid)
        for name in {*self.baselines} - {"Full"}:
            try:
                grid.parse(name)
            except ValueError as error:
                raise GridError(f"{grid.name}: baselines: {error}") from None

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        run_grid(grid, workers)

    @override
    def read(self, folder: Path) -> Results:
        store = RunStore(folder)
        runs, left_out = store.latest(), store.left_out
        plots = {}
        for suffix, part in by_net(runs):
            if part["method"].nunique() <= READABLE:
                plots[f"accuracy{suffix}"] = partial(plot_accuracy, part)
                if self.costs:
                    plots[f"cost{suffix}"] = partial(plot_cost, part)
        return Results(
            markdown(runs, self.baselines),
            runs,
            {"table": summary(runs, self.baselines[0])},
            plots,
            "\n".join(latex(part, left_out) for _, part in by_net(runs)),
            left_out,
        )
