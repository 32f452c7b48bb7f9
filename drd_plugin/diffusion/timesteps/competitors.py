r"""The classes that compete with a class, if there are too many to compare each image with all of them.

An image is compared with the k classes nearest to its own and with a random sample of r of the others, each weighted by
the number of classes that it stands for; so the sum in the softmax keeps its expectation,

    sum_{c'} exp(-l_c')  =  sum_{near} exp(-l_c') + (C - 1 - k) / r  sum_{sample} exp(-l_c').

The near classes come from the losses of a few images of the class after one draw, from the confusions of a small
network trained on the data set, from WordNet, or from a file of lists, which `confusions` writes from the predictions
of any classifier.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax

from ...artifacts import ArtifactError, read_json
from ...core.seeds import generator
from ...data import Split
from ...training.loop import predict
from ..denoisers.base import DenoiserError
from ..denoisers.classes import wordnet_ancestors
from ..distance import critic
from .search import Losses, Rivals

__all__ = ["confused_by_proxy", "confusions", "near_classes", "rivals_of", "screened"]

SCREENED = 2
"""The number of images of a class that `screened` compares with all classes."""


def confusions(predicted: np.ndarray, labels: np.ndarray, classes: Sequence[str], out: Path) -> None:
    """Writes the lists of classes that a classifier confuses with each class, the most confused first, for
    `competitors_by`.

    Arguments:
        predicted: The classifier's probabilities or logits on any images, float[n, C].
        labels: The classes of these images, int64[n].
        classes: The class names.
        out: The JSON file.
    """
    lists = {classes[c]: [classes[other] for other in order] for c, order in enumerate(_confused(predicted, labels))}
    out.write_text(json.dumps(lists, indent=1) + "\n")


def confused_by_proxy(split: Split, members: Sequence[np.ndarray], seed: int, device: str) -> list[list[int]]:
    """The other classes for each class, those first that a small network trained on the split confuses with it most.

    Arguments:
        split: The training split.
        members: The positions of the images of each class whose predictions are used.
        seed: The seed of the training.
        device: The device to train on.
    """
    index = np.concatenate(members)
    some = Split(split.name, split.images[torch.from_numpy(index)], split.labels[index], split.classes)
    return _confused(predict(critic(split, seed, device), some, device, split.statistics).numpy(), some.labels)


def _confused(predicted: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    means = [predicted[labels == c].mean(0) for c in range(predicted.shape[1])]
    return [[int(o) for o in np.argsort(-mean, kind="stable") if o != c] for c, mean in enumerate(means)]


def near_classes(by: str, split: Split) -> list[list[int]] | None:
    """The other classes for each class of the data set, the nearest first; None if they are computed from the images.

    Arguments:
        by: `screen`, `proxy`, `wordnet` or a file that `confusions` wrote.
        split: The training split.

    Raises:
        DenoiserError: If the file cannot be read or lacks a class, or a class is none of ImageNet's.
    """
    if by in ("screen", "proxy"):
        return None
    lists = _wordnet(split) if by == "wordnet" else _read(Path(by))
    number = {name: i for i, name in enumerate(split.classes)}
    missing = [name for name in split.classes if name not in lists]
    if missing:
        raise DenoiserError(f"competitors by {by}: there is no list for {missing[0]}.")
    return [[number[other] for other in lists[name] if other in number] for name in split.classes]


def rivals_of(own: int, images: int, num_classes: int, near: Sequence[int], count: int, seed: int) -> Rivals:
    """The classes to compare the images of a class with: their own, near ones (two thirds of `count`), and a random
    sample of the others for each image.

    Arguments:
        own: The class of the images.
        images: The number of images.
        num_classes: The number of classes.
        near: Other classes, the nearest first.
        count: The number of classes that an image is compared with.
        seed: Determines the samples.
    """
    close = np.array([c for c in near if c != own][: count * 2 // 3], np.int64)
    others = np.setdiff1d(np.arange(num_classes), [own, *close])
    sampled = min(count - len(close), len(others))
    rng = generator(seed, f"competitors of class {own}")
    samples = np.stack([rng.choice(others, sampled, replace=False) for _ in range(images)])
    classes = np.hstack([np.full((images, 1), own), np.tile(close, (images, 1)), samples])
    weights = np.zeros(classes.shape[1])
    weights[1 + len(close) :] = np.log(max(1, len(others)) / max(1, sampled))
    return Rivals(classes, weights)


def screened(losses: Losses, images: int, num_classes: int, step: int) -> list[int]:
    """All classes in the order of their weight in the softmax of a class's first images, after one draw at one step."""
    shape = (min(SCREENED, images), num_classes)
    image, label = (axis.ravel() for axis in np.indices(shape))
    answers = losses(image, np.full_like(image, step), np.zeros_like(image), label)
    return np.argsort(-softmax(-answers.reshape(shape), axis=1).mean(0), kind="stable").tolist()


def _wordnet(split: Split) -> Mapping[str, list[str]]:
    """The other classes for each class, those first that share the nearest hypernym with it."""
    above = wordnet_ancestors()
    if not set(split.classes) <= above.keys():
        raise DenoiserError(f"competitors by wordnet: the classes of {split.name} are not called by ImageNet's ids.")
    lists = {}
    for name in split.classes:
        height = {ancestor: i for i, ancestor in enumerate(above[name])}
        others = [other for other in split.classes if other != name]
        lists[name] = sorted(others, key=lambda other: min(height.get(a, len(height)) for a in above[other]))
    return lists


def _read(path: Path) -> Mapping[str, list[str]]:
    """The lists in a file that `confusions` wrote."""
    try:
        lists = read_json(path, "name a file with a list of class names for each class")
    except ArtifactError as error:
        raise DenoiserError(
            f"competitors by {path}: expected screen, proxy, wordnet, or a JSON file; {error}"
        ) from error
    if not all(isinstance(others, list) for others in lists.values()):
        raise DenoiserError(f"{path}: expected a list of class names for each class.")
    return lists
