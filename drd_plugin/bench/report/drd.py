"""The sections on DRD: the curves of its timesteps, and images by likelihood with their reconstructions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...artifacts import ArtifactError, Scores, read_json
from ...data import DataError, Split
from ...diffusion.timesteps.rule import TimestepChoice
from ...scoring.folder import read_plan
from ..grid import dataset_of
from ..plots import plot_reconstructions, plot_timesteps
from .bands import Bands, likelihood_bands
from .html import Picture, Section, draw_picture, paragraph, pictures_of

__all__ = ["what_drd_sees"]

TITLE = "What DRD sees"
COUNTS = ("forwards", "exhaustive", "dropped")


def what_drd_sees(
    folder: Path, rows: pd.DataFrame, dataset: Mapping[str, Any], scores: Path | None = None, device: str = "auto"
) -> Iterator[Section]:
    """The sections; none where no row uses DRD, and a sentence instead of what is not available.

    Arguments:
        folder: The folder of the results.
        rows: Rows with the columns `fingerprint` and `provenance`; and `kind` and `share`, where something was planted.
        dataset: The data set's settings, as in a grid.
        scores: The folder of the scores; see `report_page`.
        device: The device that computes the reconstructions.

    Raises:
        ArtifactError: If there is no folder `scores`.
    """
    scores_folder, described = _scores_folder(folder, scores), _described(rows)
    if not described:
        return
    stored, note = _most_draws(scores_folder, rows, described)
    if stored is None:
        yield Section(TITLE, paragraph(note))
        return
    path, drd = stored
    split, reason = _split(_planted(dataset, rows, drd), drd)
    if (path / "timesteps.json").exists():
        yield _timesteps(path / "timesteps.json", split)
    yield _likelihood(split, drd, device, note) if split else Section(TITLE, paragraph(reason))


def _scores_folder(folder: Path, scores: Path | None) -> Path | None:
    """The folder of the scores, if there is one."""
    if scores is not None and not Path(scores).is_dir():
        raise ArtifactError(f"there is no folder {scores} of scores.")
    folder = folder.resolve()
    above = [parent / "scores" for parent in folder.parents[:2]]
    return next((path for path in [scores, folder / "scores", *above] if path and Path(path).is_dir()), None)


def _described(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The descriptions of the rows' DRD scores."""
    methods = [json.loads(text)["method"] for text in dict.fromkeys(rows["provenance"])]
    parts = [part for method in methods for part in method or []]
    return [part for part in parts if isinstance(part, dict) and part.get("name") == "DRD"]


def _most_draws(
    folder: Path | None, rows: pd.DataFrame, described: list[dict[str, Any]]
) -> tuple[tuple[Path, Scores] | None, str]:
    """The finished scores with the most draws, with their folder, and a note on others in that folder."""
    if folder is None:
        return None, "The scores of DRD are not at hand: give their folder with --scores."
    finished, foreign = {}, 0
    for path in sorted(Path(folder).glob("*/plan.json")):
        try:
            plan = read_plan(path.parent)
            if plan.get("score") in described and plan.get("fingerprint") in set(rows["fingerprint"]):
                finished[path.parent] = Scores.load(path.parent)
            else:
                foreign += dict(plan.get("score") or {}).get("name") == "DRD"
        except ArtifactError:  # not finished
            continue
    others = f"{foreign} other {'score' if foreign == 1 else 'scores'} of DRD in their folder"
    note = f"Not shown: {others}, of another data set or with other settings." if foreign else ""
    if not finished:
        return None, f"The scores of DRD are not at hand, or not finished. {note}"
    return max(finished.items(), key=lambda pair: pair[1].estimates.shape[1]), note


def _planted(dataset: Mapping[str, Any], rows: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """The data set's settings, with what was planted in the one that was scored."""
    row = rows[rows["fingerprint"] == scores.fingerprint].iloc[0]
    return {**dataset, **({row["kind"]: row["share"]} if "kind" in rows else {})}


def _split(dataset: Mapping[str, Any], scores: Scores) -> tuple[Split | None, str]:
    """The training split of the scores, and why it is not available."""
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
    content = read_json(path, "remove it and run the command again", "timesteps", "window", "slope", *COUNTS)
    slope = np.array([[np.nan if value is None else value for value in row] for row in content["slope"]])
    counts = [content[name] for name in COUNTS]
    none = np.empty((len(slope), 0)), np.empty(0, np.int64)
    return TimestepChoice(np.array(content["timesteps"]), np.array(content["window"]), slope, *none, *counts)


def _likelihood(split: Split, scores: Scores, device: str, note: str) -> Section:
    try:
        bands = likelihood_bands(split, scores, device=device)
    except (ValueError, OSError, ImportError) as error:
        return Section(TITLE, paragraph(f"There are no reconstructions: {error}"))
    text = (
        f"Left of each pair the image, right its reconstruction from the class's timestep. {len(scores):,} images are "
        f"ranked within their class by the mean of {scores.estimates.shape[1]} {scores.unit}. {note}"
    )
    return Section(TITLE, paragraph(text), tuple(_sheets(bands)))


def _sheets(bands: Bands) -> Iterator[Picture]:
    """A picture for each band."""
    starts = [place for place, name in enumerate(bands.names) if name]
    for first, last in zip(starts, [*starts[1:], len(bands.names)], strict=True):
        images, reconstructions = bands.images[:, first:last], bands.reconstructions[:, first:last]
        name = bands.names[first]
        plot = partial(plot_reconstructions, images, reconstructions, bands.classes, ())
        description = f"images of each class, {name} by DRD, each beside its reconstruction"
        yield draw_picture(plot, description, name, beside=True)
