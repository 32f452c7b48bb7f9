"""The notes under a table: the methods compared, and the data, machine, versions and commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...artifacts.reliability import verdict
from ...dynamic.names import is_dynamic, parse_dynamic
from ...methods import parse, parse_score
from ...scores import FoldScore
from .summary import in_order
from .words import listed

DYNAMIC_NOTE = "; dynamic: each epoch has this share of the examples, and other ones, so that the training sees all"

__all__ = ["compared", "left_out_text", "method_definitions", "origin"]


def compared(runs: pd.DataFrame) -> str:
    """The definition of each method, and the recipes of networks and proxies, as markdown."""
    lines = [f"- {method}: {definition}" for method, definition in method_definitions(runs).items()]
    first = json.loads(runs["provenance"].iloc[0])
    trained = f"- networks: {_written(first['recipe'])}; proxies: {_written(first['proxy'])}"
    return "\n".join(["What was compared (settings without a value are left out):", "", *lines, trained])


def method_definitions(runs: pd.DataFrame) -> dict[str, str]:
    """The definition of each method: its score and strategy with all settings that have a value, and the last epoch of
    the proxy that its scores watch, where that is not the proxy's last.
    """
    provenance = {method: json.loads(text) for method, text in zip(runs["method"], runs["provenance"], strict=True)}
    epochs = json.loads(runs["provenance"].iloc[0])["proxy"].get("epochs")
    specs = {method: provenance[method]["method"] for method in in_order(provenance) if provenance[method]["method"]}
    without_budget = {*runs.loc[runs["axis"] == "", "method"]} if "axis" in runs else set()
    notes = {method: DYNAMIC_NOTE for method in without_budget if is_dynamic(method)}
    return {m: f"{_definition(m, specs)}{_watched(m, epochs)}{notes.get(m, '')}" for m in specs}


def _definition(method: str, specs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The definition in full, or its difference from the first with the same score and strategy, whichever is
    shorter.
    """
    spec = specs[method]
    kinds = [part.get("name", part) for part in spec]
    other, first = next(
        (name, parts) for name, parts in specs.items() if [part.get("name", part) for part in parts] == kinds
    )
    changes = [
        f"{key}={_inside(value)}"
        for part, first_part in zip(spec, first, strict=True)
        for key, value in part.items()
        if value != first_part.get(key)
    ]
    full, short = " + ".join(map(_written, spec)), f"as {other}, with {', '.join(changes)}"
    return short if changes and len(short) < len(full) else full


def _watched(method: str, epochs: int | None) -> str:
    """A note on the last epoch of the proxy that a method's scores watch, where that is not the proxy's last."""
    try:
        scores = [score for score in parse(method).scores if isinstance(score, FoldScore)]
        last = {type(score).__name__: score.last(epochs or 0) for score in scores}
    except ValueError:  # the method is not installed
        return ""
    return "".join(f"; {name} watches up to epoch {to}" for name, to in last.items() if to != epochs)


def _written(description: Mapping[str, Any]) -> str:
    """A dataclass from its description: Name(field=value, ...)."""
    if "name" not in description:
        return str(dict(description))
    settings = {key: value for key, value in description.items() if key != "name" and value is not None}
    inside = (f"{key}={_inside(value)}" for key, value in settings.items())
    return f"{description['name']}({', '.join(inside)})"


def _inside(value: Any) -> str:
    return _written(value) if isinstance(value, Mapping) else str(value)


def left_out_text(reasons: Mapping[str, str]) -> str:
    """A sentence on the methods that could not run, and why; empty where there are none."""
    return f" Left out: {'; '.join(f'{method} ({why})' for method, why in reasons.items())}." if reasons else ""


def origin(runs: pd.DataFrame) -> str:
    """The data, machine, versions and commit behind the runs; where they differ, all of them."""
    environments = [json.loads(text)["environment"] for text in runs["provenance"]]
    machines = listed(f"{each['device']} ({each['processor']})" for each in environments)
    versions = listed(
        ", ".join(f"{name} {number}" for name, number in each["versions"].items()) for each in environments
    )
    return (
        f"{len(runs)} runs on {listed(runs['fingerprint'])}; {machines}; {versions}; "
        f"commit {listed(each['git'] or 'unknown' for each in environments)}.{_pinned(runs)}{_reliabilities(runs)}"
    )


def _reliabilities(runs: pd.DataFrame) -> str:
    """Sentences on the reliability (the mean over the seeds) of scores of several estimates; equal ones share one."""
    reliabilities: dict[str, list[list[Any]]] = {}
    for method, text in zip(runs["method"], runs["provenance"], strict=True):
        if reliability := json.loads(text).get("reliability"):
            reliabilities.setdefault(method, []).append(reliability)
    verdicts: dict[str, list[str]] = {}
    for method in in_order(reliabilities):
        by_seed = reliabilities[method]
        mean = float(np.mean([value for value, *_ in by_seed]))
        verdicts.setdefault(verdict(mean, *by_seed[0][1:]), []).append(method)
    return "".join(f" Reliability of {', '.join(methods)}: {text}." for text, methods in verdicts.items())


def _pinned(runs: pd.DataFrame) -> str:
    """A sentence on the sources of chance that these methods depend on and that do not vary with the seed."""
    if "seed" not in runs or runs["seed"].nunique() < 2:
        return ""
    used = {"selection", "init", "order"}
    used |= {source for name in set(runs["method"]) - {"Full"} for source in _sources(name)}
    seeds = [json.loads(text)["seeds"] for text in runs["provenance"]]
    pinned = [key for key in seeds[0] if key in used and len({each[key] for each in seeds}) == 1]
    return f" One seed of {', '.join(pinned)} in all runs: the ± does not show its spread." if pinned else ""


def _sources(method: str) -> set[str]:
    """The seeds that a method's scores and features depend on; all where the method is not installed."""
    try:
        if is_dynamic(method):
            dynamic = parse_dynamic(method)
            scores = {parse_score(name).seeded_by for name in dynamic.needs_scores}
            return scores | ({"proxy"} if dynamic.needs_features else set())
        return {score.seeded_by for score in parse(method).scores}
    except ValueError:
        return {"proxy", "noise"}
