"""The networks by name; torch is imported only when one is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.registry import Deferred, Registry

if TYPE_CHECKING:
    from .net import Net

__all__ = ["NETS"]

ABOUT = {
    "nets:convnet": "Three convolution blocks (width, 2 and 4 x width) and global average pooling; from 8 pixels up.",
    "nets:convnet_small": "`convnet` with half the channels: for digits, and for many trainings on a CPU.",
    "nets:lenet": "LeNet-5 with ReLU and max pooling; its convolutions are padded, so that 8 pixels are enough.",
    "nets:resnet18_small": "ResNet-18 with the stem for small images: a 3 x 3 convolution of stride 1 and no pooling.",
    "nets:resnet18": "torchvision's ResNet-18.",
    "nets:resnet50": "torchvision's ResNet-50.",
    "nets:efficientnet_b0": "torchvision's EfficientNet-B0.",
    "nets:vit_b_16": "torchvision's ViT-B/16; the image size must be a multiple of 16.",
    "text_nets:textcnn": "Convolutions over one, two and three words, 32 features each, and their maxima over a text.",
    "text_nets:text_attention": "A transformer encoder of two layers of 64 features, averaged over the words.",
}
"""The networks of this package, each as `MODULE:NAME`, and the first sentences of their docstrings."""

NETS: Registry[Callable[[int, int, int], Net]] = Registry(
    "net",
    "drd_plugin.nets",
    {path.split(":")[1]: Deferred(f"drd_plugin.training.{path}", about) for path, about in ABOUT.items()},
)
"""Functions of (channels, size, num_classes); for texts of (numbers, length, num_classes), marked by `for_texts`."""
