"""How far the rankings can be trusted, and where the numbers came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...artifacts.reliability import verdict
from ...core.provenance import describe
from ...scores import SCORES
from ..tables.footnotes import method_definitions
from ..tables.words import fraction_name
from .html import Fold, Section, paragraph, table_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["provenance", "reliability"]


def reliability(rows: pd.DataFrame) -> Iterator[Section]:
    """How well each score that has several estimates would agree with itself.

    Arguments:
        rows: Rows with a column `provenance`; and `kind` and `share`, where something was planted.
    """
    planted = [name for name in ("kind", "share") if name in rows]
    rows = rows.assign(share=rows["share"].map(fraction_name)) if planted else rows
    found: dict[tuple[str, ...], list[tuple[float, int, str]]] = {}
    for *of, text in rows[[*planted, "provenance"]].itertuples(index=False):
        made = json.loads(text)
        if made.get("reliability"):
            found.setdefault((*map(str, of), _called(made["method"][0])), []).append(tuple(made["reliability"]))
    if found:
        said = "How well a second run with other noise or proxies would rank each class alike, 1 for the same ranking."
        table = table_of([*planted, "score", "reliability"], [[*key, _said(of)] for key, of in found.items()])
        yield Section("Reliability", paragraph(said) + table)


def _said(known: list[tuple[float, int, str]]) -> str:
    """The verdict on the mean over the seeds."""
    distinct = {reached for reached, *_ in known}
    text = verdict(float(np.mean([*distinct])), *known[0][1:])
    return f"{text} (mean of {len(distinct)} seeds)" if len(distinct) > 1 else text


def _called(described: Mapping[str, Any]) -> str:
    """A score by its name, and the settings that are not the default ones."""
    usual = describe(SCORES[described["name"]]()) if described.get("name") in SCORES else {}
    inside = [f"{key}={of}" for key, of in described.items() if key != "name" and of != usual.get(key)]
    return str(described.get("name", "")) + (f"[{', '.join(inside)}]" if inside else "")


def provenance(rows: pd.DataFrame) -> Section:
    """What was compared, how networks and proxies were trained, and where it ran.

    Arguments:
        rows: Rows with the columns `method` and `provenance`.
    """
    made = [json.loads(text) for text in rows["provenance"]]
    folds = (
        Fold("What was compared", _compared(rows)),
        Fold("How networks and proxies were trained", _trained(made)),
        Fold("Where it ran", _where(made)),
    )
    return Section("Provenance", folds=folds)


def _compared(rows: pd.DataFrame) -> str:
    return table_of(["method", "definition"], method_definitions(rows).items())


def _trained(made: list[dict[str, Any]]) -> str:
    recipes = [[of.get(kind, {}) for of in made] for kind in ("recipe", "proxy")]
    names = dict.fromkeys(name for kind in recipes for of in kind for name in of if name != "name")
    rows = [[name, *(_or(of.get(name) for of in kind) for kind in recipes)] for name in names]
    return table_of(["setting", "networks", "proxies"], rows)


def _or(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(str(of) for of in values if of is not None))


def _where(made: list[dict[str, Any]]) -> str:
    """A column for each machine and state of its software."""
    counts: dict[str, int] = {}
    for of in made:
        told = {key: value for key, value in of["environment"].items() if key not in ("created", "versions")}
        text = json.dumps({**told, **of["environment"]["versions"]})
        counts[text] = counts.get(text, 0) + 1
    places = [json.loads(text) for text in counts]
    names = dict.fromkeys(name for place in places for name in place)
    rows = [[name, *(place.get(name) or "" for place in places)] for name in names]
    when = sorted(of["environment"]["created"] for of in made)
    said = paragraph(f"From {when[0]} to {when[-1]}.")
    return said + table_of(["what", *(f"{count:,} rows" for count in counts.values())], rows)
