"""The torch device that a name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["resolve_device"]


def resolve_device(device: str = "auto") -> torch.device:
    """The torch device with this name; `auto` is the first GPU where there is one, else the CPU.

    Raises:
        ValueError: If the name is no device, or that of a GPU that torch does not see.
    """
    import torch

    try:
        resolved = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    except RuntimeError as error:
        raise ValueError(f"unknown device {device!r}: expected auto, cpu, cuda, cuda:0, ...") from error
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"torch sees {torch.cuda.device_count()} GPUs, but the device {device!r} was asked for.")
    return resolved
