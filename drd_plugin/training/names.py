"""The networks by name; torch is imported only when one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.registry import Deferred, Registry

if TYPE_CHECKING:
    from .net import Net

__all__ = ["NETS"]

NETS: Registry[Callable[[int, int, int], Net]] = Registry(
    "net",
    "drd_plugin.nets",
    {
        "convnet": Deferred(
            "drd_plugin.training.nets:convnet",
            "Three convolution blocks (width, 2 x width, 4 x width) and global average pooling; from 8 pixels up.",
        ),
        "convnet_small": Deferred(
            "drd_plugin.training.nets:convnet_small",
            "`convnet` with half the channels: for digits, and for many trainings on a CPU.",
        ),
        "lenet": Deferred(
            "drd_plugin.training.nets:lenet",
            "LeNet-5 with ReLU and max pooling; its convolutions are padded, so that 8 pixels are enough.",
        ),
        "resnet18_small": Deferred(
            "drd_plugin.training.nets:resnet18_small",
            "ResNet-18 with the stem for small images: a 3 x 3 convolution of stride 1 and no pooling.",
        ),
        "resnet18": Deferred("drd_plugin.training.nets:resnet18", "torchvision's ResNet-18."),
        "resnet50": Deferred("drd_plugin.training.nets:resnet50", "torchvision's ResNet-50."),
        "efficientnet_b0": Deferred("drd_plugin.training.nets:efficientnet_b0", "torchvision's EfficientNet-B0."),
        "vit_b_16": Deferred(
            "drd_plugin.training.nets:vit_b_16", "torchvision's ViT-B/16; the image size must be a multiple of 16."
        ),
        "textcnn": Deferred(
            "drd_plugin.training.text_nets:textcnn",
            "Convolutions over one, two and three words, 32 features each, and their maxima over the text.",
        ),
        "text_attention": Deferred(
            "drd_plugin.training.text_nets:text_attention",
            "A transformer encoder of two layers of 64 features, averaged over the words.",
        ),
    },
)
"""Functions of (channels, size, num_classes); for texts of (numbers, length, num_classes), marked by `for_texts`."""
