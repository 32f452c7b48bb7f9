"""ImageNet and two of its subsets; their classes are named by WordNet ids.

`imagenette` and `imagewoof` are the archives of https://github.com/fastai/imagenette (train/ and val/ with a folder for
each class). `imagenet` is ILSVRC 2012: train/ and val/ with a folder for each class, or the official archives as they
unpack, where val/ holds only images and the development kit beside it gives their classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..artifacts import write_aside
from .decoding import Decoding, Mode
from .folders import image_folder, is_image, split_of_files, tree
from .split import CACHE, DataError, Dataset

__all__ = ["flat_images", "imagenet", "imagenette", "imagewoof", "is_flat", "place_of"]

GROUND_TRUTH = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
META = "ILSVRC2012_devkit_t12/data/meta.mat"
LACKING = {
    "imagewoof": "imagewoof needs a root: download https://s3.amazonaws.com/fast-ai-imageclas/imagewoof2.tgz, unpack "
    "it, and give the folder.",
    "imagenet": "imagenet needs a root: the folder with train/ and val/, as the official archives unpack.",
}


def imagenette(
    root: Path | None = None, size: int | None = None, *, mode: Mode = "rgb", background: str = "white"
) -> Dataset:
    """Ten easy classes of ImageNet from `root`; by default downloaded to the cache; 3 x 224 x 224."""
    return image_folder(place_of("imagenette", root), size, "imagenette", mode=mode, background=background)


def imagewoof(
    root: Path | None = None, size: int | None = None, *, mode: Mode = "rgb", background: str = "white"
) -> Dataset:
    """Ten breeds of dogs of ImageNet, from the folder imagewoof2* in `root`; 3 x 224 x 224."""
    return image_folder(place_of("imagewoof", root), size, "imagewoof", mode=mode, background=background)


def imagenet(
    root: Path | None = None, size: int | None = None, *, mode: Mode = "rgb", background: str = "white"
) -> Dataset:
    """ImageNet-1K (ILSVRC 2012) from train/ and val/ in `root`; 3 x 224 x 224."""
    root = place_of("imagenet", root)
    if not is_flat(root / "val"):
        return image_folder(root, size, "imagenet", mode=mode, background=background)
    how = Decoding(224 if size is None else size, mode, background=background)
    train = tree(root / "train", how, "imagenet")
    paths, labels = flat_images(root, train.classes)
    return Dataset(train, split_of_files("imagenet", paths, labels, train.classes, root / "val", how))


def place_of(name: str, root: Path | None) -> Path:
    """The folder with train/ and val/ of the data set of this name.

    Raises:
        DataError: If there is none.
    """
    if root is None and name == "imagenette":
        root = _downloaded()
    if root is None:
        raise DataError(LACKING[name])
    return root if name == "imagenet" else _unpacked(root, f"{name}2")


def is_flat(val: Path) -> bool:
    """Whether this folder holds images without class folders, as the official archive of ImageNet unpacks."""
    return val.is_dir() and not any(path.is_dir() and not path.name.startswith(".") for path in val.iterdir())


def flat_images(root: Path, classes: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """The images of the validation split as the official archive unpacks, one folder of images, and their labels,
    int64[n], from the development kit.

    Raises:
        DataError: If the development kit is missing, or does not fit.
    """
    from scipy.io import loadmat

    val = root / "val"
    paths = sorted(str(path) for path in val.iterdir() if is_image(path.name) and not path.name.startswith("."))
    try:
        numbers = np.loadtxt(root / GROUND_TRUTH, dtype=np.int64, ndmin=1)
        synsets = loadmat(root / META, squeeze_me=True)["synsets"]
        number_of = {name: i for i, name in enumerate(classes)}
        class_of = {int(row["ILSVRC2012_ID"]): number_of.get(str(row["WNID"])) for row in synsets}
        labels = np.array([class_of[number] for number in numbers.tolist()], np.int64)
    except Exception as error:  # of the many kinds that the readers raise
        raise DataError(
            f"{val} holds images without class folders, and {root / GROUND_TRUTH} and {root / META} do not say their "
            f"classes ({error}): unpack the development kit beside them, or sort the images into folders."
        ) from error
    if len(labels) != len(paths):
        raise DataError(f"{val} holds {len(paths)} images, but {root / GROUND_TRUTH} has {len(labels)} classes.")
    return paths, labels


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
