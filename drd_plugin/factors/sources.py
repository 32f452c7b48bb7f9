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

from ..core.registry import Registry
from ..training.recipe import PROXY, Recipe
from .features import FeatureFile, FeatureSource

__all__ = ["FEATURES", "find_source"]


def _proxy(recipe: Recipe = PROXY) -> FeatureSource:
    """The penultimate layer of a network that is trained on the data set itself."""
    from .proxy import ProxyFeatures

    return ProxyFeatures(recipe)


def _torchvision(name: str) -> FeatureSource:
    from .backbones import TorchvisionFeatures

    return TorchvisionFeatures(name)


def _timm(name: str) -> FeatureSource:
    from .backbones import TimmFeatures

    return TimmFeatures(name)


def _minilm() -> FeatureSource:
    """Sentence embeddings of the texts by all-MiniLM-L6-v2 (the extra `text`)."""
    from .sentences import MiniLM

    return MiniLM()


FEATURES: Registry[Callable[[], FeatureSource]] = Registry(
    "feature space",
    "drd_plugin.features",
    {"proxy": _proxy, "minilm": _minilm},
    families={"torchvision": lambda name: partial(_torchvision, name), "timm": lambda name: partial(_timm, name)},
)


def find_source(name: str, recipe: Recipe = PROXY) -> FeatureSource:
    """A feature space by name, or by the path of its file.

    Arguments:
        name: A name in `FEATURES`, `torchvision:NAME`, `timm:NAME`, or a path that ends in .npy or .safetensors.
        recipe: How `proxy` is trained, in epochs.

    Raises:
        UnknownName: If it is neither.
    """
    if name.endswith((".npy", ".safetensors")):
        return FeatureFile(Path(name).expanduser())
    return _proxy(recipe) if name == "proxy" else FEATURES[name]()
