"""Repairs that let DeepCore's own code run on today's PyTorch, torchvision and NumPy. Only the launcher's `--compat`
and the context `repaired()` apply them, and DeepCore's files stay as they are.

Each repair is a context that replaces an attribute of a module or class, and restores it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torchvision import models
from torchvision.models.inception import Inception_V3_Weights

from ..core.registry import unknown
from .host import DeepCoreMissing, deepcore, package_folder

__all__ = ["OF_METHODS", "REPAIRS", "repaired", "script_utils"]


def weights() -> AbstractContextManager[Any]:
    """`WeightedSubset` gives the weights again, with which Craig and GradMatch train (torch's `Subset` now fetches
    batches without it).
    """

    def fetch(self: Any, indices: list[int]) -> list[Any]:
        return [self[i] for i in indices]

    return patch.object(script_utils().WeightedSubset, "__getitems__", fetch)


def resume() -> AbstractContextManager[Any]:
    """`--resume` reads DeepCore's checkpoints again, still weights-only: the few plain types in them are allowed, also
    under their names in NumPy 1.
    """
    core = getattr(np, "_core", None) or np.core
    constructors = [core.multiarray._reconstruct, core.multiarray.scalar]
    scalars = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.bool_)]
    renamed = [(constructor, f"numpy.core.multiarray.{constructor.__name__}") for constructor in constructors]
    allowed = [SimpleNamespace, np.ndarray, np.dtype, *scalars, *constructors, *renamed]
    present = torch.serialization.get_safe_globals()
    return torch.serialization.safe_globals([entry for entry in allowed if entry not in present])


def in1d() -> AbstractContextManager[Any]:
    """`np.in1d`, which NumPy removed and kCenterGreedy calls, is `np.isin`."""
    return contextlib.nullcontext() if hasattr(np, "in1d") else patch.object(np, "in1d", np.isin, create=True)


@contextlib.contextmanager
def model_urls() -> Iterator[None]:
    """The tables of pretrained weights that torchvision removed and kCenterGreedy and Cal read."""
    families = [getattr(models, name) for name in ("resnet", "vgg", "mobilenetv3", "inception")]
    with ExitStack() as stack:
        for family in families:
            if not hasattr(family, "model_urls"):
                stack.enter_context(patch.object(family, "model_urls", _urls(), create=True))
        yield


def forgetting() -> AbstractContextManager[Any]:
    """Forgetting counts on a GPU again: positions and mask are indexed on one device."""

    def after_loss(self: Any, outputs: Any, loss: Any, targets: Any, batch_inds: Any, epoch: int) -> None:
        with torch.no_grad():
            correct = (outputs.argmax(1) == targets).float()
            index = torch.as_tensor(batch_inds, device=correct.device)
            self.forgetting_events[index] += (self.last_acc[index] - correct > 0.01).float()
            self.last_acc[index] = correct

    return patch.object(deepcore("methods").Forgetting, "after_loss", after_loss)


def deepfool() -> AbstractContextManager[Any]:
    """DeepFool moves images on a CPU again: it adds in place, which a leaf of the graph no longer allows."""
    kind = deepcore("methods").DeepFool
    original = kind.deep_fool

    def deep_fool(self: Any, inputs: torch.Tensor) -> Any:
        return original(self, inputs.requires_grad_(True).clone())

    return patch.object(kind, "deep_fool", deep_fool)


REPAIRS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    repair.__name__: repair for repair in (weights, resume, in1d, model_urls, forgetting, deepfool)
}

OF_METHODS: tuple[str, ...] = ("in1d", "model_urls", "forgetting", "deepfool")
"""The repairs of methods; the others are of main.py and its `utils`."""


@contextlib.contextmanager
def repaired(names: Iterable[str] = tuple(REPAIRS)) -> Iterator[None]:
    """Applies repairs within a `with` block.

    Raises:
        UnknownName: If there is no such repair.
        DeepCoreMissing: If DeepCore, or the module that is repaired, is not importable.
    """
    with ExitStack() as stack:
        for name in names:
            if name not in REPAIRS:
                raise unknown("repair", name, REPAIRS)
            stack.enter_context(REPAIRS[name]())
        yield


def script_utils() -> ModuleType:
    """DeepCore's top-level module `utils`, which its main.py imports.

    Raises:
        DeepCoreMissing: If `utils` is another module, or cannot be imported.
    """
    deepcore("methods")
    folder, spec = package_folder(), importlib.util.find_spec("utils")
    expected = None if folder is None else folder.parent / "utils.py"
    if "utils" not in sys.modules and (spec is None or spec.origin != str(expected)):
        raise DeepCoreMissing(f"the module utils is not DeepCore's {expected}: put the checkout first on PYTHONPATH.")
    try:
        return importlib.import_module("utils")
    except ImportError as error:
        raise DeepCoreMissing(
            f"DeepCore's {expected} cannot be imported ({error}): pip install prefetch_generator."
        ) from error


def _urls() -> dict[str, str]:
    """The address of the first ImageNet weights of each model, by name."""
    urls = {name: kinds[0].url for name in models.list_models() if (kinds := list(models.get_model_weights(name)))}
    return urls | {"inception_v3_google": Inception_V3_Weights.IMAGENET1K_V1.url}
