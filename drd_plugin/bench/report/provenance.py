"""The sections on the reliability of scores and on the provenance of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...artifacts.reliability import verdict
from ...core.provenance import describe
from ...scores import SCORES
from ..tables.footnotes import method_definitions
from ..tables.words import fraction_name
from .html import Fold, Section, paragraph, table_of

__all__ = ["provenance", "reliability"]


def reliability(rows: pd.DataFrame) -> Iterator[Section]:
    """A section with the reliability of each score that has several estimates; none where no score has.

    Arguments:
        rows: Rows with a column `provenance`; and `kind` and `share`, where something was planted.
    """
    planted = [name for name in ("kind", "share") if name in rows]
    rows = rows.assign(share=rows["share"].map(fraction_name)) if planted else rows
    by_score: dict[tuple[str, ...], list[tuple[float, int, str]]] = {}
    for *settings, text in rows[[*planted, "provenance"]].itertuples(index=False):
        content = json.loads(text)
        if content.get("reliability"):
            key = *map(str, settings), _score_name(content["method"][0])
            by_score.setdefault(key, []).append(tuple(content["reliability"]))
    if by_score:
        note = "How well a second run with other noise or proxies would rank each class alike, 1 for the same ranking."
        verdicts = [[*key, _verdict_text(by_seed)] for key, by_seed in by_score.items()]
        yield Section("Reliability", paragraph(note) + table_of([*planted, "score", "reliability"], verdicts))


def _verdict_text(by_seed: list[tuple[float, int, str]]) -> str:
    """The verdict on the mean over the seeds."""
    distinct = {reached for reached, *_ in by_seed}
    text = verdict(float(np.mean([*distinct])), *by_seed[0][1:])
    return f"{text} (mean of {len(distinct)} seeds)" if len(distinct) > 1 else text


def _score_name(description: Mapping[str, Any]) -> str:
    """The name of a score, with the settings that differ from its defaults."""
    defaults = describe(SCORES[description["name"]]()) if description.get("name") in SCORES else {}
    inside = [f"{key}={value}" for key, value in description.items() if key != "name" and value != defaults.get(key)]
    return str(description.get("name", "")) + (f"[{', '.join(inside)}]" if inside else "")


def provenance(rows: pd.DataFrame) -> Section:
    """The section with the definitions of the methods, the recipes of networks and proxies, and the machines.

    Arguments:
        rows: Rows with the columns `method` and `provenance`.
    """
    contents = [json.loads(text) for text in rows["provenance"]]
    folds = (
        Fold("What was compared", table_of(["method", "definition"], method_definitions(rows).items())),
        Fold("How networks and proxies were trained", _recipes(contents)),
        Fold("Where it ran", _machines([content["environment"] for content in contents])),
    )
    return Section("Provenance", folds=folds)


def _recipes(contents: list[dict[str, Any]]) -> str:
    """A table of the recipes of networks and proxies."""
    kinds = [[content.get(kind, {}) for content in contents] for kind in ("recipe", "proxy")]
    names = dict.fromkeys(name for recipes in kinds for recipe in recipes for name in recipe if name != "name")
    rows = [[name, *(_or(recipe.get(name) for recipe in recipes) for recipes in kinds)] for name in names]
    return table_of(["setting", "networks", "proxies"], rows)


def _or(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(str(value) for value in values if value is not None))


def _machines(environments: list[dict[str, Any]]) -> str:
    """The period, and a table with a column for each machine and state of its software."""
    counts: dict[str, int] = {}
    for environment in environments:
        facts = {key: value for key, value in environment.items() if key not in ("created", "versions")}
        text = json.dumps({**facts, **environment["versions"]})
        counts[text] = counts.get(text, 0) + 1
    machines = [json.loads(text) for text in counts]
    names = dict.fromkeys(name for machine in machines for name in machine)
    rows = [[name, *(machine.get(name) or "" for machine in machines)] for name in names]
    times = sorted(environment["created"] for environment in environments)
    columns = ["what", *(f"{count:,} rows" for count in counts.values())]
    return paragraph(f"From {times[0]} to {times[-1]}.") + table_of(columns, rows)
