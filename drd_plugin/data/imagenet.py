"""ImageNet and two of its subsets; their classes are named by WordNet ids.

`imagenette` and `imagewoof` are the archives of https://github.com/fastai/imagenette (train/ and val/ with a folder for
each class). `imagenet` is ILSVRC 2012: train/ and val/ with a folder for each class, or the official archives as they
unpack, where val/ holds only images and the development kit beside it gives their classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..artifacts import write_aside
from .folders import image_folder, split_of_files, tree
from .split import CACHE, DataError, Dataset, Split

__all__ = ["imagenet", "imagenette", "imagewoof"]

GROUND_TRUTH = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
META = "ILSVRC2012_devkit_t12/data/meta.mat"


def imagenette(root: Path | None = None, size: int | None = None) -> Dataset:
    """Ten easy classes of ImageNet from `root`; by default downloaded to the cache; 3 x 224 x 224."""
    return image_folder(_unpacked(_downloaded() if root is None else root, "imagenette2"), size, "imagenette")


def imagewoof(root: Path | None = None, size: int | None = None) -> Dataset:
    """Ten breeds of dogs of ImageNet, from the folder imagewoof2* in `root`; 3 x 224 x 224."""
    if root is None:
        raise DataError(
            "imagewoof needs a root: download https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2.tgz, unpack it, "
            "and give the folder."
        )
    return image_folder(_unpacked(root, "imagewoof2"), size, "imagewoof")


def imagenet(root: Path | None = None, size: int | None = None) -> Dataset:
    """ImageNet-1K (ILSVRC 2012) from train/ and val/ in `root`; 3 x 224 x 224."""
    if root is None:
        raise DataError("imagenet needs a root: the folder with train/ and val/, as the official archives unpack.")
    val = root / "val"
    if not val.is_dir() or any(path.is_dir() for path in val.iterdir()):
        return image_folder(root, size, "imagenet")
    train = tree(root / "train", size or 224, "imagenet")
    return Dataset(train, _flat(val, root, train.classes, size or 224))


def _flat(val: Path, root: Path, classes: tuple[str, ...], size: int) -> Split:
    """The validation split as the official archive unpacks: one folder of images, with classes from the development
    kit.
    """
    from scipy.io import loadmat

    paths = sorted(val.glob("*.JPEG"))
    try:
        numbers = np.loadtxt(root / GROUND_TRUTH, dtype=np.int64, ndmin=1)
        synsets = loadmat(root / META, squeeze_me=True)["synsets"]
        number_of = {name: i for i, name in enumerate(classes)}
        class_of = {int(row["ILSVRC2012_ID"]): number_of.get(str(row["WNID"])) for row in synsets}
        labels = np.array([class_of[number] for number in numbers.tolist()], np.int64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{val} holds images without class folders, and {root / GROUND_TRUTH} and {root / META} do not say their "
            f"classes ({error}): unpack the development kit beside them, or sort the images into folders."
        ) from error
    if len(labels) != len(paths):
        raise DataError(f"{val} holds {len(paths)} images, but {root / GROUND_TRUTH} has {len(labels)} classes.")
    return split_of_files("imagenet", paths, labels, classes, val, size)


def _unpacked(root: Path, stem: str) -> Path:
    """The folder with train/ and val/: `root`, or the archive's folder in it."""
    if (root / "train").is_dir():
        return root
    train = next(iter(sorted(root.glob(f"{stem}*/train"))), None)
    if train is None:
        raise DataError(
            f"found no {stem}*/train under {root}: download it from https://github.com/fastai/imagenette and unpack it "
            "there."
        )
    return train.parent


def _downloaded() -> Path:
    from torchvision.datasets import Imagenette

    root = CACHE / "imagenette"
    try:
        if not root.is_dir():
            with write_aside(root, first=True) as aside:  # half of it is no data set
                Imagenette(aside, download=True)
        return root
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"imagenette cannot be downloaded ({error}): give the folder that holds it as the root."
        ) from error
