"""Networks by name. Each is a `Net`: a backbone whose outputs are the penultimate features, and a linear head.

`convnet`, `convnet_small`, `lenet` and `resnet18_small` are for small images; `resnet18`, `resnet50`, `efficientnet_b0`
and `vit_b_16` are torchvision's, untrained, with a head for C classes. Those for texts are in
`drd_plugin.training.text_nets`.

References:
    Gradient-based learning applied to document recognition (LeCun et al., 1998), https://doi.org/10.1109/5.726791
    Deep Residual Learning for Image Recognition (He et al., 2016), https://arxiv.org/abs/1512.03385
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn

from ..core.seeds import seeded
from ..data import Kind, Split
from .names import NETS
from .net import Net, kind_of

__all__ = ["Net", "build", "check_net", "net_for"]


def _block(channels: int, out: int, pool: bool) -> nn.Sequential:
    layers = [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


def convnet(channels: int, size: int, num_classes: int, width: int = 32) -> Net:
    """Three convolution blocks (width, 2 and 4 x width) and global average pooling; from 8 pixels up."""
    blocks = OrderedDict(
        block1=_block(channels, width, pool=size > 8),
        block2=_block(width, 2 * width, pool=True),
        block3=_block(2 * width, 4 * width, pool=True),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    return Net(nn.Sequential(blocks), 4 * width, num_classes)


def convnet_small(channels: int, size: int, num_classes: int) -> Net:
    """`convnet` with half the channels: for digits, and for many trainings on a CPU."""
    return convnet(channels, size, num_classes, width=16)


def lenet(channels: int, size: int, num_classes: int) -> Net:
    """LeNet-5 with ReLU and max pooling; its convolutions are padded, so that 8 pixels are enough."""
    side = size // 4
    backbone = nn.Sequential(
        nn.Sequential(nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Sequential(nn.Linear(16 * side * side, 120), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Linear(120, 84), nn.ReLU(inplace=True)),
    )
    return Net(backbone, 84, num_classes)


def resnet18_small(channels: int, size: int, num_classes: int) -> Net:
    """ResNet-18 with the stem for small images: a 3 x 3 convolution of stride 1 and no pooling."""
    net = resnet18(channels, size, num_classes)
    net.backbone.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    net.backbone.maxpool = nn.Identity()
    return net


def resnet18(channels: int, size: int, num_classes: int) -> Net:
    """torchvision's ResNet-18."""
    return _resnet("resnet18", 512, channels, num_classes)


def resnet50(channels: int, size: int, num_classes: int) -> Net:
    """torchvision's ResNet-50."""
    return _resnet("resnet50", 2048, channels, num_classes)


def _torchvision(name: str, **settings: Any) -> Any:
    """torchvision's untrained network with this name; the import of torchvision takes a second, so it is not above."""
    from torchvision.models import get_model

    return get_model(name, **settings)


def _resnet(name: str, width: int, channels: int, num_classes: int) -> Net:
    backbone = _torchvision(name)
    backbone.fc = nn.Identity()
    if channels != 3:
        backbone.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    return Net(backbone, width, num_classes)


def efficientnet_b0(channels: int, size: int, num_classes: int) -> Net:
    """torchvision's EfficientNet-B0."""
    backbone = _torchvision("efficientnet_b0")
    backbone.classifier = nn.Identity()
    if channels != 3:
        backbone.features[0][0] = nn.Conv2d(channels, 32, 3, stride=2, padding=1, bias=False)
    return Net(backbone, 1280, num_classes, dropout=0.2)


def vit_b_16(channels: int, size: int, num_classes: int) -> Net:
    """torchvision's ViT-B/16; the image size must be a multiple of 16."""
    if size % 16:
        raise ValueError(
            f"vit_b_16 cuts images into patches of 16 pixels: expected a size that 16 divides, got {size}."
        )
    backbone = _torchvision("vit_b_16", image_size=size)
    backbone.heads = nn.Identity()
    if channels != 3:
        backbone.conv_proj = nn.Conv2d(channels, 768, 16, stride=16)
    return Net(backbone, 768, num_classes)


def build(name: str, channels: int, size: int, num_classes: int, seed: int, kind: Kind = "images") -> Net:
    """A freshly initialised network; the global random state does not change.

    Arguments:
        name: A name in `NETS`.
        channels: The images' channels; for texts, the numbers of their vocabulary.
        size: The images' height and width in pixels; for texts, the number of words that are read.
        num_classes: The number of classes.
        seed: Determines the initial weights.
        kind: The kind of examples that the network must take.

    Raises:
        UnknownName: If no network has this name.
        ValueError: If it takes another kind of examples.
    """
    check_net(name, kind)
    make = NETS[name]
    with seeded(seed):
        return make(channels, size, num_classes)


def net_for(split: Split, name: str, seed: int) -> Net:
    """A freshly initialised network for the examples of a split; see `build`."""
    return build(name, *split.form, split.num_classes, seed, split.kind)


def check_net(name: str, kind: Kind) -> None:
    """Raises ValueError unless the network with this name takes this kind of examples."""
    if kind_of(NETS[name]) != kind:
        fitting = [other for other, make in NETS.items() if kind_of(make) == kind]
        raise ValueError(f"the net {name} takes {kind_of(NETS[name])}, not {kind}: give one of {', '.join(fitting)}.")
