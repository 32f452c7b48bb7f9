"""The features of pretrained networks, of torchvision and of timm (the extra `timm`), whose weights these packages
download.

Images are resized, cropped and normalised as the weights ask; grey ones are repeated to three channels. Such features
are external knowledge, which a table should mention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision import models
from tqdm.auto import tqdm
from typing_extensions import override

from ..core.job import Job
from ..core.registry import unknown
from ..data import DataError, Split
from ..training.loader import Loader
from .features import FeatureSource

__all__ = ["TimmFeatures", "TorchvisionFeatures", "headless"]

BATCH = 64
"""Images a batch; small ones too are enlarged to what the network takes."""


@dataclass(frozen=True)
class TorchvisionFeatures(FeatureSource):
    """The inputs of the last linear layer of a torchvision classifier with its default weights.

    Arguments:
        network: Its name, `resnet18`.
    """

    network: str

    @override
    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        return {"weights": str(self._weights())}

    @override
    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """Raises DataError if the weights cannot be downloaded, or the images are neither grey nor coloured."""
        weights = self._weights()
        try:
            weights.get_state_dict(check_hash=True, weights_only=True)  # the same file is next read without that care
            network = models.get_model(self.network, weights=weights)
        except (OSError, RuntimeError, UnpicklingError) as error:
            raise DataError(
                f"the weights of torchvision:{self.network} are not to be had ({error}): put {weights.url} into "
                f"{torch.hub.get_dir()}/checkpoints."
            ) from error
        return _rows(headless(network), weights.transforms(), split, job, self.network)

    def _weights(self) -> Any:
        names = models.list_models(module=models)
        if self.network not in names:
            raise unknown("network of torchvision", self.network, names)
        return models.get_model_weights(self.network).DEFAULT


@dataclass(frozen=True)
class TimmFeatures(FeatureSource):
    """The pooled features of a timm network with pretrained weights.

    Arguments:
        network: Its name, `vit_small_patch14_dinov2`, with a tag (`.lvd142m`) for others than the default weights.
    """

    network: str

    @override
    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        config = self._timm().get_pretrained_cfg(self.network)
        return {"weights": f"{config.architecture}.{config.tag}" if config.tag else config.architecture}

    @override
    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """Raises DataError if the weights cannot be downloaded, or the images are neither grey nor coloured."""
        timm = self._timm()
        try:
            network = timm.create_model(self.network, pretrained=True, num_classes=0)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"the weights of timm:{self.network} are not to be had ({error}): copy them into the cache of the "
                "Hugging Face hub."
            ) from error
        config = timm.data.resolve_model_data_config(network)
        return _rows(network, timm.data.create_transform(**config), split, job, self.network)

    def _timm(self) -> Any:
        try:
            import timm
        except ImportError as error:
            raise DataError("timm:NAME needs the package timm: pip install 'drd_plugin[timm]'.") from error
        if not timm.is_model_pretrained(self.network):
            raise DataError(
                f"timm has no pretrained network {self.network!r}: timm.list_pretrained('*resnet*') finds names."
            )
        return timm


def headless(network: nn.Module) -> nn.Module:
    """A classifier without its last linear layer, in place.

    Raises:
        DataError: If it has none.
    """
    heads = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not heads:
        raise DataError(f"{type(network).__name__} has no linear layer whose inputs could be the features.")
    above, _, name = heads[-1].rpartition(".")
    setattr(network.get_submodule(above), name, nn.Identity())
    return network


@torch.no_grad()
def _rows(
    network: nn.Module, prepare: Callable[[Tensor], Tensor], split: Split, job: Job, label: str
) -> Iterator[np.ndarray]:
    """The features, batch by batch, of images float32[B, 3, H, W] in [0, 1] that `prepare` transforms."""
    channels = split.shape[0]
    if channels not in (1, 3):
        raise DataError(
            f"{split.name} has images of {channels} channels: pretrained networks take grey or coloured ones."
        )
    device = job.torch_device
    network.to(device).eval()
    loader = Loader(split, device, ([0.0] * channels, [1.0] * channels))
    batches = torch.arange(len(split)).split(BATCH)
    bar = tqdm(loader.over(batches), label, len(batches), leave=False, disable=not job.progress, mininterval=1)
    for _, images in bar:
        yield network(prepare(images.expand(-1, 3, -1, -1))).flatten(1).float().cpu().numpy()
