"""Where on the ranking the best window starts: accuracy against the window's start, for each fraction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...methods import Method, parse
from ...settings import split_outside
from ...strategies import Window
from ..plots import plot_windows
from ..store import RunStore
from ..wording import fraction_name, mean_and_std
from .base import Results
from .comparison import Comparison

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Windows", "windows"]


@dataclass(frozen=True)
class Windows(Comparison):
    """A comparison of methods that are windows, `SCORE+Window[start=...]`, laid out by their starts."""

    def read(self, folder: Path) -> Results:
        """See `Study`."""
        usual, runs = super().read(folder), windows(RunStore(folder).latest())
        found = runs.groupby(["score", "start", "fraction"])["acc_last"].agg(mean_and_std).unstack("fraction")
        best = runs.groupby(["score", "fraction", "start"])["acc_last"].mean()
        best = best.loc[best.groupby(["score", "fraction"]).idxmax()].reset_index("start")["start"]
        said = "; ".join(
            f"{score}, {fraction_name(fraction)}: {100 * start:.0f} %" for (score, fraction), start in best.items()
        )
        shown = found.reset_index().assign(start=lambda rows: [f"{100 * of:.0f} %" for of in rows["start"]])
        shown.columns = [fraction_name(of) if isinstance(of, float) else of for of in shown.columns]
        text = (
            "Test accuracy in % by where the window starts on the ranking, as a share of each class from the easiest "
            f"end:\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n\nThe best start of the means: {said}.\n"
        )
        plots = {"windows": partial(plot_windows, runs)}
        return replace(usual, text=f"{text}\n{usual.text}", plots=plots)


def windows(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose methods are windows, with the columns `score` (its name) and `start` (from the easiest end)."""
    starts = {name: _start(name) for name in runs["method"].unique()}
    kept = runs[runs["method"].map(starts).notna()]
    return kept.assign(
        score=[split_outside(name, "+")[0].strip() for name in kept["method"]],
        start=kept["method"].map(starts).astype(float),
    )


def _start(name: str) -> float | None:
    method = None if name == "Full" else parse(name)
    return method.strategy.start if isinstance(method, Method) and isinstance(method.strategy, Window) else None
