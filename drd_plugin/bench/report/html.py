"""The parts of the page: sections with text, pictures and folds."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import escape
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from tabulate import tabulate

__all__ = ["Fold", "Picture", "Section", "draw_picture", "html_of", "paragraph", "pictures_of", "table_of"]


@dataclass(frozen=True)
class Picture:
    """A picture, drawn for a light page and for a dark one.

    Arguments:
        light: A `data:` address of the picture on a light page.
        dark: The same for a dark page.
        description: The text for readers who cannot see it.
        caption: The text above it.
        beside: Whether it stands beside others where there is room.
    """

    light: str
    dark: str
    description: str
    caption: str = ""
    beside: bool = False


@dataclass(frozen=True)
class Fold:
    """A part of a section that the reader unfolds.

    Arguments:
        title: Its title, which is always visible.
        html: Its content.
    """

    title: str
    html: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Arguments:
        title: Its heading.
        html: Its text.
        pictures: Its pictures.
        folds: The folds below.
    """

    title: str
    html: str = ""
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    folds: tuple[Fold, ...] = ()

    @property
    def anchor(self) -> str:
        """The name by which links find it."""
        return re.sub(r"\W+", "-", self.title.lower())


def html_of(text: str) -> str:
    """Markdown as HTML; wide tables scroll inside the page, and HTML in the text is shown as text."""
    return _scrolling(str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text)))


def paragraph(text: str) -> str:
    """Plain text as an HTML paragraph."""
    return f"<p>{escape(text)}</p>"


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as HTML, which scrolls inside the page."""
    return _scrolling(tabulate([list(map(str, row)) for row in rows], columns, tablefmt="html", disable_numparse=True))


def _scrolling(html: str) -> str:
    """The HTML with each table in a box that scrolls, also by keyboard, and with column headings marked as such."""
    html = re.sub(r"<th\b(?!ead)", '<th scope="col"', html)
    box = '<div class="scroll" tabindex="0" role="region" aria-label="table"><table>'
    return html.replace("<table>", box).replace("</table>", "</table></div>")


def pictures_of(plots: Mapping[str, Callable[[Axes | None], Axes]]) -> Iterator[Picture]:
    """The pictures of functions, each described by its function's docstring, whose first sentence is the caption."""
    for name, plot in plots.items():
        text = " ".join((getattr(plot, "func", plot).__doc__ or name).split("Arguments:")[0].split())
        yield draw_picture(plot, f"{name}: {text}", re.split(r"(?<=[.;]) ", text)[0].rstrip(".;"))


def draw_picture(
    plot: Callable[[Axes | None], Axes], description: str, caption: str = "", beside: bool = False
) -> Picture:
    """A picture, drawn for both kinds of page; see `Picture`."""
    return Picture(_png(plot, "default"), _png(plot, "dark_background"), description, caption, beside)


def _png(plot: Callable[[Axes | None], Axes], style: str) -> str:
    with plt.style.context(style), io.BytesIO() as png:
        figure: Any = plot(None).get_figure()
        figure.savefig(png, dpi=110, bbox_inches="tight", transparent=True)
        plt.close(figure)
        return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
