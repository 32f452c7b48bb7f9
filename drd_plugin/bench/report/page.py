"""`report_page`: the HTML page of an experiment's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader

from ...artifacts import ArtifactError
from ...core.device import resolve_device
from ..results import read_results
from ..store import RunStore
from ..studies import Results
from ..tables.words import epoch_name, fraction_name, spread
from .drd import what_drd_sees
from .html import Section, html_of, paragraph, pictures_of, table_of
from .provenance import provenance, reliability

__all__ = ["report_page"]

COSTS = ("score", "select", "train")
CELL_NAMES = {"kind": "planted", "share": "share", "net": "net"}


def report_page(folder: Path, scores: Path | None = None, root: Path | None = None, device: str = "auto") -> str:
    """The page, as HTML.

    Arguments:
        folder: The folder of the results.
        scores: The folder of their scores; by default `folder/scores`, or else the `scores` one or two folders up,
            which experiments share.
        root: The folder of the data.
        device: The device that computes the reconstructions.

    Raises:
        ArtifactError: If the folder holds no results, or those of another tool, or there is no folder `scores`.
        ValueError: If the device is unknown.
    """
    resolve_device(device)
    dataset = _dataset(Path(folder))
    results = read_results(folder)
    text = "\n\n".join(filter(None, [results.about, results.tables, results.origin])) + "\n" + results.published
    located = {**dataset, **({"root": root} if root else {})}
    sections = [
        Section("Results", html_of(text), tuple(pictures_of(results.plots))),
        *_costs(results),
        *what_drd_sees(Path(folder), results.rows, located, scores, device),
        *reliability(results.rows),
        provenance(results.rows),
    ]
    page = Environment(loader=PackageLoader("drd_plugin.bench.report"), autoescape=True).get_template("report.html")
    title = results.title or Path(folder).resolve().name
    return page.render(title=title, facts=_facts(dataset, results.rows), sections=sections)


def _dataset(folder: Path) -> dict[str, Any]:
    """The data set's settings in the grid of the results."""
    dataset = RunStore(folder).grid.get("dataset")
    if dataset is None:
        raise ArtifactError(
            f"{folder} holds runs of another tool, with unknown data and settings: `drd-plugin show` prints them."
        )
    return dataset


def _facts(dataset: Mapping[str, Any], rows: pd.DataFrame) -> dict[str, str]:
    """The facts at the head of the page: data set, nets, seeds and the number of rows."""
    settings = (f"{key.replace('_', ' ')} {value}" for key, value in dataset.items() if key != "name")
    facts = {"Data set": f"{', '.join([str(dataset['name']), *settings])} ({_each(rows['fingerprint'])})"}
    facts |= {name.capitalize() + "s": _each(rows[name]) for name in ("net", "seed") if name in rows}
    return {**facts, "Rows": f"{len(rows):,}"}


def _each(values: pd.Series) -> str:
    return ", ".join(map(str, sorted(set(values))))


def _costs(results: Results) -> Iterator[Section]:
    """A table of accuracies and costs, for studies that train networks on subsets and have no costs in their tables."""
    cells = results.frames.get("table")
    if cells is None or not {"mean", *COSTS} <= {*cells} or "total" in cells:
        return
    cells = cells.assign(total=cells[[*COSTS]].sum(axis=1)).sort_values(["total", "mean"], kind="stable")
    varying = [key for key in CELL_NAMES if key in cells and cells[key].nunique() > 1]
    if "share" in cells:
        cells["share"] = cells["share"].map(fraction_name)
    rows = [[getattr(cell, key) for key in varying] + _costed(cell) for cell in cells.itertuples()]
    note = (
        "Mean seconds from nothing to a trained network, of all processes added up, from the cheapest on: what is "
        "above a row in this order costs no more. Scores are shared by fractions, and by methods that watch the same "
        "proxy; each row counts them in full."
    )
    columns = [*(CELL_NAMES[key] for key in varying), "method", "kept", "accuracy (%)", *COSTS, "total"]
    yield Section("Accuracy and cost", paragraph(note) + table_of(columns, rows))


def _costed(cell: Any) -> list[str]:
    seconds = [f"{getattr(cell, name):.1f}" for name in (*COSTS, "total")]
    return [cell.method, epoch_name(cell.fraction), spread(cell.mean, cell.std), *seconds]
