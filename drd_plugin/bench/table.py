"""Tables of runs: mean and standard deviation over seeds, the full-data row, paired differences against Random, and the
definition of each method.

The accuracy is the one after the last step; the best test accuracy seen during training, which looks at the test set,
stands beside it in the long table. A difference is paired by seed, with the interval of the t distribution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..artifacts.reliability import verdict
from ..methods import METHODS, parse
from ..scores import FoldScore

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "check_one_net",
    "definitions",
    "difference",
    "fraction_name",
    "gap",
    "latex",
    "left_out_text",
    "markdown",
    "mean_and_std",
    "origin",
    "part_names",
    "summary",
    "table",
]

NUMBER = re.compile(r"(\d+(?:\.\d+)?)")

METRICS = {"acc_last": "accuracy after the last step", "acc_best": "best accuracy during training"}


def summary(runs: pd.DataFrame, baseline: str = "Random") -> pd.DataFrame:
    """One row for each net, method and fraction.

    Arguments:
        runs: Rows as in `Run`.
        baseline: The method that the others are compared with.

    Returns:
        The columns net, method, fraction, k, n (seeds), mean, std, best_mean, best_std (in percent; std with n - 1),
        start (the mean window start that was chosen), origin (the end of the ranking it is counted from), cutoff (the
        share that was dropped as too hard), score, select, train (mean seconds), difference, low, high (against the
        baseline, in points; 95 % interval).
    """
    import pandas as pd

    rows = []
    for (net, method, fraction), cell in sorted(
        runs.groupby(["net", "method", "fraction"]), key=lambda group: _place(*group[0])
    ):
        chosen = [json.loads(text) for text in cell["chosen"]]
        rows.append(
            {
                "net": net,
                "method": method,
                "fraction": fraction,
                "k": int(cell["k"].iloc[0]),
                "n": len(cell),
                "mean": cell["acc_last"].mean(),
                "std": cell["acc_last"].std(),
                "best_mean": cell["acc_best"].mean(),
                "best_std": cell["acc_best"].std(),
                "start": np.mean([of.get("start", np.nan) for of in chosen]),
                "origin": _list(of.get("origin", "") for of in chosen),
                "cutoff": np.mean([of.get("cutoff", np.nan) for of in chosen]),
                "score": cell["seconds_score"].mean(),
                "select": cell["seconds_select"].mean(),
                "train": cell["seconds_train"].mean(),
                **_against(cell, runs, str(net), float(fraction), baseline),
            }
        )
    return pd.DataFrame(rows)


def _place(net: str, method: str, fraction: float) -> tuple:
    """Where a row stands: published methods in their order, other pairs after them by name, in which numbers count as
    such, the full data last.
    """
    known = [*METHODS]
    natural = [(float(part), "") if place % 2 else (0.0, part) for place, part in enumerate(NUMBER.split(method))]
    return net, method == "Full", known.index(method) if method in known else len(known), natural, fraction


def _against(cell: pd.DataFrame, runs: pd.DataFrame, net: str, fraction: float, baseline: str) -> dict[str, float]:
    other = runs[(runs["net"] == net) & (runs["method"] == baseline) & (runs["fraction"] == fraction)]
    pairs = cell.merge(other, on="seed", suffixes=("", "_base"))
    if cell["method"].iloc[0] == baseline or pairs.empty:
        return {"difference": np.nan, "low": np.nan, "high": np.nan}
    return dict(
        zip(
            ("difference", "low", "high"),
            difference(pairs["acc_last"].to_numpy(), pairs["acc_last_base"].to_numpy()),
            strict=True,
        )
    )


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """The mean paired difference and its 95 % interval by the t distribution with n - 1 degrees of freedom; NaN limits
    with a single pair.

    A percentile bootstrap, which is usual here, covers 75 % instead of 95 where there are three pairs.

    Arguments:
        ours: float[n], one value a seed.
        theirs: float[n], the same seeds in the same order.
    """
    from scipy.stats import sem, t

    gaps = np.asarray(ours, float) - np.asarray(theirs, float)
    mean = float(gaps.mean())
    if len(gaps) < 2:
        return mean, np.nan, np.nan
    half = float(t.ppf(0.975, len(gaps) - 1) * sem(gaps))
    return mean, mean - half, mean + half


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
            rows.setdefault(str(cell.method), {})[fraction_name(float(fraction))] = (
                _bold(text, style) if round(value, 1) >= best else text
            )
    columns = [fraction_name(f) for f in sorted(long["fraction"].unique())]
    result = (
        pd.DataFrame.from_dict({m: rows[m] for m in dict.fromkeys(long["method"])}, orient="index")
        .reindex(columns=columns)
        .fillna("")
    )
    return result.rename_axis("method")


def check_one_net(runs: pd.DataFrame) -> None:
    """Raises ValueError unless the runs are all of one net."""
    if runs["net"].nunique() > 1:
        raise ValueError(
            f"the runs are of the nets {', '.join(sorted(set(runs['net'])))}: take those of one, "
            "runs[runs['net'] == ...]."
        )


def fraction_name(fraction: float) -> str:
    """A share as a table has it: `10 %`."""
    return f"{100 * fraction:g} %"


def part_names(parts: int) -> list[str]:
    """What the equal parts of a ranking are called: `0-20 %`, `20-40 %`, ..."""
    return [f"{100 * i / parts:.0f}-{100 * (i + 1) / parts:.0f} %" for i in range(parts)]


def mean_and_std(values: Iterable[float], digits: int = 1) -> str:
    """`mean ± std`, with n - 1; the value alone where there is one."""
    known = np.array([*values], float)
    text = f"{known.mean():.{digits}f}"
    return text if len(known) < 2 else f"{text} ± {known.std(ddof=1):.{digits}f}"


def gap(difference: float, low: float, high: float) -> str:
    """`+1.2 [+0.9, +1.5]`; without an interval where there is none, and empty where there is no difference."""
    if np.isnan(difference):
        return ""
    return f"{difference:+.1f}" if np.isnan(low) else f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]"


def _bold(text: str, style: str) -> str:
    return {"markdown": f"**{text}**", "latex": rf"\textbf{{{text}}}", "plain": text}[style]


def latex(runs: pd.DataFrame, left_out: Mapping[str, str] = {}) -> str:
    """The table for LaTeX (booktabs), with its origin as a comment, and the methods that were left out."""
    frame = table(runs, style="latex").replace("±", r"$\\pm$", regex=True)
    frame.index = frame.index.str.replace("_", r"\_")
    frame.columns = [column.replace("%", r"\%") for column in frame.columns]
    seeds = _list(sorted(summary(runs)["n"]))
    note = f"% {_list(runs['net'])}, test accuracy in %, mean ± std over {seeds} seeds; {origin(runs)}"
    return f"{note}{left_out_text(left_out)}\n{frame.reset_index().to_latex(index=False, escape=False)}"


def markdown(runs: pd.DataFrame, left_out: Mapping[str, str] = {}, baselines: Sequence[str] = ("Random",)) -> str:
    """All of a grid's tables as markdown: accuracies, differences against each baseline, and what it cost.

    Arguments:
        runs: Rows as in `Run`.
        left_out: The methods that could not run, and why.
        baselines: The methods that the others are compared with.
    """
    parts = []
    for net, cells in runs.groupby("net", sort=False):
        long = summary(cells)
        seeds = sorted({int(n) for n in long["n"]})
        over = f", mean ± standard deviation over {_list(seeds)} seeds" if seeds[-1] > 1 else " of one seed"
        parts.append(f"{net}, test accuracy in % {METRICS['acc_last'].removeprefix('accuracy ')}{over}:")
        parts.append(table(cells).reset_index().to_markdown(index=False, disable_numparse=True))
        for baseline in baselines:
            against = _differences(summary(cells, baseline))
            if not against.empty:
                interval = ", with the 95 % interval of the t distribution" if seeds[-1] > 1 else ""
                parts.append(f"Difference from {baseline} in points, paired by seed{interval}:")
                parts.append(against.to_markdown(index=False, disable_numparse=True))
        parts.append(
            "Mean seconds for a subset (scores are shared by fractions, and by methods that watch the same proxy; what "
            "else the machine did counts too), and the window start and cut-off chosen:"
        )
        parts.append(_costs(long).to_markdown(index=False, disable_numparse=True))
    return "\n\n".join([*parts, definitions(runs), f"{origin(runs)}{left_out_text(left_out)}"]) + "\n"


def definitions(runs: pd.DataFrame) -> str:
    """What each method is, its score and strategy with all settings that are given, how long its scores watch where
    that is not to the end, and how networks and proxies were trained.
    """
    found = {method: json.loads(text) for method, text in zip(runs["method"], runs["provenance"], strict=True)}
    made = next(iter(found.values()))
    lines = [
        f"- {method}: {' + '.join(map(_said, found[method]['method']))}{_watched(method, made['proxy'].get('epochs'))}"
        for method in sorted(found, key=lambda name: _place("", name, 0))
        if found[method]["method"]
    ]
    trained = f"- networks: {_said(made['recipe'])}; proxies: {_said(made['proxy'])}"
    return "\n".join(["What was compared (settings without a value are left out):", "", *lines, trained])


def _watched(method: str, epochs: int | None) -> str:
    """Up to which of the proxy's epochs the scores of a method watch, where that is not the last."""
    try:
        last = {type(of).__name__: of.last(epochs or 0) for of in parse(method).scores if isinstance(of, FoldScore)}
    except ValueError:  # a method that is not known here
        return ""
    return "".join(f"; {name} watches up to epoch {to}" for name, to in last.items() if to != epochs)


def _said(thing: Mapping[str, Any]) -> str:
    """A dataclass from its description: Name(field=value, ...)."""
    if "name" not in thing:
        return str(dict(thing))
    inside = (
        f"{key}={_said(value) if isinstance(value, dict) else value}"
        for key, value in thing.items()
        if key != "name" and value is not None
    )
    return f"{thing['name']}({', '.join(inside)})"


def left_out_text(reasons: Mapping[str, str]) -> str:
    """A sentence on the methods that could not run, and why; empty where there are none."""
    return f" Left out: {'; '.join(f'{method} ({why})' for method, why in reasons.items())}." if reasons else ""


def origin(runs: pd.DataFrame) -> str:
    """The data, machine, versions and commit behind the runs; where they differ, all of them."""
    made = [json.loads(text)["environment"] for text in runs["provenance"]]
    machines = _list(f"{of['device']} ({of['processor']})" for of in made)
    versions = _list(", ".join(f"{name} {number}" for name, number in of["versions"].items()) for of in made)
    return (
        f"{len(runs)} runs on {_list(runs['fingerprint'])}; {machines}; {versions}; "
        f"commit {_list(of['git'] or 'unknown' for of in made)}.{_pinned(runs)}{_reliabilities(runs)}"
    )


def _reliabilities(runs: pd.DataFrame) -> str:
    """A sentence for the scores of several estimates, of all methods that have the same: the mean over the seeds."""
    found: dict[str, list[list[Any]]] = {}
    for method, text in zip(runs["method"], runs["provenance"], strict=True):
        if known := json.loads(text).get("reliability"):
            found.setdefault(method, []).append(known)
    said: dict[str, list[str]] = {}
    for method, known in found.items():
        mean = float(np.mean([reached for reached, *_ in known]))
        said.setdefault(verdict(mean, *known[0][1:]), []).append(method)
    return "".join(f" Reliability of {', '.join(methods)}: {text}." for text, methods in said.items())


def _pinned(runs: pd.DataFrame) -> str:
    """A sentence on the sources of chance that these methods depend on and that do not vary with the seed."""
    if "seed" not in runs or runs["seed"].nunique() < 2:
        return ""
    used = {"selection", "init", "order"}
    used |= {source for name in set(runs["method"]) - {"Full"} for source in _sources(name)}
    seeds = [json.loads(text)["seeds"] for text in runs["provenance"]]
    pinned = [key for key in seeds[0] if key in used and len({of[key] for of in seeds}) == 1]
    return f" One seed of {', '.join(pinned)} in all runs: the ± does not show its spread." if pinned else ""


def _sources(method: str) -> set[str]:
    """The seeds that a method's scores depend on; all where the method is not known here."""
    try:
        return {score.seeded_by for score in parse(method).scores}
    except ValueError:
        return {"proxy", "noise"}


def _list(things: Iterable[object]) -> str:
    return " or ".join(text for text in dict.fromkeys(map(str, things)) if text)


def _differences(long: pd.DataFrame) -> pd.DataFrame:
    long = long[long["difference"].notna()]
    text = [gap(*of) for of in zip(long["difference"], long["low"], long["high"], strict=True)]
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
    wide.columns = [fraction_name(f) for f in wide.columns]
    return wide.reset_index()
