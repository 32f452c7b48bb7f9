"""Directory trees of images with one folder for each class; the images are decoded on access.

A tree is identified by the paths below its root, the sizes of its files, and a digest of a few blocks of each, so that
images that were replaced by others are noticed and a copy of the tree is the same data set.
"""

from __future__ import annotations

import hashlib
import logging
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from typing_extensions import override

from ..core.names import natural_order
from .decoded import DecodedImages
from .decoding import Decoding, Mode, readable_endings
from .identity import digests_of_files, text_of
from .parts import TEST_NAMES, stratified
from .split import DataError, Dataset, Split

__all__ = [
    "FolderImages",
    "Listing",
    "image_folder",
    "is_image",
    "list_images",
    "part_folders",
    "split_of_files",
    "tree",
]

log = logging.getLogger(__name__)


class FolderImages(DecodedImages):
    """The images in the files `paths`, of length n; see `DecodedImages`."""

    def __init__(self, paths: Sequence[str | Path], decoding: Decoding) -> None:
        super().__init__(decoding)
        self._files = tuple(os.fspath(path) for path in paths)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """The files of the images, of length n."""
        return tuple(map(Path, self._files))

    @override
    def __len__(self) -> int:
        return len(self._files)

    @override
    def sources(self, index: Sequence[int]) -> list[tuple[Path | bytes, str]]:
        return [(Path(self._files[i]), text_of(self._files[i])) for i in index]


def image_folder(
    root: Path, size: int | None = None, name: str = "image_folder", *, mode: Mode = "rgb", background: str = "white"
) -> Dataset:
    """The data set in a directory tree.

    Arguments:
        root: A folder with `train/` and `val/` (or `test/`), each with one folder for each class; or with `train/`
            alone, or with the folders of the classes themselves, of which a fixed stratified fifth becomes the test
            split. Of several test folders, the first with class folders counts.
        size: Height and width in pixels; 224 by default.
        name: The data set's name.
        mode: `rgb` or `grey`.
        background: The colour behind transparent pixels.

    Raises:
        DataError: If the tree holds no class folders or no images, it is unclear which folder holds the test split, or
            the two splits have different classes.
    """
    how = Decoding(224 if size is None else size, mode, background=background)
    one, other = part_folders(Path(root))
    if other is not None:
        return _two_parts(one, other, how, name)
    split = tree(one, how, name)
    train, test = stratified(split.labels, 0.2, classes=split.classes)
    return Dataset(_part(split, train), _part(split, test))


def part_folders(root: Path) -> tuple[Path, Path | None]:
    """The folders of the training and of the test split of a directory tree; None where a fifth is to be held out.

    Raises:
        DataError: If it is unclear which folder holds the test split.
    """
    held_out = [root / test for test in TEST_NAMES if (root / test).is_dir()]
    has_train = (root / "train").is_dir()
    if has_train and held_out:
        return root / "train", next(filter(_folders, held_out), held_out[0])
    if (has_train and _folders(root) != ["train"]) or held_out:
        raise DataError(
            f"{root} holds the folders {', '.join(_folders(root)[:8])}: expected train/ with one of "
            f"{', '.join(TEST_NAMES)}, or train/ alone, or one folder a class."
        )
    return (root / "train" if has_train else root), None


def _two_parts(train: Path, test: Path, how: Decoding, name: str) -> Dataset:
    one, other = set(_class_folders(train)), set(_class_folders(test))
    if one != other:
        lacks = [f"{p} lacks {', '.join(sorted(c)[:5])}" for p, c in ((train, other - one), (test, one - other)) if c]
        raise DataError(
            f"{' and '.join(lacks)}: the training and the test split must have the same classes; add the missing "
            "images, rename the folders alike, or leave these classes out."
        )
    return Dataset(tree(train, how, name), tree(test, how, name))


def _folders(root: Path) -> list[str]:
    """The folders in a folder that are not hidden; raises DataError for a link that leads nowhere."""
    paths = [path for path in root.iterdir() if not path.name.startswith(".")]
    lost = next((path for path in sorted(paths) if path.is_symlink() and not path.exists()), None)
    if lost is not None:
        raise DataError(f"{text_of(lost)} is a link to a place that is not there: restore it, or remove the link.")
    return sorted(path.name for path in paths if path.is_dir())


def _class_folders(folder: Path) -> dict[str, Path]:
    """The folders of the classes by the classes' names, in order: as text, or as numbers where all are whole numbers.

    Raises:
        DataError: If this is no folder, or two folders have the same name in two spellings of Unicode.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the root of a directory tree with one folder of images a class.")
    classes: dict[str, Path] = {}
    for name in natural_order(_folders(folder)):
        normal = unicodedata.normalize("NFC", text_of(Path(name)))
        if normal in classes:
            raise DataError(
                f"{folder} has two folders called {normal}, in two spellings of Unicode (composed and decomposed): put "
                "their images into one."
            )
        classes[normal] = folder / name
    return classes


@dataclass(frozen=True)
class Listing:
    """The files in the folders of the classes; hidden ones are left out.

    Arguments:
        images: The paths of the images of each class, in order, by the class's name.
        nested: Those of them that lie in folders inside those of their classes.
        others: The paths of files without an ending of an image.
    """

    images: dict[str, list[str]]
    nested: list[str]
    others: list[str]


def list_images(folder: Path) -> Listing:
    """The files of a folder that holds one folder for each class; images in folders inside that of a class belong to
    it.

    Raises:
        DataError: If there are no classes or no images, or the folder of a class holds folders alone.
    """
    classes = _class_folders(folder)
    files = {name: sorted(_files(str(place))) for name, place in classes.items()}
    images = {name: [path for path in group if is_image(path)] for name, group in files.items()}
    nested = {name: [path for path in images[name] if os.path.dirname(path) != str(classes[name])] for name in classes}
    for name, group in images.items():
        if group and len(nested[name]) == len(group):
            raise DataError(
                f"{text_of(classes[name])} holds folders but no images: give the folder whose folders are the classes, "
                "with the images directly inside."
            )
    if not any(images.values()):
        raise DataError(
            f"{folder} holds no images in class folders: expected {folder}/CLASS/IMAGE with one of the endings "
            f"{', '.join(sorted(readable_endings()))}."
        )
    mixed = (group for name, group in files.items() if len(group) > len(images[name]))
    others = [path for path in chain(*mixed) if not is_image(path)]
    return Listing(images, [*chain(*nested.values())], others)


def tree(folder: Path, how: Decoding, name: str) -> Split:
    """The images of a folder that holds one folder for each class.

    Images in folders inside that of a class belong to it, and files without an image's ending are passed over; both is
    logged. Hidden files are no images.

    Raises:
        DataError: If there are no classes or no images, the folder of a class holds folders alone, or a link leads
            nowhere.
    """
    listing = list_images(folder)
    _log(listing.nested, "images lie in folders inside those of their classes, and are read")
    loose = sorted(path for path in os.listdir(folder) if is_image(path) and not path.startswith("."))
    _log(loose, f"images lie in {text_of(folder)} beside the folders of the classes, and are passed over")
    _log(listing.others, "files have no ending of an image, and are passed over")
    labels = np.repeat(np.arange(len(listing.images)), [*map(len, listing.images.values())])
    return split_of_files(name, [*chain(*listing.images.values())], labels, tuple(listing.images), folder, how)


def _files(folder: str) -> Iterator[str]:
    """The files below a folder that are not hidden, in any order; linked folders are followed, each once."""
    places = {os.path.realpath(folder)}
    for path, folders, names in os.walk(folder, followlinks=True):
        below = {name: os.path.realpath(f"{path}/{name}") for name in folders if not name.startswith(".")}
        folders[:] = [name for name, place in below.items() if place not in places]
        places.update(below.values())
        yield from (f"{path}/{name}" for name in names if not name.startswith("."))


def is_image(path: str) -> bool:
    """Whether a file has an ending of an image."""
    return os.path.splitext(path)[1].lower() in readable_endings()


def _log(paths: Sequence[str], remark: str) -> None:
    if paths:
        log.warning("%d %s (the first: %s)", len(paths), remark, text_of(paths[0]))


def split_of_files(
    name: str, paths: Sequence[str], labels: np.ndarray, classes: tuple[str, ...], folder: Path, how: Decoding
) -> Split:
    """The split of some image files below a folder; see the head of this module for what identifies it.

    Raises:
        DataError: If a file cannot be read.
    """
    sha, start = hashlib.sha256(how.background_rgb), "" if str(folder) == "." else f"{folder.as_posix()}/"
    for path, digest in zip(paths, digests_of_files(paths), strict=True):
        sha.update(os.fsencode(path.replace(os.sep, "/").removeprefix(start)) + b"\0" + digest)
    return Split(name, FolderImages(paths, how), labels, classes, content=sha.hexdigest())


def _part(split: Split, index: np.ndarray) -> Split:
    images = split.images
    assert isinstance(images, FolderImages)
    part = FolderImages([images._files[i] for i in index], images.decoding)
    content = f"{split.content}:{hashlib.sha256(index.tobytes()).hexdigest()}"
    return replace(split, images=part, labels=split.labels[index], content=content)
