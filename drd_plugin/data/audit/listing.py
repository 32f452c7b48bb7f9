"""Listing a data set: by its name, as its files or rows lie, without decoding an image; or as it was loaded.

The files and rows are listed, and those of a held-out fifth put aside, by the functions that load the data set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..catalog import loading
from ..decoding import Decoding
from ..folders import FolderImages, is_image, list_images, part_folders
from ..hub import HubImages, as_images, image_column
from ..identity import text_of
from ..imagenet import flat_images, is_flat, place_of
from ..split import DataError, Dataset, Split, stratified
from ..tables import Table, labelled_parts
from .contents import Contents, Part

__all__ = ["contents_of", "list_contents"]

FOLDERS = ("image_folder", "imagenette", "imagewoof", "imagenet")
"""The data sets that are directory trees."""


def list_contents(name: str, root: Path | None = None, size: int | None = None, **settings: Any) -> Contents:
    """A data set by its name, a root and settings, as `drd_plugin.data.load` takes them; no image is decoded.

    Raises:
        UnknownName: If no data set has this name.
        DataError: If the data are missing, or so laid out or labelled that it is unclear what the examples are.
    """
    load_it = loading(name, root, size, **settings)
    root = None if root is None else Path(root).expanduser()
    if (name in FOLDERS and root is not None) or name == "imagenette":
        how = Decoding(mode=settings.get("mode", "rgb"), background=settings.get("background", "white"))
        return _of_folder(name, root, how)
    contents = _of_hub(name, root, settings, load_it) if name.startswith("hf:") else contents_of(load_it())
    return replace(contents, name=name, root=str(root or ""))


def contents_of(dataset: Dataset) -> Contents:
    """The contents of a data set that was loaded."""
    train, test = (_of_split(name, split) for name, split in (("train", dataset.train), ("test", dataset.test)))
    return Contents(dataset.train.name, dataset.train.kind, dataset.train.classes, train, test)


def _of_split(name: str, split: Split) -> Part:
    images: Any = getattr(split, "texts", split.images)
    if isinstance(images, FolderImages):
        names = [text_of(path) for path in images.paths]
    else:
        names = [f"{name}[{i}]" for i in range(len(split))]
    return Part(images, split.labels, names)


def _fifth(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The positions of all but a fifth of the examples, and of the fifth, which is empty if a class has one example."""
    try:
        return stratified(labels, 0.2)
    except DataError:
        return np.arange(len(labels)), np.zeros(0, np.int64)


def _of_folder(name: str, root: Path | None, how: Decoding) -> Contents:
    """The contents of a directory tree, as `image_folder` and `imagenet` read it."""
    root = (root if name == "image_folder" and root else place_of(name, root)).absolute()
    one, other = part_folders(root)
    listings = [list_images(one)]
    flat = other is not None and name == "imagenet" and is_flat(other)
    if other is not None and not flat:
        listings.append(list_images(other))
    classes = [*dict.fromkeys(chain(*(listing.images for listing in listings)))]
    pairs = [_labelled(listing.images, classes) for listing in listings]
    if flat:
        pairs.append(flat_images(root, tuple(classes)))
    elif other is None:
        [(paths, labels)] = pairs
        pairs = [([paths[i] for i in index], labels[index]) for index in _fifth(labels)]
    train, test = (
        Part(FolderImages([*map(Path, paths)], how), labels, [_below(root, path) for path in paths])
        for paths, labels in pairs
    )
    strays = {
        "nested": [path for listing in listings for path in listing.nested],
        "others": [path for listing in listings for path in listing.others],
        **_beside(root, {path for paths, _ in pairs for path in paths}),
    }
    strays = {kind: sorted(_below(root, path) for path in paths) for kind, paths in strays.items()}
    return Contents(name, "images", tuple(classes), train, test, str(root), other is None, strays)


def _below(root: Path, path: str) -> str:
    """A path from a root on, as text."""
    return text_of(path.removeprefix(f"{root}/"))


def _labelled(images: Mapping[str, list[str]], classes: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """All paths of images by class, and their labels."""
    labels = np.repeat([classes.index(name) for name in images], [*map(len, images.values())])
    return [*chain(*images.values())], labels.astype(np.int64)


def _beside(root: Path, read: set[str]) -> dict[str, list[str]]:
    """The images below a root that are not read: hidden ones, and those outside the folders of the classes."""
    beside: dict[str, list[str]] = {"hidden": [], "outside": []}
    for folder, _, names in os.walk(root):
        for path in (f"{folder}/{name}" for name in names if is_image(name)):
            if path not in read:
                beside["hidden" if "/." in path.removeprefix(str(root)) else "outside"].append(path)
    return beside


def _of_hub(name: str, root: Path | None, settings: Mapping[str, Any], load_it: Callable[[], Dataset]) -> Contents:
    """The contents of a Hugging Face set, with the names of its rows; texts are loaded."""
    short = name.removeprefix("hf:")
    train, test = labelled_parts(short, root, settings.get("split", "train"), settings.get("label", ""))
    held_out = test is None
    if test is None:
        rest, fifth = _fifth(train.numbers(train.classes))
        train, test = train.at(rest), train.at(fifth)
    column = settings.get("image") or image_column(train, short)
    if not column:
        texts = contents_of(load_it())
        one, other = (replace(p, names=_rows(t)) for p, t in ((texts.train, train), (texts.test, test)))
        return replace(texts, train=one, test=other, held_out=held_out)
    present = {*train.labels, *test.labels}
    classes = [c for c in dict.fromkeys((*train.classes, *test.classes)) if c in present]
    how = Decoding(mode=settings.get("mode") or "rgb", background=settings.get("background", "white"))
    one, other = (
        Part(HubImages(as_images(table, column), column, how), table.numbers(classes), _rows(table))
        for table in (train, test)
    )
    return Contents(name, "images", tuple(classes), one, other, held_out=held_out)


def _rows(table: Table) -> list[str]:
    """The names of the rows of a table."""
    part = table.name.rpartition(", ")[2]
    return [f"{part}, row {row}" for row in table.rows]
