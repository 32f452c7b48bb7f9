"""A check of this machine: versions, devices, caches, data sets, DeepCore, and a trial of each of its methods."""

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
from .bridge import host_dataset, isolated
from .compat import OF_METHODS, repaired, script_utils
from .host import DeepCoreMissing, deepcore, methods_of, package_folder
from .trial import failure, random_split

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

DATA: dict[str, list[Path]] = {
    "fashion_mnist": [DEBIAN_FASHION_MNIST, CACHE / "FashionMNIST"],
    "cifar10": [CACHE / "cifar-10-batches-py"],
    "cifar100": [CACHE / "cifar-100-python"],
}
"""The folders in which a data set may lie."""


@dataclass(frozen=True)
class Verdict:
    """Whether a method of DeepCore works here.

    Arguments:
        works: Whether it works without repairs.
        repairs: The repairs that it needs; empty if it works without, or none helps.
        reason: Why it does not work without repairs.
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
    """The verdict on one of `VARIANTS`: it is tried on a few random images, as main.py would call it, without repairs
    and with all, of which the verdict names those that make a difference. Where a method gives weights, they must reach
    a training batch.

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
        fewer = tuple(other for other in repairs if other != repair)
        repairs = repairs if _failure(kind, settings, fewer) else fewer
    return repairs


def _failure(kind: str, settings: dict[str, Any], repairs: tuple[str, ...]) -> str:
    """Why a method does not select with these repairs; empty if it does."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    args = Args(model="LeNet", selection_batch=20, workers=0, channel=1, im_size=(28, 28), num_classes=4, device=device)

    def attempt() -> None:
        with isolated(), repaired(repairs):
            data = host_dataset(random_split())
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
    """The rows of a table of the installed packages, devices, caches and data sets."""
    yield "python, packages", ", ".join(f"{name} {number}" for name, number in versions().items())
    yield "processor", f"{processor()}, {os.cpu_count()} cores"
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield "GPUs", ", ".join(gpus) or "none that torch sees"
    yield "model cache (torch)", _folder(Path(torch.hub.get_dir()) / "checkpoints")
    hub = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface")) / "hub"
    yield "model cache (Hugging Face)", _folder(Path(hub))
    yield "data set digits", "embedded"
    for name, folders in DATA.items():
        place = next((str(path) for path in folders if path.is_dir()), "not here; downloaded when it is needed")
        yield f"data set {name}", place
    yield "prefetch_generator", _prefetch_generator()
    yield "DeepCore", _deepcore()


def _folder(path: Path) -> str:
    return f"{path}, {len(list(path.iterdir()))} entries" if path.is_dir() else f"{path} is not there"


def _prefetch_generator() -> str:
    try:
        return version("prefetch_generator")
    except PackageNotFoundError:
        return "not installed; DeepCore's main.py needs it: pip install prefetch_generator"


def _deepcore() -> str:
    try:
        deepcore("methods")
    except DeepCoreMissing as error:
        return str(error)
    except ImportError as error:
        return f"{package_folder()} cannot be imported: {error}"
    return str(package_folder())
