"""Exports of a `Subset` for other tools.

- `json`: a plain list of the indices.
- `npy`: the indices as int64[k] in OUT.npy; the weights, if there are any, as float32[k] in OUT.weights.npy.
- `list`: a text file with the absolute path of each selected image, one a line, in the order of the indices.
- `links`: a folder CLASS/IMAGE of symbolic links to the selected images, which is a data set of its own
  (`--dataset image_folder --root OUT`). Classes of which nothing was selected have no folder.

Only `npy` writes weights. None writes the provenance, which is in the file that `drd-plugin select` wrote.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts import ArtifactError, Subset, check_fingerprint, write_aside
from ..core.registry import unknown
from ..data import DataError, Split, check_images, check_split
from ..data.folders import FolderImages

if TYPE_CHECKING:
    import torch

__all__ = ["as_hf", "as_torch", "check_empty", "export_subset"]


def as_torch(subset: Subset, dataset: Any) -> torch.utils.data.Subset:
    """The selected examples of a torch data set, without the subset's weights.

    Arguments:
        subset: The subset.
        dataset: The data set of n examples, in the order of the split that was scored.

    Raises:
        ArtifactError: If the data set has another length.
    """
    from torch.utils import data

    _check_length(subset, dataset)
    return data.Subset(dataset, subset.indices.tolist())


def as_hf(subset: Subset, dataset: Any) -> Any:
    """The selected rows of a Hugging Face `datasets.Dataset`, without the subset's weights; see `as_torch`."""
    _check_length(subset, dataset)
    return dataset.select(subset.indices)


def _check_length(subset: Subset, dataset: Any) -> None:
    if len(dataset) != subset.n:
        raise ArtifactError(
            f"the subset by {subset.method} was selected from {subset.n} examples, but the data set at hand has "
            f"{len(dataset)}: give the whole training set that it was made from."
        )


def export_subset(subset: Subset, out: Path | str, form: str, split: Split | None = None) -> None:
    """Writes a subset for another tool. Weights are written by `npy` alone; `json`, `list` and `links` leave them out.

    Arguments:
        subset: The subset.
        out: The file, or for `links` the folder, which must be empty or absent.
        form: json, npy, list or links.
        split: The split that it was selected from; `list` and `links` need it, with images that are files.

    Raises:
        UnknownName: If the form is unknown.
        ArtifactError: If the subset was made for another split, or the folder is not empty.
        DataError: If the images are no files, a class's name cannot be a folder's, or a listed path has a line break.
        OSError: If the export cannot be written, or the file system has no symbolic links.
    """
    if form not in FORMS:
        raise unknown("form of a subset", form, FORMS)
    if split is not None:
        check_split(split)
        check_fingerprint(subset.fingerprint, split.fingerprint, f"the subset by {subset.method}")
    FORMS[form](subset, Path(out), split)


def check_empty(out: Path) -> None:
    """Raises ArtifactError unless the path does not exist, or is an empty folder."""
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise ArtifactError(f"{out} is there already, and no empty folder: give another one, or remove it.")


def _json(subset: Subset, out: Path, split: Split | None) -> None:
    with write_aside(out) as aside:
        aside.write_text(json.dumps(subset.indices.tolist()))


def _npy(subset: Subset, out: Path, split: Split | None) -> None:
    """Writes the indices last, so that where they exist, the weights do; an older export is removed first."""
    weights = out.with_name(f"{out.name.removesuffix('.npy')}.weights.npy")
    for path in (out, weights):
        path.unlink(missing_ok=True)
    for path, array in ((weights, subset.weights), (out, subset.indices)):
        if array is not None:
            with write_aside(path) as aside, aside.open("wb") as file:
                np.save(file, array)


def _list(subset: Subset, out: Path, split: Split | None) -> None:
    paths = [file for _, _, file in _selected(subset, split)]
    broken = [str(file) for file in paths if len(f"{file}.".splitlines()) > 1]
    if broken:
        raise DataError(
            f"a list has one path a line, but {len(broken)} of them have a line break, {broken[0]!r} first: rename it, "
            "or export links, npy or json."
        )
    files = [os.fsencode(file) + b"\n" for file in paths]
    with write_aside(out) as aside:
        aside.write_bytes(b"".join(files))


def _links(subset: Subset, out: Path, split: Split | None) -> None:
    """If two images of a class have the same name, the links of that class have the index in front of the name."""
    check_empty(out)
    classes: dict[str, list[tuple[int, Path]]] = {}
    for index, name, file in _selected(subset, split):
        if not name or Path(name).name != name or name.startswith("."):
            raise DataError(f"the class {name!r} cannot be a folder: name it without slashes and leading dots.")
        classes.setdefault(name, []).append((index, file))
    with write_aside(out) as aside:
        for name, images in classes.items():
            (aside / name).mkdir(parents=True)
            clash = len({file.name for _, file in images}) < len(images)
            for index, file in images:
                (aside / name / (f"{index:08d}-{file.name}" if clash else file.name)).symlink_to(file)


def _selected(subset: Subset, split: Split | None) -> list[tuple[int, str, Path]]:
    """Index, class and absolute path of each selected image."""
    if split is not None:
        check_images(split, "an export as list or links")
    if split is None or not isinstance(split.images, FolderImages):
        reason = "no split was given" if split is None else f"those of {split.name} are in memory or in a table"
        raise DataError(f"list and links need images that are files of a folder, but {reason}: export npy or json.")
    paths, labels = split.images.paths, split.labels
    return [(i, split.classes[labels[i]], paths[i].absolute()) for i in subset.indices.tolist()]


FORMS = {"json": _json, "npy": _npy, "list": _list, "links": _links}
