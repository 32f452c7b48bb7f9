"""Tables of runs, in markdown and LaTeX: accuracies, differences against a baseline, and costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from .footnotes import left_out_text, origin
from .summary import check_one_net, summary
from .words import epoch_name, gap, listed, over_seeds, paired, spread

__all__ = ["latex", "markdown", "table"]


def markdown(runs: pd.DataFrame, baselines: Sequence[str] = ("Random",)) -> str:
    """All of a grid's tables as markdown: accuracies, differences from each baseline, and costs.

    Arguments:
        runs: Rows as in `Run`.
        baselines: The methods that the others are compared with.
    """
    parts = []
    for net, cells in runs.groupby("net", sort=False):
        long = summary(cells)
        parts.append(f"{net}, test accuracy in % after the last step, {over_seeds(long['n'])}:")
        parts.append(table(cells).to_markdown(disable_numparse=True))
        for baseline in baselines:
            against = _differences(summary(cells, baseline))
            if not against.empty:
                parts.append(f"{paired(baseline, long['n'])}:")
                parts.append(against.to_markdown(disable_numparse=True))
        parts.append(
            "Mean seconds for a subset, of all processes added up (scores are shared by fractions, and by methods that "
            "watch the same proxy; what else the machine did counts too), and the window start and cut-off chosen:"
        )
        parts.append(_costs(long).to_markdown(disable_numparse=True))
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
    """A table of methods by fractions: "mean ± std" (with the number of seeds, where it differs), and the best of each
    fraction in bold.

    Arguments:
        runs: Rows as in `Run`, of one net.
        metric: The accuracy: `acc_last` after the last step, or `acc_best`, the best during training.
        style: `markdown`, `latex`, or `plain` without bold.

    Raises:
        ValueError: If the runs are of several nets.
    """
    check_one_net(runs)
    long = summary(runs)
    mean, std = {"acc_last": ("mean", "std"), "acc_best": ("best_mean", "best_std")}[metric]
    rounded, fractions = long[mean].map(lambda value: round(value, 1)), long["fraction"]
    best = rounded.groupby(fractions).transform("max").where(fractions.duplicated(keep=False))
    texts = []
    for value, deviation, n, bold in zip(long[mean], long[std], long["n"], rounded == best, strict=True):
        text = spread(value, deviation) + (f" (n = {n})" if long["n"].nunique() > 1 else "")
        texts.append(_bold(text, style) if bold else text)
    return _wide(long, texts)


def _bold(text: str, style: str) -> str:
    return {"markdown": f"**{text}**", "latex": rf"\textbf{{{text}}}", "plain": text}[style]


def _differences(long: pd.DataFrame) -> pd.DataFrame:
    long = long[long["difference"].notna()]
    return _wide(long, map(gap, long["difference"], long["low"], long["high"]))


def _costs(long: pd.DataFrame) -> pd.DataFrame:
    long = long[long["method"] != "Full"]
    texts = (
        f"{cell.score:.1f} + {cell.select:.1f} + {cell.train:.1f}"
        + ("" if np.isnan(cell.start) else f"; start {100 * cell.start:.0f} % from {cell.origin}")
        + ("" if np.isnan(cell.cutoff) else f"; cut-off {100 * cell.cutoff:.0f} %")
        for cell in long.itertuples()
    )
    return _wide(long, texts).rename_axis("method: score + select + train")


def _wide(long: pd.DataFrame, texts: Iterable[str]) -> pd.DataFrame:
    """The texts of cells as a table, methods by fractions."""
    wide = long.assign(text=[*texts]).pivot(index="method", columns="fraction", values="text")
    wide = wide.reindex(dict.fromkeys(long["method"])).fillna("")
    wide.columns = pd.Index([epoch_name(fraction) for fraction in wide.columns])
    return wide
