"""A `Net`: a backbone whose outputs are the penultimate features, and a linear head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor, nn

from ..data import Kind

__all__ = ["Net", "TextNet", "for_texts", "kind_of"]

M = TypeVar("M", bound=Callable[..., Any])


class Net(nn.Module):
    """A classifier in two parts.

    Arguments:
        backbone: From images [B, C, H, W], or the numbers of words int64[B, 1, 1, L], to features [B, width].
        width: The number of features.
        num_classes: The number of classes.
        dropout: The dropout before the head, in [0, 1).
        channels_last: Whether the network takes images in the memory format `channels_last`, which is faster.
    """

    channels_last = True

    def __init__(self, backbone: nn.Module, width: int, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, [B, num_classes]."""
        return self.head(self.backbone(images))


class TextNet(Net):
    """A classifier of texts."""

    channels_last = False


def for_texts(make: M) -> M:
    """The function itself, marked as one of (numbers, length, num_classes) whose network takes texts."""
    make.kind = "texts"  # type: ignore[attr-defined]
    return make


def kind_of(make: Callable[..., Net]) -> Kind:
    """The kind of examples that a function's networks take: images, unless it is marked by `for_texts`."""
    return getattr(make, "kind", "images")
