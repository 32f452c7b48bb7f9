"""The label bridge: the class of a diffusion model for each class of a data set.

A model of ImageNet's thousand classes numbers them in the order of their WordNet ids (n01440764, ...), which are also
the names of the folders of ImageNet, ImageNette and ImageWoof; so ImageNette's ten classes are 0, 217, 482, ... A
denoiser that was fitted to a data set lists its classes in its card, in order. Any other model needs a mapping: a TOML
or JSON file from class names to the model's numbers, or `order` if its classes are the data set's, in the same order.

References:
    ImageNet Large Scale Visual Recognition Challenge (Russakovsky et al., 2015), https://arxiv.org/abs/1409.0575
    The list of ids: https://github.com/huggingface/pytorch-image-models, timm/data/_info/imagenet_synsets.txt
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...artifacts import ArtifactError, read_json, read_text
from ...data import Split
from .base import Denoiser, DenoiserError, how_to_fit

log = logging.getLogger(__name__)

__all__ = ["Bridged", "bridge", "class_ids", "imagenet_wnids", "read_mapping", "wordnet_ancestors"]


def imagenet_wnids() -> tuple[str, ...]:
    """The WordNet ids of ImageNet-1K's classes, in the order of their numbers."""
    return tuple(wordnet_ancestors())


def wordnet_ancestors() -> dict[str, list[str]]:
    """The hypernyms in WordNet 3.0 of each class of ImageNet-1K, the nearest first, without those that cover no more
    classes than the one before; in the order of the class numbers.
    """
    lines = (files("drd_plugin") / "data" / "names" / "imagenet_classes.txt").read_text().splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines}


def read_mapping(path: Path) -> dict[str, int]:
    """The mapping in a file from class names to a model's class numbers.

    Raises:
        DenoiserError: If the file cannot be read, or a value is no integer.
    """
    path, remedy = Path(path), "write a line NAME = NUMBER for each class in TOML, or a table in JSON"
    try:
        content = read_json(path, remedy) if path.suffix.lower() == ".json" else tomllib.loads(read_text(path))
    except ArtifactError as error:
        raise DenoiserError(f"the mapping of classes {error}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DenoiserError(f"the mapping of classes {path} cannot be read as TOML ({error}): {remedy}.") from error
    wrong = {name: number for name, number in content.items() if type(number) is not int}
    if wrong:
        name, number = next(iter(wrong.items()))
        raise DenoiserError(f"{path}: expected the number of a class of the model for {name!r}, got {number!r:.80}.")
    return content


def class_ids(denoiser: Denoiser, split: Split, labels: str = "auto", unmapped: str = "refuse") -> list[int]:
    """The model's class for each class of the data set.

    Arguments:
        denoiser: The diffusion model.
        split: The training split.
        labels: `auto`, `order`, or a file with a mapping.
        unmapped: `refuse`, or `null` to give classes that the model lacks its null class.

    Raises:
        DenoiserError: If a class has no number, or one that the model lacks.
    """
    ids = _by_name(denoiser, split, labels)
    missing = [name for name in split.classes if name not in ids]
    if missing and (unmapped != "null" or denoiser.null_class is None):
        mapping = "" if labels in ("auto", "order") else f"the mapping {labels} has no number for {_some(missing)}; "
        raise DenoiserError(mapping + _missing(denoiser, split, missing))
    wrong = next((name for name in split.classes if not 0 <= ids.get(name, 0) < denoiser.num_classes), None)
    if wrong is not None:
        raise DenoiserError(
            f"the model has the classes 0 to {denoiser.num_classes - 1}, but the mapping {labels} gives {wrong!r} the "
            f"number {ids[wrong]}."
        )
    return [int(ids.get(name, denoiser.null_class or 0)) for name in split.classes]


def _by_name(denoiser: Denoiser, split: Split, labels: str) -> Mapping[str, int]:
    """The model's class numbers by class name, without the classes whose numbers are unknown."""
    if labels == "order":
        if denoiser.num_classes != split.num_classes:
            raise DenoiserError(
                f"the model has {denoiser.num_classes} classes and {split.name} {split.num_classes}, so they are not "
                "the same in the same order: give labels=FILE with a line NAME = NUMBER for each."
            )
        return {name: i for i, name in enumerate(split.classes)}
    if labels != "auto":
        mapping = read_mapping(Path(labels))
        if foreign := sorted(mapping.keys() - set(split.classes)):
            log.warning("%s: %d names are no classes of %s: %s", labels, len(foreign), split.name, _some(foreign))
        return mapping
    fitted = denoiser.card.get("classes")
    if fitted is not None:
        return {name: i for i, name in enumerate(fitted)}
    wnids = imagenet_wnids()
    if denoiser.num_classes == len(wnids):
        return {wnid: i for i, wnid in enumerate(wnids)}
    return {}


def _missing(denoiser: Denoiser, split: Split, missing: list[str]) -> str:
    """The message about classes that the model lacks."""
    fitted = denoiser.card.get("classes")
    classes = f"{denoiser.num_classes} classes" + (f" ({_some(fitted)})" if fitted else "")
    return (
        f"the denoiser has {classes}, and none for {len(missing)} of the {split.num_classes} classes of {split.name} "
        f"({_some(missing)}): give labels=FILE with a line NAME = NUMBER for each, or labels=order if they are the "
        "model's in the same order, or unmapped=null to score these without a class, or fit a denoiser for these "
        f"classes ({how_to_fit(split)})."
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


class Bridged:
    """A `Denoiser` whose labels are the data set's own classes.

    Arguments:
        inner: The diffusion model.
        ids: The model's class for each class of the data set.
        classes: The data set's class names.
    """

    def __init__(self, inner: Denoiser, ids: list[int], classes: tuple[str, ...]) -> None:
        self.inner, self.num_classes = inner, len(ids)
        self.alphas_cumprod = inner.alphas_cumprod
        self.image_shape, self.latent_shape = inner.image_shape, inner.latent_shape
        self.encode, self.decode = inner.encode, inner.decode
        null = [] if inner.null_class is None else [inner.null_class]
        self.null_class = len(ids) if null else None
        self.ids = torch.tensor([*ids, *null])
        self.card: Mapping[str, Any] = {**inner.card, "class_ids": dict(zip(classes, ids, strict=True))}

    def predict_noise(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise in x_t; the labels are the data set's."""
        return self.inner.predict_noise(x_t, t, self.ids.to(labels.device)[labels])


def bridge(denoiser: Denoiser, split: Split, labels: str = "auto", unmapped: str = "refuse") -> Denoiser:
    """The denoiser with the data set's own classes as labels; see `class_ids`."""
    return Bridged(denoiser, class_ids(denoiser, split, labels, unmapped), split.classes)
