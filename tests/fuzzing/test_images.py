"""Fuzzed image files: each gives a picture of the right shape, or an error of our own that names it."""

import io
import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from drd_plugin.data import DataError
from drd_plugin.data.decoding import Decoding, open_image

MODES = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "I;16",
    "F",
    "La",
    "RGBX",
)
FORMATS = (
    "AVIF",
    "BMP",
    "GIF",
    "ICO",
    "JPEG",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "SGI",
    "TGA",
    "TIFF",
    "WEBP",
    "DDS",
    "QOI",
)


@st.composite
def image_files(draw):
    """The content of an image file in some mode, format and size, with odd metadata, perhaps damaged."""
    mode, form = draw(st.sampled_from(MODES)), draw(st.sampled_from(FORMATS))
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng, file = np.random.default_rng(draw(st.integers(0, 2**32))), io.BytesIO()
    image = plain(mode, width, height, rng, draw(st.sampled_from([1, 255, 40_000])))
    more = draw(
        st.sampled_from([{}, {"exif": draw(st.binary(max_size=80))}, {"exif": turned(draw(st.integers(0, 12)))}])
    )
    if draw(st.booleans()) and mode in ("P", "L", "RGB"):
        image.info["transparency"] = draw(st.sampled_from([0, 7, bytes(range(256)), (1, 2, 3)]))
    if draw(st.booleans()) and form in ("GIF", "PNG", "WEBP", "TIFF"):
        more |= {"save_all": True, "append_images": [image.copy()]}
    try:
        image.save(file, form, **more)
        content = file.getvalue()
    except Exception:  # a mode that the format lacks, or metadata that it refuses
        content = draw(st.binary(max_size=200))
    return damaged(draw, content)


def plain(mode, width, height, rng, largest):
    if mode in ("I", "I;16", "F"):
        kind = {"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]
        return Image.fromarray((rng.random((height, width)) * largest).astype(kind))
    base = Image.fromarray(rng.integers(0, 256, (height, width, 4)).astype(np.uint8))
    if mode == "LAB":
        return Image.frombytes("LAB", (width, height), rng.bytes(3 * width * height))
    for step in {"La": ("LA", "La"), "PA": ("P", "PA"), "RGBA": (), "CMYK": ("RGB", "CMYK")}.get(mode, ("RGB", mode)):
        base = base.convert(step)
    return base


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def damaged(draw, content):
    """The content as it is, cut, with other bytes in it, or behind others."""
    how = draw(st.sampled_from(["whole", "whole", "cut", "flipped", "behind", "doubled"]))
    if how == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if how == "flipped" and content:
        changed = bytearray(content)
        for place in draw(st.lists(st.integers(0, len(content) - 1), max_size=8)):
            changed[place] = draw(st.integers(0, 255))
        return bytes(changed)
    if how == "behind":
        return draw(st.binary(max_size=12)) + content
    return content * 2 if how == "doubled" else content


@given(
    image_files(), st.integers(1, 32), st.sampled_from(["rgb", "grey"]), st.sampled_from(["fit", "adm"]),
    st.sampled_from(["white", "#102030"]),
)  # fmt: skip
def test_an_image_file_gives_a_picture_or_an_error_of_our_own(content, size, mode, crop, background):
    decoding = Decoding(size, mode, crop, background)
    with warnings.catch_warnings(action="ignore"):
        try:
            with open_image(content, "the picture") as image:
                pixels, remarks = decoding.square(image)
        except DataError as refusal:
            text = str(refusal)
            assert text.startswith("the picture cannot be read as an image (")
            return
    assert (pixels.dtype, pixels.shape) == (np.uint8, (decoding.channels, size, size))
    assert {*remarks} <= {"turned", "16 bits", "floating point", "transparent", "animated"}
