"""What DRD saw: the curves of its timesteps, and images by likelihood."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...artifacts import ArtifactError, Scores
from ...data import DataError, Split
from ...diffusion.timesteps.rule import TimestepChoice
from ...scoring.folder import read_plan
from ..grid import dataset_of
from ..plots import plot_reconstructions, plot_timesteps
from .bands import Bands, likelihood_bands
from .html import Picture, Section, drawn, paragraph, pictures_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["what_drd_sees"]

SEEN = "What DRD sees"


def what_drd_sees(
    folder: Path, rows: pd.DataFrame, dataset: Mapping[str, Any], scores: Path | None = None, device: str = "auto"
) -> Iterator[Section]:
    """The sections; none where DRD was not asked, and a sentence where something is not at hand.

    Arguments:
        folder: The folder of the results.
        rows: Rows with the columns `fingerprint` and `provenance`; and `kind` and `share`, where something was planted.
        dataset: The data set as a grid names it.
        scores: The folder of the scores; see `report`.
        device: Where the reconstructions are computed.

    Raises:
        ArtifactError: If there is no folder `scores`.
    """
    place, asked = _place(folder, scores), _asked(rows)
    if not asked:
        return
    found, said = _found(place, rows, asked)
    if found is None:
        yield Section(SEEN, paragraph(said))
        return
    path, known = found
    split, missing = _split(_planted(dataset, rows, known), known)
    if (path / "timesteps.json").exists():
        yield _timesteps(path / "timesteps.json", split)
    yield _likelihood(split, known, device, said) if split else Section(SEEN, paragraph(missing))


def _place(folder: Path, scores: Path | None) -> Path | None:
    """The folder of the scores, if there is one."""
    if scores is not None and not Path(scores).is_dir():
        raise ArtifactError(f"there is no folder {scores} of scores.")
    folder = folder.resolve()
    above = [parent / "scores" for parent in folder.parents[:2]]
    return next((place for place in [scores, folder / "scores", *above] if place and Path(place).is_dir()), None)


def _asked(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The DRD scores that the rows were made with, as they are described."""
    methods = [json.loads(text)["method"] for text in dict.fromkeys(rows["provenance"])]
    return [of for method in methods for of in method or [] if isinstance(of, dict) and of.get("name") == "DRD"]


def _found(
    place: Path | None, rows: pd.DataFrame, asked: list[dict[str, Any]]
) -> tuple[tuple[Path, Scores] | None, str]:
    """The finished scores with the most draws, and what is to be said of the others."""
    if place is None:
        return None, "The scores of DRD are not at hand: give their folder with --scores."
    known, foreign = {}, 0
    for path in sorted(Path(place).glob("*/plan.json")):
        try:
            plan = read_plan(path.parent)
            if plan.get("score") in asked and plan.get("fingerprint") in set(rows["fingerprint"]):
                known[path.parent] = Scores.load(path.parent)
            else:
                foreign += dict(plan.get("score") or {}).get("name") == "DRD"
        except ArtifactError:  # not finished
            continue
    others = f"{foreign} other {'score' if foreign == 1 else 'scores'} of DRD in their folder"
    said = f"Not shown: {others}, of another data set or with other settings." if foreign else ""
    if not known:
        return None, f"The scores of DRD are not at hand, or not finished. {said}"
    return max(known.items(), key=lambda pair: pair[1].estimates.shape[1]), said


def _planted(dataset: Mapping[str, Any], rows: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """The data set with what was planted where the scores were computed."""
    row = rows[rows["fingerprint"] == scores.fingerprint].iloc[0]
    return {**dataset, **({row["kind"]: row["share"]} if "kind" in rows else {})}


def _split(dataset: Mapping[str, Any], scores: Scores) -> tuple[Split | None, str]:
    """The training split of the scores, or why it is not at hand."""
    try:
        split = dataset_of(dataset).train
        if split.fingerprint != scores.fingerprint:
            raise DataError(f"{split.fingerprint} is here, and the scores are of {scores.fingerprint}.")
    except (ValueError, OSError, ImportError) as error:
        return None, f"The images are not at hand: {error}"
    return split, ""


def _timesteps(path: Path, split: Split | None) -> Section:
    choice = _choice(path)
    classes = split.classes if split else tuple(map(str, range(len(choice.chosen))))
    pictures = pictures_of({"timesteps": partial(plot_timesteps, choice, classes)})
    return Section("Timesteps", paragraph(f"{choice}."), tuple(pictures))


def _choice(path: Path) -> TimestepChoice:
    said = json.loads(path.read_text())
    slope = np.array([[np.nan if value is None else value for value in row] for row in said["slope"]])
    counts = said["forwards"], said["exhaustive"], said["dropped"]
    none = np.empty((len(slope), 0)), np.empty(0, np.int64)
    return TimestepChoice(np.array(said["timesteps"]), np.array(said["window"]), slope, *none, *counts)


def _likelihood(split: Split, scores: Scores, device: str, said: str) -> Section:
    try:
        bands = likelihood_bands(split, scores, device=device)
    except (ValueError, OSError, ImportError) as error:
        return Section(SEEN, paragraph(f"There are no reconstructions: {error}"))
    shown = f"Left of each pair the image, right its reconstruction from the class's timestep. {len(scores):,} images "
    shown += f"are ranked within their class by the mean of {scores.estimates.shape[1]} {scores.unit}. {said}"
    return Section(SEEN, paragraph(shown), tuple(_sheets(bands)))


def _sheets(bands: Bands) -> Iterator[Picture]:
    """A picture for each band."""
    starts = [place for place, name in enumerate(bands.names) if name]
    for first, last in zip(starts, [*starts[1:], len(bands.names)], strict=True):
        images, again = bands.images[:, first:last], bands.reconstructions[:, first:last]
        name = bands.names[first]
        says = f"images of each class, {name} by DRD, each beside its reconstruction"
        yield drawn(partial(plot_reconstructions, images, again, bands.classes, ()), says, name, beside=True)
