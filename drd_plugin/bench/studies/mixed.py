"""Static and dynamic selection in one table, each with the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from ..grid import Grid
from ..lab import Lab
from ..mixed import Budget, MixedRun, mixed_markdown, mixed_summary, run_mixed
from ..mixed.run import CELL
from ..origin import definitions, left_out_text, origin
from ..plots import plot_budgets, plot_time, plot_trajectory
from ..store import RunStore
from .base import Results, Study

__all__ = ["Mixed"]


@dataclass(frozen=True)
class Mixed(Study):
    """Trains with every method, static or dynamic, until a budget is spent.

    Arguments:
        axis: What the budget is counted in: `samples` (examples seen), `steps`, or `wall` (seconds of everything, from
            scores and features to the training).
        budgets: As shares of what the full training takes; 1 is always run for the full training.
        slope: By which part of itself the share of an epoch rises in dynamic methods, from the first to the last; see
            `drd_plugin.dynamic.Plan`.
        full_last: The last share of the training in which dynamic methods see all examples.
    """

    axis: Literal["samples", "steps", "wall"] = "samples"
    budgets: tuple[float, ...] = (0.5, 1.0)
    slope: float = 0.0
    full_last: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.budgets or not all(share > 0 for share in self.budgets):
            raise ValueError(f"budgets are shares of the full training's, above 0, got {self.budgets}.")

    def run(self, grid: Grid, lab: Lab) -> None:
        """See `Study`."""
        budgets = [Budget(self.axis, share) for share in self.budgets]
        run_mixed(lab, grid, budgets, self.slope, self.full_last)

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        store = RunStore(folder, row=MixedRun, cell=CELL)
        rows = store.latest()
        plots = {}
        for net, part in rows.groupby("net", sort=False):
            suffix = "" if rows["net"].nunique() == 1 else f"-{net}"
            if part["trajectory"].str.contains('"level"').any():
                plots[f"trajectory{suffix}"] = partial(plot_trajectory, part)
            for fraction in sorted({of for of in part["fraction"] if 0 < of < 1}):
                kept = f"{100 * fraction:g}{suffix}"
                plots[f"budgets-{kept}"] = partial(plot_budgets, part, fraction)
                plots[f"time-{kept}"] = partial(plot_time, part, fraction)
        text = f"{mixed_markdown(rows)}\n\n{definitions(rows)}\n\n{origin(rows)}{left_out_text(store.left_out)}\n"
        return Results(text, rows, {"table": mixed_summary(rows)}, plots)
