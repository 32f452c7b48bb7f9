"""What stands under a table: what was compared, and on which data, machine, versions and commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts.reliability import verdict
from ..methods import parse
from ..scores import FoldScore
from .summary import place
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
    parts = {method: found[method]["method"] for method in found if found[method]["method"]}
    lines = [
        f"- {method}: {_as(method, parts) or _whole(parts[method])}{_watched(method, made['proxy'].get('epochs'))}"
        for method in sorted(parts, key=lambda name: place("", name, 0))
    ]
    trained = f"- networks: {_said(made['recipe'])}; proxies: {_said(made['proxy'])}"
    return "\n".join(["What was compared (settings without a value are left out):", "", *lines, trained])


def _as(method: str, parts: Mapping[str, list[dict[str, Any]]]) -> str:
    """What sets a method with settings, `NAME[...]`, apart from NAME where that is listed too; else empty."""
    plain, bracket, _ = method.partition("[")
    ours, theirs = parts[method], parts.get(plain, [])
    if not bracket or [of.get("name") for of in ours] != [of.get("name") for of in theirs]:
        return ""
    apart = {
        key: value for us, them in zip(ours, theirs, strict=True) for key, value in us.items() if value != them.get(key)
    }
    return f"as {plain}, with {', '.join(f'{key}={value}' for key, value in apart.items())}"


def _whole(parts: Sequence[Mapping[str, Any]]) -> str:
    return " + ".join(map(_said, parts))


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
