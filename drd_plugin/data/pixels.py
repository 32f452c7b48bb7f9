"""Images as users give them in arrays and tensors, and as a split holds them: uint8[n, C, H, W] of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["handed_over", "owned", "pixels_of"]

AT_ONCE = 2**24
"""The pixels that are converted at a time, so that their conversion takes little memory."""

OWNED = "_held_by_splits"
"""The attribute of tensors that splits alone hold."""

log = logging.getLogger(__name__)


def handed_over(tensor: Tensor) -> Tensor:
    """The tensor itself, marked as one that nobody else will change, so that splits hold it without a copy."""
    setattr(tensor, OWNED, True)
    return tensor


def owned(tensor: Tensor) -> Tensor:
    """A copy of a tensor in the CPU's memory that nobody else holds; the tensor itself if it was handed over."""
    if getattr(tensor, OWNED, False):
        return tensor
    return handed_over(tensor.detach().cpu().clone())


def pixels_of(name: str, images: Any) -> Tensor:
    """A copy of the images, uint8[n, C, H, W], in the memory format of the original.

    Arguments:
        name: The data set's name, for messages.
        images: An array, a tensor, or a list of them, [n, C, H, W] or [n, H, W]: whole numbers in 0..255, numbers of 16
            bits without sign (of which the high byte is taken if one is above 255), floating point in [0, 1], or truth
            values (black and white).

    Raises:
        DataError: If a pixel is NaN or out of range, or the images have another shape or type.
    """
    import torch

    source = _source(name, images)
    shape = _checked_shape(name, tuple(source.shape))
    depth = _depth(name, source)
    if isinstance(source, np.ndarray):
        pixels = torch.from_numpy(np.empty_like(source, np.uint8))
    else:
        pixels = torch.empty_like(source, dtype=torch.uint8)
    pixels, start = pixels if pixels.ndim == 4 else pixels.unsqueeze(1), 0
    for part in _parts(source):
        numbers = part.view(-1, *shape[1:])
        if depth == "float":
            numbers = (numbers * 255).round_()
        elif depth != "byte":
            numbers = numbers >> 8 if depth == "16 bits" else numbers * 255
        pixels[start : start + len(part)] = numbers
        start += len(part)
    return handed_over(pixels)


def _source(name: str, images: Any) -> np.ndarray | Tensor:
    """The images as an array or tensor of real numbers."""
    if isinstance(images, list | tuple) and images and hasattr(images[0], "detach"):
        images = [image.detach().cpu().numpy() for image in images]
    if hasattr(images, "detach"):
        source, wrong = images.detach().cpu(), images.is_complex()
    else:
        try:
            source = np.asarray(images)
        except ValueError as error:
            raise DataError(f"{name}: expected images of one shape: {error}.") from error
        wrong = source.dtype.kind not in "biuf"
    if wrong:
        hint = ": give one array of all, np.stack([...])" if source.dtype == object else ""
        kind = type(images).__name__ if not source.ndim else f"an array of {source.dtype}"
        raise DataError(f"{name}: expected images of whole numbers or floating point, got {kind}{hint}.")
    if np.ma.is_masked(images):
        raise DataError(f"{name}: expected images of which every pixel is there, got masked ones: fill them.")
    return source


def _checked_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape [n, C, H, W] of images; raises DataError if they have another, or the channels last."""
    if len(shape) == 3:
        shape = (shape[0], 1, *shape[1:])
    if len(shape) != 4 or 0 in shape[1:]:
        raise DataError(f"{name}: expected images of shape [n, C, H, W] or [n, H, W] with pixels, got {shape}.")
    _, channels, height, width = shape
    few = (1, 3, 4)
    if (width in few and channels not in few) or (4 < channels == height != width):
        raise DataError(
            f"{name}: images of shape {shape} look like [n, H, W, C], expected [n, C, H, W]: "
            "transpose them with images.transpose(0, 3, 1, 2)."
        )
    if channels > width and channels not in few and height != width:
        log.warning(
            "%s: images of shape %s are taken as %d channels of %d x %d pixels: where the channels come last, give "
            "images.transpose(0, 3, 1, 2)", name, shape, channels, height, width,
        )  # fmt: skip
    return shape


def _parts(source: np.ndarray | Tensor) -> Iterator[Tensor]:
    """The images in order, some at a time, as tensors of a type that torch computes with."""
    import torch

    step = max(1, AT_ONCE // prod(source.shape[1:]))
    for start in range(0, len(source), step):
        part = source[start : start + step]
        if isinstance(part, np.ndarray):
            kind = part.dtype
            if kind.itemsize > 8:
                kind = np.dtype(np.float64)
            elif kind.kind == "u" and kind.itemsize > 1:
                kind = np.dtype(np.int64)
            part = torch.from_numpy(np.array(part, kind.newbyteorder("="), order="C"))
        elif str(part.dtype) in ("torch.uint16", "torch.uint32", "torch.uint64"):
            part = part.to(torch.int64)
        yield part.contiguous()


def _depth(name: str, source: np.ndarray | Tensor) -> str:
    """How the numbers are read: `float`, `byte`, `16 bits` or `bool`; raises DataError if one is out of range."""
    import torch

    first = next(_parts(source), torch.zeros(0, dtype=torch.uint8))
    if first.dtype == torch.bool:
        return "bool"
    if first.is_floating_point():
        _check_floats(name, source)
        return "float"
    ends = [(int(part.min()), int(part.max())) for part in _parts(source)]
    low, high = min((low for low, _ in ends), default=0), max((high for _, high in ends), default=0)
    if high > 255 and str(source.dtype).removeprefix("torch.").lstrip("<>") in ("uint16", "u2"):
        log.warning("%s: of 16-bit pixels, the greatest of which is %d, the high byte is taken", name, high)
        return "16 bits"
    if low < 0 or high > 255:
        raise DataError(f"{name}: expected integer pixels in 0..255, got {low} to {high}.")
    if high == 1:
        log.warning("%s: no pixel is above 1 of 255; where 1 is white, give truth values (images.astype(bool))", name)
    return "byte"


def _check_floats(name: str, source: np.ndarray | Tensor) -> None:
    """Raises DataError unless all numbers are in [0, 1]."""
    outside = [(~((part >= 0) & (part <= 1))).flatten(1).any(1).numpy() for part in _parts(source)]
    broken = np.flatnonzero(np.concatenate([*outside, np.zeros(0, bool)]))
    if not len(broken):
        return
    finite = (part[part.isfinite()] for part in _parts(source) if part.isfinite().any())
    ends = [(float(numbers.min()), float(numbers.max())) for numbers in finite]
    low, high = min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=0.0)
    hint = "scale or repair them"
    if low >= 0 and 1 < high <= 255 and len(broken) > len(source) / 2:
        hint = "if they go up to 255, divide them by 255"
    elif -1 <= low < 0 and high <= 1:
        hint = "if they were normalised to [-1, 1], give (images + 1) / 2"
    first = int(broken[0])
    image = next(_parts(source[first : first + 1]))[0]
    place = (~((image >= 0) & (image <= 1))).nonzero()[0].tolist()
    raise DataError(
        f"{name}: {len(broken)} images hold NaN or values outside [0, 1] (the first: {broken[:5].tolist()}; "
        f"images[{', '.join(map(str, [first, *place]))}] is {float(image[tuple(place)]):g}, and all finite values go "
        f"from {low:g} to {high:g}): {hint}."
    )
