"""The features of pretrained networks, of torchvision and of timm (the extra `timm`), whose weights these packages
download.

Images are resized, cropped and normalised as the weights ask; grey ones are repeated to three channels. Such features
are external knowledge, which a table should say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..core.job import Job
from ..core.registry import unknown
from ..data import DataError
from ..training.loader import Loader

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["TimmFeatures", "TorchvisionFeatures", "headless"]

BATCH = 64
"""Images at once, which become large, however small they are in the data set."""


@dataclass(frozen=True)
class TorchvisionFeatures:
    """What enters the last linear layer of a torchvision classifier with its default weights.

    Arguments:
        network: Its name, `resnet18`.
    """

    network: str

    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """See `FeatureSource`."""
        return {"weights": str(self._weights())}

    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """See `FeatureSource`.

        Raises:
            DataError: If the weights cannot be downloaded, or the images are neither grey nor coloured.
        """
        from torchvision.models import get_model

        weights = self._weights()
        try:
            weights.get_state_dict(check_hash=True, weights_only=True)  # the same file is next read without that care
            network = get_model(self.network, weights=weights)
        except (OSError, RuntimeError, UnpicklingError) as error:
            raise DataError(
                f"the weights of torchvision:{self.network} are not to be had ({error}): put {weights.url} into "
                f"{torch.hub.get_dir()}/checkpoints."
            ) from error
        return _rows(headless(network), weights.transforms(), split, job, self.network)

    def _weights(self) -> Any:
        from torchvision import models

        names = models.list_models(module=models)
        if self.network not in names:
            raise unknown("network of torchvision", self.network, names)
        return models.get_model_weights(self.network).DEFAULT


@dataclass(frozen=True)
class TimmFeatures:
    """The pooled features of a timm network with pretrained weights.

    Arguments:
        network: Its name, `vit_small_patch14_dinov2`, with a tag (`.lvd142m`) for others than the default weights.
    """

    network: str

    def identity(self, split: Split, seed: int) -> Mapping[str, Any]:
        """See `FeatureSource`."""
        of = self._timm().get_pretrained_cfg(self.network)
        return {"weights": f"{of.architecture}.{of.tag}" if of.tag else of.architecture}

    def rows(self, split: Split, seed: int, job: Job) -> Iterator[np.ndarray]:
        """See `FeatureSource`.

        Raises:
            DataError: If the weights cannot be downloaded, or the images are neither grey nor coloured.
        """
        timm = self._timm()
        try:
            network = timm.create_model(self.network, pretrained=True, num_classes=0)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"the weights of timm:{self.network} are not to be had ({error}): copy them into the cache of the "
                "Hugging Face hub."
            ) from error
        asked = timm.data.resolve_model_data_config(network)
        return _rows(network, timm.data.create_transform(**asked), split, job, self.network)

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
    """Features batch by batch; `prepare` is given float32[B, 3, H, W] in [0, 1]."""
    channels = split.shape[0]
    if channels not in (1, 3):
        raise DataError(
            f"{split.name} has images of {channels} channels: pretrained networks take grey or coloured ones."
        )
    on = job.torch_device
    network.to(on).eval()
    loader = Loader(split, on, ([0.0] * channels, [1.0] * channels))
    batches = torch.arange(len(split)).split(BATCH)
    bar = tqdm(loader.over(batches), label, len(batches), leave=False, disable=not job.progress, mininterval=1)
    for _, images in bar:
        yield network(prepare(images.expand(-1, 3, -1, -1))).flatten(1).float().cpu().numpy()
