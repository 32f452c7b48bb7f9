"""One HTML page of an audit with the pictures of its findings; it needs no network and no other file."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from PIL import Image

from .contents import Contents
from .findings import Audit, Example
from .page import HEADINGS, of_share, sizes_of
from .reading import picture

__all__ = ["in_pictures"]

MOST, MOST_EQUAL, MOST_LINES = 36, 6, 200
"""The groups and the lines that are shown of a finding, and the examples of a group."""

SIDE = 112
"""The longer side of a picture in pixels; smaller ones are enlarged without smoothing."""


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Arguments:
        example: The example.
        uri: Its image as a data URI; "" where it cannot be read.
        width, height: Its size on the page in pixels.
        enlarged: Whether it is smaller than that.
        text: The beginning of a text.
    """

    example: Example
    uri: str = field(default="", repr=False)
    width: int = 0
    height: int = 0
    enlarged: bool = False
    text: str = ""


@dataclass(frozen=True)
class Group:
    """Pictures side by side, and how many more there are."""

    pictures: list[Picture]
    more: int


def in_pictures(audit: Audit, contents: Contents) -> str:
    """The page.

    Arguments:
        audit: The audit.
        contents: The data set that was audited, of which the examples on the page are read again.
    """
    from jinja2 import Environment, PackageLoader

    sections = [
        (
            weight,
            heading,
            [(finding, [_group(group, contents) for group in finding.groups[:MOST]]) for finding in findings],
        )
        for weight, heading in HEADINGS.items()
        if (findings := audit.of_weight(weight))
    ]
    page = Environment(loader=PackageLoader("drd_plugin.data.audit"), autoescape=True).get_template("check.html")
    sizes, shares = [*sizes_of(audit)], [*map(of_share, audit.shares)]
    return page.render(audit=audit, sections=sections, sizes=sizes, shares=shares, most_lines=MOST_LINES)


def _group(group: tuple[Example, ...], contents: Contents) -> Group:
    pictures = [_picture(example, contents) for example in group[:MOST_EQUAL]]
    return Group(pictures, len(group) - len(pictures))


def _picture(example: Example, contents: Contents) -> Picture:
    if contents.kind == "texts":
        _, i = contents.part_at(example.place)
        text: Any = contents.parts[example.part].images[i]  # type: ignore[index]
        return Picture(example, text=text[:300] or "no text")
    image = picture(contents, example.place)
    if image is None:
        return Picture(example)
    scale = SIDE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    if scale < 1:
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)
    buffer = BytesIO()
    image.save(buffer, "PNG" if scale >= 1 else "JPEG", quality=85)
    uri = f"data:image/{'png' if scale >= 1 else 'jpeg'};base64,{b64encode(buffer.getvalue()).decode()}"
    return Picture(example, uri, width, height, scale > 1)
