"""Finding DeepCore: its modules, its nets, and the unrelated package of the same name.

DeepCore is a bare repository that is put on PYTHONPATH; PyPI's `deepcore` is something else.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from ..core.registry import unknown
from ..training.nets import Net

__all__ = [
    "DeepCoreMissing",
    "NetForDeepCore",
    "available",
    "deepcore",
    "impostor",
    "methods_of",
    "net_family",
    "package_folder",
]

ADDRESS = "https://github.com/PatrickZH/DeepCore"


class DeepCoreMissing(ValueError):
    """DeepCore is not importable, or another package has taken its name."""


def package_folder() -> Path | None:
    """The folder of the importable package `deepcore`, DeepCore's or another; None if there is none."""
    spec = importlib.util.find_spec("deepcore")
    return None if spec is None else Path(next(iter(spec.submodule_search_locations or []), spec.origin or ""))


def available() -> bool:
    """Whether the importable `deepcore` is DeepCore."""
    folder = package_folder()
    return folder is not None and (folder / "methods").is_dir() and (folder / "nets").is_dir()


def impostor() -> str:
    """The message about an unrelated package called `deepcore`."""
    return (
        f"the package deepcore in {package_folder()} is not DeepCore ({ADDRESS}) but an unrelated one, as PyPI has it."
    )


def deepcore(module: str) -> ModuleType:
    """One of DeepCore's modules: `methods`, `datasets`, `nets`.

    Raises:
        DeepCoreMissing: If DeepCore is not importable.
    """
    if package_folder() is None:
        raise DeepCoreMissing(
            f"DeepCore is not importable: clone {ADDRESS} and put the checkout on PYTHONPATH (it is not on PyPI)."
        )
    if not available():
        raise DeepCoreMissing(f"{impostor()} pip uninstall deepcore, or put a checkout before it on PYTHONPATH.")
    return importlib.import_module(f"deepcore.{module}")


def nets_of(module: ModuleType) -> dict[str, Callable[..., nn.Module]]:
    """The networks by name: callables that take a channel count, a class count and an image size."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if name[0].isupper()
        and callable(thing)
        and thing.__module__.startswith("deepcore.")
        and list(inspect.signature(thing).parameters)[:3] == ["channel", "num_classes", "im_size"]
    }


def methods_of(module: ModuleType) -> dict[str, type]:
    """DeepCore's own methods by name, without their base classes and without what was added to the module."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if isinstance(thing, type)
        and issubclass(thing, module.CoresetMethod)
        and thing.__module__.startswith("deepcore.")
        and name not in ("CoresetMethod", "EarlyTrain")
    }


def net_family(name: str) -> Callable[[int, int, int], Net]:
    """`deepcore:NAME`: a network of DeepCore, as this library builds networks.

    Raises:
        DeepCoreMissing: If DeepCore is not importable.
        UnknownName: If it has no such network.
    """
    nets = nets_of(deepcore("nets"))
    if name not in nets:
        raise unknown("net of DeepCore", name, nets)

    def make(channels: int, size: int, num_classes: int) -> Net:
        try:
            net = nets[name](channels, num_classes, (size, size)).eval()
            images = torch.zeros(2, channels, size, size)
            net(images)
            return DeepCoreNet(net.train(), _takes_channels_last(net, images))
        except (NotImplementedError, RuntimeError) as error:
            raise ValueError(
                f"DeepCore's {name} is not made for {channels} x {size} x {size} images: {error}"
            ) from error

    return make


def _takes_channels_last(net: nn.Module, images: Tensor) -> bool:
    """Whether a network in `eval` mode can work in the memory format `channels_last`.

    One that flattens by `view` cannot as it is; the outputs of its parts are made contiguous then, which costs less
    than slow pooling does.
    """
    net.to(memory_format=torch.channels_last)
    images = images.to(memory_format=torch.channels_last)
    if _runs(net, images):
        return True
    hooks = [part.register_forward_hook(_contiguous) for part in net.children()]
    if _runs(net, images):
        return True
    for hook in hooks:
        hook.remove()
    net.to(memory_format=torch.contiguous_format)
    return False


def _runs(net: nn.Module, images: Tensor) -> bool:
    try:
        net(images)
    except RuntimeError:
        return False
    return True


def _contiguous(module: nn.Module, inputs: Any, output: Any) -> Any:
    return output.contiguous() if isinstance(output, Tensor) else output


class DeepCoreNet(Net):
    """A network of DeepCore as a `Net`.

    Arguments:
        net: The network, with an `embedding_recorder` before its last layer.
        channels_last: See `Net`.
    """

    backbone: _Embedding

    def __init__(self, net: Any, channels_last: bool) -> None:
        nn.Module.__init__(self)
        self.backbone, self.channels_last = _Embedding(net), channels_last

    @override
    def forward(self, images: Tensor) -> Tensor:
        return self.backbone.net(images)


class _Embedding(nn.Module):
    net: Any

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        with self.net.embedding_recorder:
            self.net(images)
        return self.net.embedding_recorder.embedding


class NetForDeepCore(nn.Module):
    """A `Net` as DeepCore's methods expect a network.

    Arguments:
        net: The network.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net, self.no_grad = net, False
        self.embedding_recorder = deepcore("nets").nets_utils.EmbeddingRecorder()

    def get_last_layer(self) -> nn.Module:
        """The linear head."""
        return self.net.head[-1]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32[B, C]."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.no_grad):
            return self.net.head(self.embedding_recorder(self.net.backbone(images)))
