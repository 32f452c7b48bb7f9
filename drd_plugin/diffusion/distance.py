r"""The perceptual deviation of two images by the LPIPS formula: a squared distance between weighted, channel-normalised
features.

    d(x, y) = sum_l 1 / (H_l W_l) sum_{h,w} || w_l * (f_l(x)_{hw} / |f_l(x)_{hw}| - f_l(y)_{hw} / |f_l(y)_{hw}|) ||^2

so each image can be embedded once, and d is the squared Euclidean distance of two embeddings. The features are those of
AlexNet or VGG16, with the learned weights of the `lpips` package, or of a network trained on the data set itself, with
w = 1. `mse` embeds the pixels.

References:
    The Unreasonable Effectiveness of Deep Features as a Perceptual Metric (Zhang et al., 2018),
    https://arxiv.org/abs/1801.03924, https://github.com/richzhang/PerceptualSimilarity (`lpips` 0.1.4)
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from typing_extensions import override

from ..artifacts.files import load_tensors, save_tensors
from ..core.job import Job
from ..data import DataError, Split
from ..training.loop import train
from ..training.nets import Net, build
from ..training.recipe import Recipe

__all__ = ["CRITIC", "Embedding", "critic", "embedding", "has_lpips", "resolve_distance"]

CRITIC = Recipe(net="convnet", steps=400, batch_size=128, evaluations=1)
"""The recipe of the critic, the network whose features replace those of a pretrained trunk."""

TRUNKS = {"lpips-alex": "alexnet", "lpips-vgg": "vgg16"}


class Embedding(Protocol):
    """Maps images to vectors whose squared Euclidean distance is the deviation; its `name` is unique."""

    name: str

    def __call__(self, images: Tensor) -> Tensor:
        """The vectors float32[B, D] of images float32[B, C, H, W] in [-1, 1]."""


class Pixels(Embedding):
    """The pixels, whose deviation is the mean squared error."""

    name = "mse"

    @override
    def __call__(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return flat / flat.shape[1] ** 0.5


class NetworkFeatures(Embedding):
    """The features of a network's convolution blocks, for the LPIPS formula with w = 1.

    Arguments:
        net: A network whose backbone is a sequence of blocks.
        split: The network's training split, whose statistics normalise the images.
    """

    def __init__(self, net: Net, split: Split) -> None:
        self.name = f"network {_digest(net.backbone)}"
        self.backbone = net.backbone.eval()
        device = next(net.parameters()).device
        self.mean, self.std = (torch.tensor(v, device=device).view(1, -1, 1, 1) for v in split.statistics)

    @override
    def __call__(self, images: Tensor) -> Tensor:
        x = ((images + 1) / 2 - self.mean) / self.std
        maps = []
        for block in self.backbone.children():
            x = block(x)
            if x.ndim == 4 and not isinstance(block, nn.AdaptiveAvgPool2d):
                maps.append(x)
        return _concatenate(maps)


class LPIPS(Embedding):
    """The features of a trunk of the `lpips` package, with its learned weights.

    Arguments:
        name: `lpips-alex` or `lpips-vgg`.
        device: The device; computation is always in float32, since the package's epsilon vanishes in half precision.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        import lpips

        self.name = name
        self.model = lpips.LPIPS(net=name.removeprefix("lpips-"), verbose=False).to(device).eval().requires_grad_(False)

    @override
    def __call__(self, images: Tensor) -> Tensor:
        """The vectors float32[B, D]; grey images are repeated to three channels."""
        x = self.model.scaling_layer(images.float().expand(-1, 3, -1, -1))
        weights = [lin.model[-1].weight.clamp_min(0).sqrt() for lin in self.model.lins]
        return _concatenate(self.model.net(x), weights)


def _digest(net: nn.Module) -> str:
    """A digest of a network's weights, since the rounding of their training depends on device and threads."""
    sha = hashlib.sha256()
    for value in net.state_dict().values():
        sha.update(value.cpu().numpy().tobytes())
    return sha.hexdigest()[:16]


def _concatenate(maps: Iterable[Tensor], weights: Iterable[Tensor | float] | None = None) -> Tensor:
    """The maps of each image, normalised and weighted as in the LPIPS formula, in one vector."""
    parts = []
    for x, weight in zip(maps, itertools.repeat(1.0) if weights is None else weights, strict=False):
        unit = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
        parts.append((unit / (x.shape[2] * x.shape[3]) ** 0.5 * weight).flatten(1))
    return torch.cat(parts, 1)


def has_lpips(name: str) -> bool:
    """Whether the lpips package and the trunk's weights are on this machine, so that nothing must be downloaded."""
    from torchvision.models import get_model_weights

    file = get_model_weights(TRUNKS[name]).DEFAULT.url.rsplit("/", 1)[1]
    return find_spec("lpips") is not None and (Path(torch.hub.get_dir()) / "checkpoints" / file).is_file()


def critic(split: Split, seed: int, device: str) -> Net:
    """The network whose features replace those of a pretrained trunk, trained on the split by `CRITIC`."""
    return train(split, CRITIC, seed_init=seed, seed_order=seed, device=device, least_classes=1).net


def resolve_distance(name: str, split: Split) -> str:
    """The name itself, or for `auto`: `lpips-alex` if its weights are on this machine and the images have at least 64
    pixels, else `network`.
    """
    if name != "auto":
        return name
    return "lpips-alex" if split.shape[1] >= 64 and has_lpips("lpips-alex") else "network"


def embedding(name: str, split: Split, seed: int, job: Job = Job()) -> Embedding:
    """The embedding of the distance with this name.

    Arguments:
        name: `mse`, `network`, `lpips-alex`, `lpips-vgg`, or `auto` (see `resolve_distance`).
        split: The data set, on which `network` is trained.
        seed: The seed of that training.
        job: How and where; the trained network is stored in its folder, and read from there.

    Raises:
        DataError: If the name is unknown, or the weights of LPIPS are not on this machine.
    """
    name = resolve_distance(name, split)
    if name == "mse":
        return Pixels()
    if name == "network":
        return NetworkFeatures(_stored_critic(split, seed, job), split)
    if name in TRUNKS:
        if not has_lpips(name):
            raise DataError(
                f"{name} needs the package lpips (pip install lpips) and torchvision's {TRUNKS[name]} "
                f"weights in {torch.hub.get_dir()}/checkpoints: import torchvision; "
                f"torchvision.models.{TRUNKS[name]}(weights='DEFAULT') fetches them."
            )
        return LPIPS(name, job.torch_device)
    raise DataError(f"unknown distance {name!r}: expected auto, network, mse, {', '.join(TRUNKS)}.")


def _stored_critic(split: Split, seed: int, job: Job) -> Net:
    """The critic, read from the job's folder if it is there, else trained."""
    device, path = job.torch_device, job.path("critic.safetensors")
    if path is None:
        return critic(split, seed, str(device)).to(device).eval()
    if not path.exists():
        save_tensors(critic(split, seed, str(device)).state_dict(), path, first=True)
    state, _ = load_tensors(path)
    net = build(CRITIC.net, split.shape[0], split.shape[1], split.num_classes, seed)
    net.load_state_dict(state)
    return net.to(device).eval()
