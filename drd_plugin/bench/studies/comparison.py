"""The accuracy of every method at every fraction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..grid import Grid
from ..lab import Lab
from ..plots import plot_accuracy, plot_cost
from ..run import run_in
from ..store import RunStore
from ..table import latex, markdown, summary
from .base import Results, Study

__all__ = ["Comparison"]


@dataclass(frozen=True)
class Comparison(Study):
    """Tables of accuracies, of paired differences, and of what each method cost.

    Arguments:
        baseline: The method that the others are compared with.
        costs: Whether accuracy is also drawn against the seconds of scoring, selection and training.
    """

    baseline: str = "Random"
    costs: bool = False

    def run(self, grid: Grid, lab: Lab) -> None:
        """See `Study`."""
        run_in(lab, grid)

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        store = RunStore(folder)
        runs, left_out = store.latest(), store.left_out
        nets = dict(list(runs.groupby("net", sort=False)))
        plots = {}
        for net, part in nets.items():
            suffix = "" if len(nets) == 1 else f"-{net}"
            plots[f"accuracy{suffix}"] = partial(plot_accuracy, part)
            if self.costs:
                plots[f"cost{suffix}"] = partial(plot_cost, part)
        return Results(
            markdown(runs, left_out, self.baseline),
            runs,
            {"table": summary(runs, self.baseline)},
            plots,
            "\n".join(latex(part, left_out) for part in nets.values()),
        )
