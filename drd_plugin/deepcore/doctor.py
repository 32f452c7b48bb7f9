"""What works here: versions, devices, caches, data sets, DeepCore, and each of DeepCore's methods, tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ..core.provenance import processor, versions
from ..data.catalog import DEBIAN_FASHION_MNIST
from ..data.split import CACHE
from .base import Args
from .borrowed import MAIN
from .bridge import host_dataset, quiet, with_own_randomness
from .compat import OF_METHODS, repaired, script_utils
from .host import DeepCoreMissing, deepcore, methods_of, where
from .trial import failure, made_up

__all__ = ["VARIANTS", "Verdict", "environment_rows", "examine"]

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Uniform": ("Uniform", {}),
    "ContextualDiversity": ("ContextualDiversity", {}),
    "Herding": ("Herding", {}),
    "kCenterGreedy": ("kCenterGreedy", {}),
    "Uncertainty (LeastConfidence)": ("Uncertainty", {"selection_method": "LeastConfidence"}),
    "Uncertainty (Entropy)": ("Uncertainty", {"selection_method": "Entropy"}),
    "Uncertainty (Margin)": ("Uncertainty", {"selection_method": "Margin"}),
    "Forgetting": ("Forgetting", {}),
    "GraNd": ("GraNd", {"repeat": 1}),
    "Cal": ("Cal", {}),
    "DeepFool": ("DeepFool", {}),
    "Craig": ("Craig", {}),
    "GradMatch": ("GradMatch", {}),
    "Glister": ("Glister", {}),
    "Submodular (GraphCut)": ("Submodular", {"function": "GraphCut"}),
    "Submodular (FacilityLocation)": ("Submodular", {"function": "FacilityLocation"}),
}
"""The sixteen methods of DeepCore's paper: a class of `deepcore.methods` and its settings."""


@dataclass(frozen=True)
class Verdict:
    """How a method of DeepCore did.

    Arguments:
        works: Whether it selected as it is.
        repairs: The repairs with which it does; empty if it works, or none helps.
        reason: Why it does not, as it is.
    """

    works: bool
    repairs: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        if self.works:
            return "works"
        cure = f"works with --compat {' '.join(self.repairs)}" if self.repairs else "does not work"
        return f"{cure} ({self.reason})"


def examine(name: str) -> Verdict:
    """Tries one of `VARIANTS` on a handful of made-up images, as main.py would call it: as it is, and with all
    repairs, of which those that make no difference are not named. A method that gives weights must hand them to a
    training batch.

    Raises:
        DeepCoreMissing: If DeepCore is not importable.
    """
    kind, settings = VARIANTS[name]
    if kind not in methods_of(deepcore("methods")):
        return Verdict(False, reason="this checkout does not have it")
    reason = _failure(kind, settings, ())
    if not reason:
        return Verdict(True)
    for repairs in (OF_METHODS, (*OF_METHODS, "weights")):
        still = _failure(kind, settings, repairs)
        if not still:
            return Verdict(False, _needed(kind, settings, repairs), reason)
    return Verdict(False, reason=f"{reason}; with all repairs: {still}")


def _needed(kind: str, settings: dict[str, Any], repairs: tuple[str, ...]) -> tuple[str, ...]:
    """The repairs without those that make no difference."""
    for repair in repairs:
        fewer = tuple(one for one in repairs if one != repair)
        repairs = repairs if _failure(kind, settings, fewer) else fewer
    return repairs


def _failure(kind: str, settings: dict[str, Any], repairs: tuple[str, ...]) -> str:
    """Why a method does not select with these repairs; empty if it does."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args = Args(model="LeNet", selection_batch=20, workers=0, channel=1, im_size=(28, 28), num_classes=4, device=device)

    def attempt() -> None:
        with quiet(), with_own_randomness(), repaired(repairs):
            data = host_dataset(made_up())
            result = getattr(deepcore("methods"), kind)(data, args, 0.5, 0, epochs=1, **{**MAIN, **settings}).select()
            _check(data, result)

    return failure(attempt)


def _check(data: Any, result: dict[str, Any]) -> None:
    """Raises RuntimeError if nothing was selected, or weights do not reach a training batch."""
    if len(result["indices"]) == 0:
        raise RuntimeError("it selects nothing")
    if "weights" in result:
        subset = script_utils().WeightedSubset(data, result["indices"], result["weights"])
        batch = next(iter(torch.utils.data.DataLoader(subset, batch_size=4)))
        if not isinstance(batch[0], (list, tuple)):
            raise RuntimeError("its weights do not reach the training batch")


def environment_rows() -> Iterator[tuple[str, str]]:
    """What is installed and found, as rows of a table."""
    yield "python, packages", ", ".join(f"{name} {number}" for name, number in versions().items())
    yield "processor", f"{processor()}, {os.cpu_count()} cores"
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield "GPUs", ", ".join(gpus) or "none that torch sees"
    yield "model cache (torch)", _folder(Path(torch.hub.get_dir()) / "checkpoints")
    hub = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface")) / "hub"
    yield "model cache (Hugging Face)", _folder(Path(hub))
    yield "data set digits", "embedded"
    for name in ("fashion_mnist", "cifar10", "cifar100"):
        yield f"data set {name}", _data(name)
    yield (
        "prefetch_generator",
        _installed("prefetch_generator", "DeepCore's main.py needs it: pip install prefetch_generator"),
    )
    yield "DeepCore", _deepcore()


def _folder(path: Path) -> str:
    return f"{path}, {len(list(path.iterdir()))} entries" if path.is_dir() else f"{path} is not there"


def _data(name: str) -> str:
    places = {
        "fashion_mnist": [DEBIAN_FASHION_MNIST, CACHE / "FashionMNIST"],
        "cifar10": [CACHE / "cifar-10-batches-py"],
        "cifar100": [CACHE / "cifar-100-python"],
    }
    return next((str(path) for path in places[name] if path.is_dir()), "not here; downloaded when asked for")


def _installed(package: str, otherwise: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return f"not installed; {otherwise}"


def _deepcore() -> str:
    try:
        deepcore("methods")
    except DeepCoreMissing as error:
        return str(error)
    except ImportError as error:
        return f"{where()} cannot be imported: {error}"
    return str(where())
