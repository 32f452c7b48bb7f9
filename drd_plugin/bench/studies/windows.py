"""`Windows`: accuracy against the window's start on the ranking, for each fraction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pandas as pd
from typing_extensions import override

from ...core.names import split_outside
from ...methods import Method, parse
from ...strategies import Window
from ..plots import plot_windows
from ..store import RunStore
from ..tables.words import RANKED, fraction_name, mean_and_std
from .base import Results
from .comparison import Comparison

__all__ = ["Windows", "window_runs"]


@dataclass(frozen=True)
class Windows(Comparison):
    """A comparison of methods that are windows, `SCORE+Window[start=...]`, laid out by their starts."""

    takes_dynamic = False

    @override
    def read(self, folder: Path) -> Results:
        comparison, runs = super().read(folder), window_runs(RunStore(folder).latest())
        tables, plots = [], {}
        nets, rankings = (runs[name].nunique() > 1 for name in ("net", "ranking"))
        for (net, ranking), cells in runs.groupby(["net", "ranking"], sort=False):
            tables.append(_table(cells, ranking, f"{net}: " * nets))
            plots["windows" + f"-{net}" * nets + f"-{ranking}" * rankings] = partial(plot_windows, cells)
        return replace(comparison, tables="\n\n".join([*tables, comparison.tables]), plots=plots)


def _table(runs: pd.DataFrame, ranking: str, net: str) -> str:
    """A table of the windows of one network and one kind of ranking, and the best start for each score and fraction."""
    cells = runs.groupby(["score", "start", "fraction"])["acc_last"].agg(mean_and_std).unstack("fraction")
    means = runs.groupby(["score", "fraction", "start"])["acc_last"].mean()
    best = means.loc[means.groupby(["score", "fraction"]).idxmax()].reset_index("start")["start"]
    starts = "; ".join(
        f"{score}, {fraction_name(fraction)}: {100 * start:.0f} %" for (score, fraction), start in best.items()
    )
    table = cells.reset_index()
    table["start"] = [f"{100 * start:.0f} %" for start in table["start"]]
    table.columns = [fraction_name(name) if isinstance(name, float) else name for name in table.columns]
    return (
        f"{net}Test accuracy in % by where the window starts on the ranking, as a share of {RANKED[ranking]} from the "
        f"easiest end:\n\n{table.to_markdown(index=False, disable_numparse=True)}\n\nThe best start of the means: "
        f"{starts}."
    )


def window_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose methods are windows, with the columns `score` (its name), `start` (from the easiest end) and
    `ranking` (`class` or `global`).
    """
    windows = {name: window for name in runs["method"].unique() if (window := _window(name)) is not None}
    rows = runs[runs["method"].isin(windows)]
    return rows.assign(
        score=[split_outside(name, "+")[0].strip() for name in rows["method"]],
        start=[float(windows[name].start) for name in rows["method"]],  # type: ignore[arg-type]
        ranking=[windows[name].ranking for name in rows["method"]],
    )


def _window(name: str) -> Window | None:
    """The window of a method with a fixed start."""
    method = None if name == "Full" else parse(name)
    window = method.strategy if isinstance(method, Method) else None
    return window if isinstance(window, Window) and window.start is not None else None
