"""Tables of runs, in markdown and LaTeX: accuracies, differences against a baseline, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from .footnotes import left_out_text, origin
from .summary import check_one_net, summary
from .words import epoch_name, gap, listed, over_seeds, paired

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["latex", "markdown", "table"]

METRICS = {"acc_last": "accuracy after the last step", "acc_best": "best accuracy during training"}


def markdown(runs: pd.DataFrame, baselines: Sequence[str] = ("Random",)) -> str:
    """All of a grid's tables as markdown: accuracies, differences against each baseline, and what it cost.

    Arguments:
        runs: Rows as in `Run`.
        baselines: The methods that the others are compared with.
    """
    parts = []
    for net, cells in runs.groupby("net", sort=False):
        long = summary(cells)
        last = METRICS["acc_last"].removeprefix("accuracy ")
        parts.append(f"{net}, test accuracy in % {last}, {over_seeds(long['n'])}:")
        parts.append(table(cells).reset_index().to_markdown(index=False, disable_numparse=True))
        for baseline in baselines:
            against = _differences(summary(cells, baseline))
            if not against.empty:
                parts.append(f"{paired(baseline, long['n'])}:")
                parts.append(against.to_markdown(index=False, disable_numparse=True))
        parts.append(
            "Mean seconds for a subset, of all processes added up (scores are shared by fractions, and by methods that "
            "watch the same proxy; what else the machine did counts too), and the window start and cut-off chosen:"
        )
        parts.append(_costs(long).to_markdown(index=False, disable_numparse=True))
    return "\n\n".join(parts)


def latex(runs: pd.DataFrame, left_out: Mapping[str, str] = {}) -> str:
    """The table for LaTeX (booktabs), with its origin as a comment, and the methods that were left out."""
    frame = table(runs, style="latex").replace("±", r"$\\pm$", regex=True)
    frame.index = frame.index.str.replace("_", r"\_")
    frame.columns = [column.replace("%", r"\%") for column in frame.columns]
    note = f"% {listed(runs['net'])}, test accuracy in %, {over_seeds(summary(runs)['n'])}; {origin(runs)}"
    return f"{note}{left_out_text(left_out)}\n{frame.reset_index().to_latex(index=False, escape=False)}"


def table(
    runs: pd.DataFrame, metric: Literal["acc_last", "acc_best"] = "acc_last", style: str = "markdown"
) -> pd.DataFrame:
    """Methods by fractions, each cell "mean ± std" (and the number of seeds, where it differs), the best of each
    fraction in bold.

    Arguments:
        runs: Rows as in `Run`, of one net.
        metric: Which accuracy.
        style: `markdown`, `latex`, or `plain` without bold.

    Raises:
        ValueError: If the runs are of several nets.
    """
    import pandas as pd

    check_one_net(runs)
    long = summary(runs)
    mean, std = {"acc_last": ("mean", "std"), "acc_best": ("best_mean", "best_std")}[metric]
    rows: dict[str, dict[str, str]] = {}
    for fraction, column in long.groupby("fraction"):
        best = column[mean].round(1).max() if len(column) > 1 else np.inf
        for cell in column.itertuples():
            value, spread = getattr(cell, mean), getattr(cell, std)
            text = f"{value:.1f}" if np.isnan(spread) else f"{value:.1f} ± {spread:.1f}"
            text += f" (n = {cell.n})" if long["n"].nunique() > 1 else ""
            rows.setdefault(str(cell.method), {})[epoch_name(float(fraction))] = (
                _bold(text, style) if round(value, 1) >= best else text
            )
    columns = [epoch_name(f) for f in sorted(long["fraction"].unique())]
    result = (
        pd.DataFrame.from_dict({m: rows[m] for m in dict.fromkeys(long["method"])}, orient="index")
        .reindex(columns=columns)
        .fillna("")
    )
    return result.rename_axis("method")


def _bold(text: str, style: str) -> str:
    return {"markdown": f"**{text}**", "latex": rf"\textbf{{{text}}}", "plain": text}[style]


def _differences(long: pd.DataFrame) -> pd.DataFrame:
    long = long[long["difference"].notna()]
    text = [gap(*cell) for cell in zip(long["difference"], long["low"], long["high"], strict=True)]
    return _wide(long.assign(text=text))


def _costs(long: pd.DataFrame) -> pd.DataFrame:
    long = long[long["method"] != "Full"]
    text = [
        f"{cell.score:.1f} + {cell.select:.1f} + {cell.train:.1f}"
        + ("" if np.isnan(cell.start) else f"; start {100 * cell.start:.0f} % from {cell.origin}")
        + ("" if np.isnan(cell.cutoff) else f"; cut-off {100 * cell.cutoff:.0f} %")
        for cell in long.itertuples()
    ]
    return _wide(long.assign(text=text)).rename(columns={"method": "method: score + select + train"})


def _wide(long: pd.DataFrame) -> pd.DataFrame:
    wide = (
        long.pivot(index="method", columns="fraction", values="text").reindex(dict.fromkeys(long["method"])).fillna("")
    )
    wide.columns = [epoch_name(f) for f in wide.columns]
    return wide.reset_index()
