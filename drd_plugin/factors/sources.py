"""Feature spaces by name.

- `proxy`: the penultimate layer of a network that is trained on the data set itself.
- `torchvision:NAME`, `timm:NAME`: that of a pretrained network of these packages.
- `minilm`: sentence embeddings of the split's texts.
- a path: a .npy or safetensors file of floating-point numbers [n, d], by index.

Other packages announce theirs in the entry-point group `drd_plugin.features`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..core.registry import Deferred, Registry
from ..training.recipe import PROXY, Recipe
from .features import FeatureFile, FeatureSource

__all__ = ["FEATURES", "check_source", "find_source"]

TORCHVISION = Deferred("drd_plugin.factors.backbones:TorchvisionFeatures", "A pretrained network of torchvision.")
TIMM = Deferred("drd_plugin.factors.backbones:TimmFeatures", "A pretrained network of timm.")

FEATURES: Registry[Callable[..., FeatureSource]] = Registry(
    "feature space",
    "drd_plugin.features",
    {
        "proxy": Deferred(
            "drd_plugin.factors.proxy:ProxyFeatures",
            "The penultimate layer of a network that is trained on the data set itself.",
        ),
        "minilm": Deferred(
            "drd_plugin.factors.sentences:MiniLM",
            "Sentence embeddings of the texts by all-MiniLM-L6-v2 (the extra `text`).",
        ),
    },
    families={
        "torchvision": lambda name: partial(TORCHVISION.load(), name),
        "timm": lambda name: partial(TIMM.load(), name),
    },
)


FILES = (".npy", ".safetensors")
"""The endings of files of features."""


def check_source(name: str) -> None:
    """Raises UnknownName unless this is the name of a feature space, or the path of a file; nothing is imported."""
    if not name.endswith(FILES):
        FEATURES.check(name)


def find_source(name: str, recipe: Recipe = PROXY) -> FeatureSource:
    """A feature space by name, or by the path of its file.

    Arguments:
        name: A name in `FEATURES`, `torchvision:NAME`, `timm:NAME`, or a path that ends in .npy or .safetensors.
        recipe: How `proxy` is trained, in epochs.

    Raises:
        UnknownName: If it is neither.
    """
    if name.endswith(FILES):
        return FeatureFile(Path(name).expanduser())
    return FEATURES[name](recipe) if name == "proxy" else FEATURES[name]()
