"""The data sets by name. Each is a function of (root, size) that returns a `Dataset`.

- `digits`: scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, part of that package (Alpaydin and Kaynak, 1998).
- `fashion_mnist`: 60,000 + 10,000 grey images of 28 x 28 pixels (Xiao et al., 2017, https://arxiv.org/abs/1708.07747).
- `cifar10`, `cifar100`: 50,000 + 10,000 colour images of 32 x 32 pixels (Krizhevsky, 2009).
- `imagenette`, `imagewoof`, `imagenet`: ImageNet's family (see `drd_plugin.data.imagenet`).
- `image_folder`: any directory tree of images.
- `wordnet_glosses`: WordNet's glosses, texts in 45 classes (see `drd_plugin.data.wordnet`).
- `hf:NAME`: any labelled set of images or texts of the Hugging Face hub, or one saved to a folder by its `datasets`
  package.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from ..core.registry import Registry, unknown
from .decoding import Mode, whole_size
from .folders import image_folder
from .hub import hugging_face
from .imagenet import imagenet, imagenette, imagewoof
from .split import CACHE, DataError, Dataset, from_arrays, stratified
from .wordnet import wordnet_glosses

__all__ = ["DATASETS", "load", "loading", "read_idx"]

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


def digits(root: Path | None = None, size: int | None = None) -> Dataset:
    """scikit-learn's digits in a fixed stratified split: 1,437 training and 360 test images of 1 x 8 x 8."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    train, test = ((images[part], labels[part]) for part in stratified(labels, 360 / 1797))
    return _in_memory("digits", size, train, test)


def fashion_mnist(root: Path | None = None, size: int | None = None) -> Dataset:
    """Fashion-MNIST from the idx files under `root`; by default from Debian's package if that is installed, else
    downloaded by torchvision; 1 x 28 x 28.
    """
    if root is None and DEBIAN_FASHION_MNIST.is_dir():
        root = DEBIAN_FASHION_MNIST
    if root is None:
        from torchvision.datasets import FashionMNIST

        try:
            FashionMNIST(CACHE, download=True)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"Fashion-MNIST cannot be downloaded ({error}): give the folder with the idx files."
            ) from error
        root = CACHE
    train, test = (
        (read_idx(root, f"{part}-images-idx3-ubyte"), read_idx(root, f"{part}-labels-idx1-ubyte"))
        for part in ("train", "t10k")
    )
    return _in_memory("fashion_mnist", size, train, test, FASHION_CLASSES)


def cifar10(root: Path | None = None, size: int | None = None) -> Dataset:
    """CIFAR-10 as torchvision stores it under `root`; by default downloaded to the cache; 3 x 32 x 32."""
    return _cifar("CIFAR10", root, size)


def cifar100(root: Path | None = None, size: int | None = None) -> Dataset:
    """CIFAR-100 as torchvision stores it under `root`; by default downloaded to the cache; 3 x 32 x 32."""
    return _cifar("CIFAR100", root, size)


def folder(
    root: Path | None = None, size: int | None = None, *, mode: Mode = "rgb", background: str = "white"
) -> Dataset:
    """The images of the directory tree `root`, resized to `size` pixels (224 by default) as they are read."""
    if root is None:
        raise DataError(
            "image_folder needs a root: the folder with train/CLASS/IMAGE and val/CLASS/IMAGE, or with CLASS/IMAGE."
        )
    return image_folder(root, size, mode=mode, background=background)


DATASETS: Registry[Callable[..., Dataset]] = Registry(
    "data set",
    "drd_plugin.datasets",
    {
        "digits": digits,
        "fashion_mnist": fashion_mnist,
        "cifar10": cifar10,
        "cifar100": cifar100,
        "imagenette": imagenette,
        "imagewoof": imagewoof,
        "imagenet": imagenet,
        "image_folder": folder,
        "wordnet_glosses": wordnet_glosses,
    },
    families={"hf": lambda name: partial(hugging_face, name)},
)


def load(name: str, root: Path | None = None, size: int | None = None, **settings: Any) -> Dataset:
    """The data set with this name.

    Arguments:
        name: A name in `DATASETS`, `hf:NAME` or `hf:NAME:CONFIGURATION`.
        root: The folder with the data, for data sets that are neither part of a package nor downloaded.
        size: Height and width to resize images to, at least 1; the data set's own by default.
        settings: Settings of single kinds of data sets: `mode` (rgb or grey) and `background` (a colour) of folders of
            images and of Hugging Face sets; `image` and `label` (columns) and `split` (a part) of the latter, see
            `drd_plugin.data.hub.hugging_face`.

    Raises:
        UnknownName: If no data set has this name, or it has no such setting.
        DataError: If the data are missing, damaged or cannot be used.
    """
    return loading(name, root, size, **settings)()


def loading(name: str, root: Path | None = None, size: int | None = None, **settings: Any) -> Callable[[], Dataset]:
    """A function that loads the data set; what is raised before anything is read is raised here. See `load`."""
    root = None if root is None else Path(root).expanduser()
    if root is not None and not root.exists():
        raise DataError(f"the data root {root} does not exist; give the folder that holds {name}.")
    size = None if size is None else whole_size(size)
    load_it = DATASETS[name]
    accepted = [*signature(load_it).parameters][2:]
    wrong = next((setting for setting in settings if setting not in accepted), None)
    if wrong is not None and not accepted:
        raise DataError(f"{name} has no settings beside its root and size, got {wrong}: leave it out.")
    if wrong is not None:
        raise unknown(f"setting of {name}", wrong, accepted)
    return partial(load_it, root, size, **settings)


def read_idx(root: Path, stem: str) -> np.ndarray:
    """The array in an idx file of unsigned bytes (the MNIST format), plain or gzipped, anywhere under `root`.

    Raises:
        DataError: If there is no such file, or it is damaged.
    """
    path = next((p for end in ("", ".gz") for p in sorted(Path(root).rglob(stem + end))), None)
    if path is None:
        raise DataError(
            f"found no {stem} or {stem}.gz under {root}: give the folder with the four idx files, or install "
            "dataset-fashion-mnist."
        )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        shape = np.frombuffer(content, ">i4", content[3], offset=4)
        if content[:3] != b"\0\0\x08":
            raise ValueError("no idx file of unsigned bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()
    except (OSError, EOFError, IndexError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}): fetch it again.") from error


def _cifar(name: str, root: Path | None, size: int | None) -> Dataset:
    from torchvision import datasets

    make = getattr(datasets, name)
    try:
        train, test = (make(root or CACHE, train=train, download=root is None) for train in (True, False))
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"{name} cannot be read from {root or 'the network'} ({error}): give the folder that holds torchvision's "
            "copy, or no root to download it."
        ) from error
    arrays = [(part.data.transpose(0, 3, 1, 2), np.array(part.targets)) for part in (train, test)]
    return _in_memory(name.lower(), size, arrays[0], arrays[1], train.classes)


def _in_memory(
    name: str, size: int | None, train: tuple, test: tuple, classes: tuple[str, ...] | None = None
) -> Dataset:
    if size is not None and size != train[0].shape[-1]:
        raise DataError(f"{name} has images of {train[0].shape[-1]} pixels and is not resized; leave the size out.")
    return Dataset(
        *(from_arrays(name, np.ascontiguousarray(images), labels, classes) for images, labels in (train, test))
    )
