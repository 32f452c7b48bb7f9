"""`report()`: one HTML page of an experiment's results, which needs nothing but itself."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts import ArtifactError, Scores
from ..artifacts.reliability import verdict
from ..bands import likelihood_bands
from ..data import DataError, Split
from ..diffusion.timestep import TimestepChoice
from .grid import dataset_of
from .plots import plot_reconstructions, plot_timesteps
from .results import read_results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["report"]


@dataclass(frozen=True)
class Picture:
    """A picture, drawn for a light page and for a dark one.

    Arguments:
        light: As a `data:` address.
        dark: The same in other colours.
        says: What is to be seen, for those who cannot.
    """

    light: str
    dark: str
    says: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Arguments:
        title: Its heading.
        html: What it says.
        pictures: What it shows.
        folded: Whether it is folded at first.
    """

    title: str
    html: str = ""
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    folded: bool = False

    @property
    def anchor(self) -> str:
        """Its name in addresses."""
        return re.sub(r"\W+", "-", self.title.lower())


def report(folder: Path, scores: Path | None = None, root: Path | None = None, device: str = "auto") -> str:
    """The page.

    Arguments:
        folder: The folder of the results.
        scores: The folder of their scores; by default `folder/scores`, or else the one that experiments under the same
            roof share.
        root: Where the data lie.
        device: Where the reconstructions are computed.

    Raises:
        ArtifactError: If the folder holds no results.
    """
    from jinja2 import Environment, PackageLoader

    found = read_results(folder)
    title, text = _titled(found.text, Path(folder))
    known = _scores(_place(Path(folder), scores), found.rows)
    sections = [
        Section("Results", _html(text), tuple(_pictures(found.plots.items()))),
        *_diffusion(Path(folder), known, root, device),
        *_reliability(known),
        *_provenance(found.rows),
    ]
    page = Environment(loader=PackageLoader("drd_plugin.bench"), autoescape=True).get_template("report.html")
    return page.render(title=title, sections=sections)


def _titled(text: str, folder: Path) -> tuple[str, str]:
    """The first heading, and the rest."""
    match = re.match(r"# (.*)\n", text)
    return (match[1], text[match.end() :]) if match else (folder.name, text)


def _html(text: str) -> str:
    """Markdown as HTML; tables scroll by themselves."""
    from markdown_it import MarkdownIt

    html = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    return html.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")


def _pictures(plots: Any) -> Iterator[Picture]:
    for name, plot in plots:
        drawn = getattr(plot, "func", plot).__doc__ or name
        says = f"{name}: {' '.join(drawn.split('Arguments:')[0].split())}"
        yield Picture(_drawn(plot, "default"), _drawn(plot, "dark_background"), says)


def _drawn(plot: Callable[[Axes | None], Axes], style: str) -> str:
    from matplotlib import pyplot as plt

    with plt.style.context(style), io.BytesIO() as png:
        figure: Any = plot(None).get_figure()
        figure.savefig(png, dpi=110, bbox_inches="tight", transparent=True)
        plt.close(figure)
        return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def _place(folder: Path, scores: Path | None) -> Path | None:
    """The folder of the scores, if there is one."""
    places = [Path(scores)] if scores else [folder / "scores", folder.parent / "scores", folder.parents[1] / "scores"]
    return next((place for place in places if place.is_dir()), None)


def _scores(place: Path | None, rows: pd.DataFrame) -> dict[Path, Scores]:
    """The scores that the rows were made with, and that are there."""
    if place is None:
        return {}
    made = [json.loads(text) for text in rows["provenance"]]
    used = [of["method"][0] for of in made if of["method"] and isinstance(of["method"][0], dict)]
    found = {}
    for folder in sorted(path.parent for path in place.glob("*/plan.json")):
        try:
            scores = Scores.load(folder)
        except ArtifactError:  # not finished
            continue
        if scores.fingerprint in set(rows["fingerprint"]) and scores.provenance.get("score") in used:
            found[folder] = scores
    return found


def _diffusion(folder: Path, known: dict[Path, Scores], root: Path | None, device: str) -> Iterator[Section]:
    """What DRD saw: the curves of the timesteps, and images by likelihood."""
    drd = {path: of for path, of in known.items() if of.name == "DRD"}
    if not drd:
        return
    path, scores = max(drd.items(), key=lambda pair: pair[1].estimates.shape[1])
    try:
        split = _split(folder, scores, root)
    except ValueError as error:
        yield Section("What DRD sees", f"<p>The images are not at hand: {_html(str(error))}</p>")
        return
    if (path / "timesteps.json").exists():
        choice = _choice(path / "timesteps.json")
        curves = [("timesteps", partial(plot_timesteps, choice, split.classes))]
        yield Section("Timesteps", f"<p>{choice}.</p>", tuple(_pictures(curves)))
    try:
        bands = likelihood_bands(split, scores, device=device)
    except ValueError as error:
        yield Section("What DRD sees", _html(f"There are no reconstructions: {error}"))
        return

    def sheet(ax: Axes | None) -> Axes:
        """For each class its most likely, middle and least likely images, each beside its reconstruction."""
        return plot_reconstructions(bands.images, bands.reconstructions, bands.classes, bands.names, ax)

    said = f"<p>Left of each pair the image, right its reconstruction from the class's timestep; {len(scores)} images "
    said += f"ranked by {scores.estimates.shape[1]} draws.</p>"
    yield Section("What DRD sees", said, tuple(_pictures([("images by likelihood", sheet)])))


def _split(folder: Path, scores: Scores, root: Path | None) -> Split:
    """The training split of the scores."""
    identity = json.loads((folder / "grid.json").read_text())
    dataset = {**identity["dataset"], **({"root": root} if root else {})}
    split = dataset_of(dataset).train
    if split.fingerprint != scores.fingerprint:
        raise DataError(f"{dataset} has the fingerprint {split.fingerprint}, the scores {scores.fingerprint}.")
    return split


def _choice(path: Path) -> TimestepChoice:
    said = json.loads(path.read_text())
    slope = np.array([[np.nan if value is None else value for value in row] for row in said["slope"]])
    counts = said["forwards"], said["exhaustive"], said["dropped"]
    none = np.empty((len(slope), 0)), np.empty(0, np.int64)
    return TimestepChoice(np.array(said["timesteps"]), np.array(said["window"]), slope, *none, *counts)


def _reliability(known: dict[Path, Scores]) -> Iterator[Section]:
    """How far the rankings can be trusted, where there are several estimates."""
    rows = [
        (of.name, of.provenance.get("seed", ""), verdict(of.reliability, of.estimates.shape[1], of.drawn))
        for of in known.values()
        if of.estimates.shape[1] > 1
    ]
    if rows:
        yield Section("Reliability", _table(["score", "seed", "agreement with itself"], rows))


def _provenance(rows: pd.DataFrame) -> Iterator[Section]:
    """Where the numbers came from: machines and versions, and how networks and proxies were trained."""
    made = [json.loads(text) for text in rows["provenance"]]
    where: dict[str, dict[str, Any]] = {}
    for of in made:
        environment = {key: value for key, value in of["environment"].items() if key not in ("created", "versions")}
        told = {**environment, **of["environment"]["versions"]}
        where.setdefault(json.dumps(told), told)
    for place, told in enumerate(where.values(), 1):
        title = "Where it ran" + (f" ({place} of {len(where)})" if len(where) > 1 else "")
        yield Section(title, _table(["what", "which"], told.items()), folded=True)
    for title, key in (("How networks were trained", "recipe"), ("How proxies were trained", "proxy")):
        settings = {name: value for name, value in made[0].get(key, {}).items() if value is not None and name != "name"}
        yield Section(title, _table(["setting", "value"], settings.items()), folded=True)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    from tabulate import tabulate

    html = tabulate([list(map(str, row)) for row in rows], columns, tablefmt="html", disable_numparse=True)
    return f'<div class="scroll" tabindex="0">{html}</div>'
