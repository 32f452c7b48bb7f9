"""`EqualBudgets`: static and dynamic selection in one table, all with the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from typing_extensions import override

from ..cells import Budget, Terms
from ..grid import Grid
from ..plots import plot_budgets, plot_time, plot_trajectory
from ..run import run_grid
from ..store import RunStore
from ..tables.budgets import budget_markdown, budget_summary
from ..workers import Workers
from .base import Results, Study, by_net

__all__ = ["EqualBudgets"]


@dataclass(frozen=True)
class EqualBudgets(Study):
    """Trains with every method, static or dynamic, until a budget is spent; called `mixed` in files.

    Arguments:
        axis: The unit of the budget: `samples` (examples seen), `steps`, or `wall` (seconds of everything, from scores
            and features to the training).
        budgets: The budgets, as shares of what the full training takes; 1 is always run for the full training.
        slope: How steeply the share of an epoch rises in dynamic methods; see `drd_plugin.dynamic.Plan`.
        full_last: The last share of the training in which dynamic methods see all examples.
    """

    takes_dynamic = True

    axis: Literal["samples", "steps", "wall"] = "samples"
    budgets: tuple[float, ...] = (0.5, 1.0)
    slope: float = 0.0
    full_last: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.budgets or not all(share > 0 for share in self.budgets):
            raise ValueError(f"budgets are shares of the full training's, above 0, got {self.budgets}.")

    @override
    def run(self, grid: Grid, workers: Workers) -> None:
        self.check(grid)
        budgets = tuple(Budget(self.axis, share) for share in self.budgets)
        run_grid(grid, workers, Terms(budgets, self.slope, self.full_last), study="mixed", axis=self.axis)

    @override
    def read(self, folder: Path) -> Results:
        store = RunStore(folder)
        rows = store.latest()
        plots = {}
        for suffix, part in by_net(rows):
            if part["trajectory"].str.contains('"level"').any():
                plots[f"trajectory{suffix}"] = partial(plot_trajectory, part)
            for fraction in sorted({share for share in part["fraction"] if 0 < share < 1}):
                name = f"{100 * fraction:g}{suffix}"
                plots[f"budgets-{name}"] = partial(plot_budgets, part, fraction)
                plots[f"time-{name}"] = partial(plot_time, part, fraction)
        cells = budget_summary(rows)
        return Results(budget_markdown(rows, cells), rows, {"table": cells}, plots, left_out=store.left_out)
