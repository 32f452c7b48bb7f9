"""`report()`: the page as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...artifacts import ArtifactError
from ...training.loader import resolve_device
from ..origin import definitions
from ..results import read_results
from ..store import RunStore
from ..wording import fraction_name, spread
from .made import provenance, reliability
from .pieces import Section, html_of, paragraph, pictures_of, table_of
from .seen import what_drd_sees

if TYPE_CHECKING:
    import pandas as pd

    from ..studies import Results

__all__ = ["report"]

COSTS = ("score", "select", "train")
OF_CELLS = {"kind": "planted", "share": "share", "net": "net"}


def report(folder: Path, scores: Path | None = None, root: Path | None = None, device: str = "auto") -> str:
    """The page.

    Arguments:
        folder: The folder of the results.
        scores: The folder of their scores; by default `folder/scores`, or else the one that experiments under the same
            roof share.
        root: Where the data lie.
        device: Where the reconstructions are computed.

    Raises:
        ArtifactError: If the folder holds no results, or those of another tool, or there is no folder `scores`.
        ValueError: If the device is unknown.
    """
    from jinja2 import Environment, PackageLoader

    resolve_device(device)
    dataset = _dataset(Path(folder))
    found = read_results(folder)
    title, text = _titled(found.text.replace(definitions(found.rows), ""), Path(folder).resolve().name)
    located = {**dataset, **({"root": root} if root else {})}
    sections = [
        Section("Results", html_of(text), tuple(pictures_of(found.plots))),
        *_costs(found),
        *what_drd_sees(Path(folder), found.rows, located, scores, device),
        *reliability(found.rows),
        provenance(found.rows),
    ]
    page = Environment(loader=PackageLoader("drd_plugin.bench"), autoescape=True).get_template("report.html")
    return page.render(title=title, facts=_facts(dataset, found.rows), sections=sections)


def _dataset(folder: Path) -> dict[str, Any]:
    """The data set as the grid names it."""
    dataset = json.loads((RunStore(folder).folder / "grid.json").read_text()).get("dataset")
    if dataset is None:
        raise ArtifactError(
            f"{folder} holds runs of another tool, whose data and settings nobody knows: `drd-plugin show` prints them."
        )
    return dataset


def _titled(text: str, name: str) -> tuple[str, str]:
    """The first heading, or the name where there is none, and the rest."""
    match = re.match(r"# (.*)\n", text)
    return (match[1], text[match.end() :]) if match else (name, text)


def _facts(dataset: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, str]:
    """What the rows are of."""
    told = [str(dataset["name"]), *(f"{key.replace('_', ' ')} {of}" for key, of in dataset.items() if key != "name")]
    facts = {"Data set": f"{', '.join(told)} ({_each(rows['fingerprint'])})"}
    facts |= {name.capitalize() + "s": _each(rows[name]) for name in ("net", "seed") if name in rows}
    return {**facts, "Rows": f"{len(rows):,}"}


def _each(values: pd.Series) -> str:
    return ", ".join(map(str, sorted(set(values))))


def _costs(found: Results) -> Iterator[Section]:
    """Accuracy beside all that it took, for studies that train networks on subsets."""
    cells = found.frames.get("table")
    if cells is None or not {"mean", *COSTS} <= {*cells} or "total" in cells:  # whose tables have the cost
        return
    cells = cells.assign(total=cells[[*COSTS]].sum(axis=1)).sort_values(["total", "mean"], kind="stable")
    apart = [key for key in OF_CELLS if key in cells and cells[key].nunique() > 1]
    if "share" in cells:
        cells["share"] = cells["share"].map(fraction_name)
    rows = [[getattr(cell, key) for key in apart] + _costed(cell) for cell in cells.itertuples()]
    said = (
        "Mean seconds from nothing to a trained network, of all processes added up, from the cheapest on: what is "
        "above a row in this order costs no more. Scores are shared by fractions, and by methods that watch the same "
        "proxy; each row counts them in full."
    )
    columns = [*(OF_CELLS[key] for key in apart), "method", "kept", "accuracy (%)", *COSTS, "total"]
    yield Section("Accuracy and cost", paragraph(said) + table_of(columns, rows))


def _costed(cell: Any) -> list[str]:
    seconds = [f"{getattr(cell, name):.1f}" for name in (*COSTS, "total")]
    return [cell.method, fraction_name(cell.fraction), spread(cell.mean, cell.std), *seconds]
