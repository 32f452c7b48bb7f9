"""The one decoder: from an image file, or an image of Pillow, to square 8-bit grey or colour.

- The orientation of the EXIF data is applied; EXIF data that cannot be read are ignored.
- 16 bits are divided by 256 (the high byte), and floating point in [0, 1] is multiplied by 255. Whole numbers of 32
  bits, whose range is not known, and floating point outside [0, 1] are refused.
- Transparency, of an alpha channel, of a palette or of one colour, is laid on a background colour.
- Palettes, CMYK and other colour spaces become RGB by Pillow's conversions; colour profiles are not applied.
- Of an animation, the first frame is taken.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

from .crops import CROPS
from .split import DataError

__all__ = ["Decoded", "Decoding", "Mode", "decode", "is_grey", "open_image", "readable_endings", "whole_size"]

Mode = Literal["rgb", "grey"]
"""Whether images are decoded in colour or in grey."""

GREY: Final = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N"}
SIXTEEN_BITS: Final = {"I;16", "I;16L", "I;16B", "I;16N"}
STUBS: Final = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow recognises and cannot decode by itself."""

PHOTOMETRIC: Final = 262
"""The TIFF tag that is 0 for grey images in which 0 is white."""


class Decoded(NamedTuple):
    """A decoded image, and what was done to it that its owner may not expect.

    Arguments:
        image: The image, RGB or L.
        remarks: Some of `turned`, `16 bits`, `floating point`, `transparent`, `animated`.
    """

    image: Image.Image
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Decoding:
    """How images are decoded.

    Arguments:
        size: Height and width in pixels, at least 1.
        mode: `rgb` for colour, or `grey`.
        crop: How an image becomes square: `fit`, or `adm`; see `drd_plugin.data.crops`.
        background: The colour behind transparent pixels, by an HTML name or as #RRGGBB.

    Raises:
        DataError: If a setting is wrong.
    """

    size: int = 224
    mode: Mode = "rgb"
    crop: str = "fit"
    background: str = "white"

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole_size(self.size))
        if self.mode not in get_args(Mode):
            raise DataError(f"mode: expected rgb or grey, got {self.mode!r}.")
        if self.crop not in CROPS:
            raise DataError(f"crop: expected {' or '.join(CROPS)}, got {self.crop!r}.")
        try:
            ImageColor.getrgb(self.background)
        except (ValueError, AttributeError, TypeError):
            raise DataError(f"background: expected a colour, white or #7f7f7f, got {self.background!r}.") from None

    @property
    def channels(self) -> int:
        """The number of channels, C: 3 or 1."""
        return 3 if self.mode == "rgb" else 1

    @property
    def background_rgb(self) -> bytes:
        """The red, green and blue of the background."""
        return bytes(ImageColor.getrgb(self.background)[:3])

    def square(self, image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
        """An opened image as uint8[C, size, size], and the remarks of `Decoded`."""
        decoded, remarks = decode(image, self.mode, self.background)
        pixels = np.atleast_3d(np.asarray(CROPS[self.crop](decoded, self.size)))
        return pixels.transpose(2, 0, 1), remarks


def whole_size(size: object) -> int:
    """A size in pixels as an integer; raises DataError unless it is a whole number, at least 1."""
    if isinstance(size, bool) or not isinstance(size, int | float | np.integer) or not (size >= 1 and size % 1 == 0):
        raise DataError(f"size: expected a whole number of pixels, at least 1, got {size!r}.")
    return int(size)


@cache
def readable_endings() -> frozenset[str]:
    """The endings of the names of image files that Pillow reads, in lower case with their dot."""
    formats = Image.registered_extensions()
    return frozenset(end for end, form in formats.items() if form in Image.OPEN and form not in STUBS)


@contextmanager
def open_image(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The image in a file, or in its content, opened; its pixels are read when they are first used.

    Arguments:
        source: The file, or its content.
        name: The name of the image in messages.

    Raises:
        DataError: If it cannot be decoded, here or inside the block.
    """
    mend = "replace it, or leave it out."
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            yield image
    except UnidentifiedImageError as error:
        raise DataError(f"{name} cannot be read as an image (its content is of no format of images): {mend}") from error
    except DataError as error:
        raise DataError(f"{name} cannot be read as an image ({error}): {mend}") from None
    except Exception as error:  # of the many kinds that Pillow's readers raise
        raise DataError(f"{name} cannot be read as an image ({error}): {mend}") from error


def is_grey(image: Image.Image) -> bool:
    """Whether the image has no colour, by its mode."""
    return image.mode in GREY


def decode(image: Image.Image, mode: Mode, background: str = "white") -> Decoded:
    """The image upright, in 8 bits and without transparency.

    Arguments:
        image: The image as Pillow opened it; of an animation, its first frame.
        mode: `rgb`, or `grey` (Pillow's mode L).
        background: The colour behind transparent pixels.

    Raises:
        DataError: If its numbers have no known range; the message lacks the image's name, which `open_image` adds.
    """
    remarks = ["animated"] if getattr(image, "is_animated", False) else []
    deep_colour = image.mode not in SIXTEEN_BITS and ";16" in str(getattr(image, "tile", ""))
    sixteen_bits = image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in ("PNG", "PPM"))
    inverted = sixteen_bits and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0
    image, turned = _upright(image)
    if turned:
        remarks.append("turned")
    if sixteen_bits or deep_colour:
        remarks.append("16 bits")
    if sixteen_bits:
        high = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        image = Image.fromarray(255 - high if inverted else high)
    elif image.mode in ("I", "F"):
        image = _from_numbers(image)
        remarks.append("floating point")
    elif image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
            image = Image.alpha_composite(Image.new("RGBA", image.size, background), image)
            remarks.append("transparent")
    name = "RGB" if mode == "rgb" else "L"
    return Decoded(image if image.mode == name else image.convert(name), tuple(remarks))


def _upright(image: Image.Image) -> tuple[Image.Image, bool]:
    """The image as its orientation says, and whether it was turned; as it is where its orientation cannot be read."""
    image.load()
    try:
        turned = image.getexif().get(0x0112) in range(2, 9)
        return (ImageOps.exif_transpose(image), True) if turned else (image, False)
    except Exception:  # a camera's broken EXIF data must not cost its picture
        return image, False


def _from_numbers(image: Image.Image) -> Image.Image:
    """An image of floating-point numbers in [0, 1] with 8 bits; raises DataError for any other."""
    if image.mode == "I":
        raise DataError("it has whole numbers of 32 bits, whose range is not known; save it with 8 or 16 bits a pixel")
    values = np.asarray(image)
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError(
            f"it has floating-point numbers from {values.min():g} to {values.max():g}, expected [0, 1]; scale them, or "
            "save it with 8 or 16 bits a pixel"
        )
    return Image.fromarray((values * 255).round().astype(np.uint8))
