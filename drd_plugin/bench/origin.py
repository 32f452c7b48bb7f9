"""What stands under a table: what was compared, and on which data, machine, versions and commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts.reliability import verdict
from ..dynamic.names import is_dynamic, parse_dynamic
from ..methods import parse, parse_score
from ..scores import FoldScore
from .summary import in_order
from .wording import listed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["definitions", "left_out_text", "origin"]


def definitions(runs: pd.DataFrame) -> str:
    """What each method is, its score and strategy with all settings that are given, how long its scores watch where
    that is not to the end, and how networks and proxies were trained.
    """
    found = {method: json.loads(text) for method, text in zip(runs["method"], runs["provenance"], strict=True)}
    made = next(iter(found.values()))
    parts = {method: found[method]["method"] for method in in_order(found) if found[method]["method"]}
    lines = [f"- {method}: {_told(method, parts)}{_watched(method, made['proxy'].get('epochs'))}" for method in parts]
    trained = f"- networks: {_said(made['recipe'])}; proxies: {_said(made['proxy'])}"
    return "\n".join(["What was compared (settings without a value are left out):", "", *lines, trained])


def _told(method: str, parts: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A method in full, or what sets it apart from the first in the list with the same score and strategy, whichever is
    shorter.
    """
    ours = parts[method]
    kinds = [of.get("name", of) for of in ours]
    other, theirs = next((name, of) for name, of in parts.items() if [part.get("name", part) for part in of] == kinds)
    apart = [
        f"{key}={_inside(value)}"
        for us, them in zip(ours, theirs, strict=True)
        for key, value in us.items()
        if value != them.get(key)
    ]
    whole, short = " + ".join(map(_said, ours)), f"as {other}, with {', '.join(apart)}"
    return short if apart and len(short) < len(whole) else whole


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
    inside = (f"{key}={_inside(of)}" for key, of in thing.items() if key != "name" and of is not None)
    return f"{thing['name']}({', '.join(inside)})"


def _inside(value: Any) -> str:
    return _said(value) if isinstance(value, Mapping) else str(value)


def left_out_text(reasons: Mapping[str, str]) -> str:
    """A sentence on the methods that could not run, and why; empty where there are none."""
    return f" Left out: {'; '.join(f'{method} ({why})' for method, why in reasons.items())}." if reasons else ""


def origin(runs: pd.DataFrame) -> str:
    """The data, machine, versions and commit behind the runs; where they differ, all of them."""
    made = [json.loads(text)["environment"] for text in runs["provenance"]]
    machines = listed(f"{of['device']} ({of['processor']})" for of in made)
    versions = listed(", ".join(f"{name} {number}" for name, number in of["versions"].items()) for of in made)
    return (
        f"{len(runs)} runs on {listed(runs['fingerprint'])}; {machines}; {versions}; "
        f"commit {listed(of['git'] or 'unknown' for of in made)}.{_pinned(runs)}{_reliabilities(runs)}"
    )


def _reliabilities(runs: pd.DataFrame) -> str:
    """A sentence for the scores of several estimates, of all methods that have the same: the mean over the seeds."""
    found: dict[str, list[list[Any]]] = {}
    for method, text in zip(runs["method"], runs["provenance"], strict=True):
        if known := json.loads(text).get("reliability"):
            found.setdefault(method, []).append(known)
    said: dict[str, list[str]] = {}
    for method in in_order(found):
        known = found[method]
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
    """The seeds that a method's scores and features depend on; all where the method is not known here."""
    try:
        if is_dynamic(method):
            of = parse_dynamic(method)
            return {parse_score(name).seeded_by for name in of.asks} | ({"proxy"} if of.sees_features else set())
        return {score.seeded_by for score in parse(method).scores}
    except ValueError:
        return {"proxy", "noise"}
