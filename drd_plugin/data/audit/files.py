"""Findings about single images or texts, and about files that are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..decoded import DecodedImages
from .contents import Contents
from .findings import Finding, Weight, counted
from .reading import Readings

__all__ = ["of_examples", "of_strays"]

CUT_OFF = re.compile("truncat|end of file|unexpected eof|broken data stream", re.IGNORECASE)
"""The reasons of Pillow for not reading a file that ends too early."""

REMARKED = {
    "turned": (("turned",), "turned upright, as the EXIF data say", ""),
    "deep": (
        ("16 bits", "floating point"),
        "with more than 8 bits a pixel, of which 8 are used",
        "if what counts is in the lower bits, scale them yourself",
    ),
    "transparent": (
        ("transparent",),
        "with transparent pixels, laid on {background}",
        "choose another colour with --background",
    ),
    "animated": (("animated",), "with several frames, of which the first is used", "save the frames as files"),
}
"""The remarks of the decoder, the text and what to do, by the name of a finding."""

STRAYS = {
    "hidden": ("hidden image file", "not read", "remove the dot from the name of what belongs to the set"),
    "others": ("file", "without an ending of an image in the folders of classes, not read", "convert what is an image"),
    "outside": ("image", "outside the folders of the classes, not read", "put it into the folder of its class"),
    "nested": ("image", "in folders inside those of the classes, read", "see whether these folders are classes"),
}
"""The noun, the text and what to do of a finding about files, by its kind."""


def of_examples(contents: Contents, readings: Readings) -> Iterator[Finding]:
    """Examples that cannot be read, are not what they seem, or are empty."""
    cut_off = [place for place, error in readings.errors.items() if CUT_OFF.search(error)]
    others = [place for place in readings.errors if not CUT_OFF.search(readings.errors[place])]
    mend = "replace them, or leave them out"
    yield from _single(contents, "unreadable", "wrong", others, "that cannot be read", mend, readings.errors)
    yield from _single(contents, "truncated", "wrong", cut_off, "that cannot be read to the end", mend, readings.errors)
    for name, (kinds, text, remedy) in REMARKED.items():
        places = {
            place: ", ".join(of_kind)
            for place, remarks in readings.remarks.items()
            if (of_kind := [remark for remark in remarks if remark in kinds])
        }
        text = text.format(background=_background(contents))
        yield from _single(contents, name, "know", [*places], text, remedy, places if len(kinds) > 1 else {})
    empty = np.flatnonzero(readings.empty).tolist()
    if contents.kind == "texts":
        yield from _single(contents, "empty", "know", empty, "without a word", "leave them out")
    else:
        yield from _single(contents, "constant", "know", empty, "of one colour", "see whether they were saved well")


def of_strays(contents: Contents) -> Iterator[Finding]:
    """Files that are not read, or lie where they are not expected."""
    for kind, (noun, text, remedy) in STRAYS.items():
        names = contents.strays.get(kind, [])
        if names:
            yield Finding(kind, "know", len(names), f"{counted(len(names), noun)} {text}", remedy, lines=tuple(names))


def _single(
    contents: Contents,
    name: str,
    weight: Weight,
    places: Sequence[int],
    text: str,
    remedy: str,
    remarks: dict[int, str] | None = None,
) -> Iterator[Finding]:
    """A finding about examples at some places, if there are any."""
    if places:
        groups = tuple((contents.example(place, (remarks or {}).get(place, "")),) for place in sorted(places))
        text = f"{counted(len(places), contents.kind[:-1])} {text}"
        yield Finding(name, weight, len(places), text, remedy, groups)


def _background(contents: Contents) -> str:
    images = contents.train.images
    return images.decoding.background if isinstance(images, DecodedImages) else ""
