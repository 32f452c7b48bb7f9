"""Directory trees of images with one folder for each class; the images are decoded on access.

The shorter side is resized with antialiasing and the centre is cropped, so that images of any shape fit one batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image, ImageOps
from typing_extensions import override

from .split import DataError, Dataset, Images, Split, stratified

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DecodedImages", "FolderImages", "adm_crop", "fit", "image_folder", "split_of_files", "tree"]

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
TEST_NAMES = ("test", "val", "valid", "validation")


def fit(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """An image as uint8[C, size, size]: the shorter side resized with antialiasing, the centre cropped."""
    image = ImageOps.fit(image.convert("RGB" if channels == 3 else "L"), (size, size), Image.Resampling.BICUBIC)
    return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)


def adm_crop(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """An image as uint8[C, size, size], prepared like the training images of ADM and DiT: halved by box filters while
    the shorter side is at least 2 x size, then resized by a bicubic filter, and the centre cropped.

    References:
        Diffusion Models Beat GANs on Image Synthesis (Dhariwal and Nichol, 2021), https://arxiv.org/abs/2105.05233,
        https://github.com/openai/guided-diffusion (`guided_diffusion/image_datasets.py`)
    """
    image = image.convert("RGB" if channels == 3 else "L")
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    x, y = (image.width - size) // 2, (image.height - size) // 2
    image = image.crop((x, y, x + size, y + size))
    return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)


CROPS = {"fit": fit, "adm": adm_crop}


class DecodedImages(Images):
    """Images that are decoded on access, indexed like a tensor.

    Arguments:
        size: Height and width of the decoded images in pixels.
        channels: 3 for colour, 1 for grey.
        crop: How an image becomes square: `fit`, or `adm` (see `adm_crop`).
    """

    def __init__(self, size: int, channels: int, crop: str = "fit") -> None:
        self.size, self.channels, self.crop = size, channels, crop

    @property
    @override
    def shape(self) -> tuple[int, int, int, int]:
        return len(self), self.channels, self.size, self.size

    def decoded(self, size: int, channels: int, crop: str) -> Self:
        """The same images, decoded to another size and number of channels by another crop."""
        images = copy(self)
        images.size, images.channels, images.crop = size, channels, crop
        return images

    def square(self, image: Image.Image) -> np.ndarray:
        """One image as uint8[C, size, size]."""
        return CROPS[self.crop](image, self.size, self.channels)


class FolderImages(DecodedImages):
    """The images in the files `paths`, of length n; for the other arguments see `DecodedImages`."""

    def __init__(self, paths: Sequence[Path], size: int, channels: int = 3, crop: str = "fit") -> None:
        super().__init__(size, channels, crop)
        self.paths = tuple(paths)

    @override
    def __len__(self) -> int:
        return len(self.paths)

    @override
    def __getitem__(self, index: Tensor) -> Tensor:
        """The images at the positions int64[B], as uint8[B, C, H, W].

        Raises:
            DataError: If a file cannot be decoded; the message names it.
        """
        import torch

        if torch.utils.data.get_worker_info() is not None:
            return torch.from_numpy(np.stack([self._decode(i) for i in index.tolist()]))
        with ThreadPoolExecutor() as pool:
            return torch.from_numpy(np.stack(list(pool.map(self._decode, index.tolist()))))

    def _decode(self, i: int) -> np.ndarray:
        try:
            with Image.open(self.paths[i]) as image:
                return self.square(image)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{self.paths[i]} cannot be read as an image ({error}): replace or remove the file."
            ) from error


def image_folder(root: Path, size: int | None = None, name: str = "image_folder") -> Dataset:
    """The data set in a directory tree.

    Arguments:
        root: A folder with `train/` and `val/` (or `test/`), each with one folder for each class; or with `train/`
            alone, or with the folders of the classes themselves, of which a fixed stratified fifth becomes the test
            split.
        size: Height and width in pixels; 224 by default.
        name: The data set's name.

    Raises:
        DataError: If the tree holds no class folders or no images, it is unclear which folder holds the test split, or
            the two splits have different classes.
    """
    root, size = Path(root), size or 224
    held_out = next((root / test for test in TEST_NAMES if (root / test).is_dir()), None)
    has_train = (root / "train").is_dir()
    if has_train and held_out is not None:
        return Dataset(tree(root / "train", size, name), tree(held_out, size, name))
    if (has_train and _folders(root) != ["train"]) or held_out is not None:
        raise DataError(
            f"{root} holds the folders {', '.join(_folders(root)[:8])}: expected train/ with one of "
            f"{', '.join(TEST_NAMES)}, or train/ alone, or one folder a class."
        )
    split = tree(root / "train" if has_train else root, size, name)
    train, test = stratified(split.labels, 0.2)
    return Dataset(_part(split, train), _part(split, test))


def _folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def tree(folder: Path, size: int, name: str) -> Split:
    """The images of a folder that holds one folder for each class."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: give the root of a directory tree with one folder of images a class.")
    classes = tuple(_folders(folder))
    files = [sorted(p for p in (folder / c).iterdir() if p.suffix.lower() in SUFFIXES and p.is_file()) for c in classes]
    nested = [c for c, group in zip(classes, files, strict=True) if not group and _folders(folder / c)]
    if nested:
        raise DataError(
            f"{folder / nested[0]} holds folders but no images: give the folder whose folders are the classes, with "
            "the images directly inside."
        )
    paths = [path for group in files for path in group]
    if not paths:
        raise DataError(
            f"{folder} holds no images in class folders: expected {folder}/CLASS/IMAGE with one of the endings "
            f"{', '.join(sorted(SUFFIXES))}."
        )
    labels = np.repeat(np.arange(len(classes)), [len(group) for group in files])
    return split_of_files(name, paths, labels, classes, folder, size)


def split_of_files(
    name: str, paths: Sequence[Path], labels: np.ndarray, classes: tuple[str, ...], folder: Path, size: int
) -> Split:
    """The split of some image files below a folder, identified by their paths and sizes."""
    sha = hashlib.sha256()
    for path in paths:
        sha.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\n".encode())
    return Split(name, FolderImages(paths, size), labels, classes, content=sha.hexdigest())


def _part(split: Split, index: np.ndarray) -> Split:
    images = split.images
    assert isinstance(images, FolderImages)
    part = FolderImages([images.paths[i] for i in index], images.size, images.channels, images.crop)
    content = f"{split.content}:{hashlib.sha256(index.tobytes()).hexdigest()}"
    return replace(split, images=part, labels=split.labels[index], content=content)
