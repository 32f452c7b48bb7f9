"""What the page is made of: sections with text, pictures and what is folded at first."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Fold", "Picture", "Section", "drawn", "html_of", "paragraph", "pictures_of", "table_of"]


@dataclass(frozen=True)
class Picture:
    """A picture, drawn for a light page and for a dark one.

    Arguments:
        light: As a `data:` address.
        dark: The same in other colours.
        says: What is to be seen, for those who cannot.
        caption: What stands above.
        beside: Whether it stands beside others where there is room.
    """

    light: str
    dark: str
    says: str
    caption: str = ""
    beside: bool = False


@dataclass(frozen=True)
class Fold:
    """Something that is folded at first.

    Arguments:
        title: What is seen of it.
        html: The rest.
    """

    title: str
    html: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Arguments:
        title: Its heading.
        html: What it says.
        pictures: What it shows.
        folds: What stands below, folded.
    """

    title: str
    html: str = ""
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    folds: tuple[Fold, ...] = ()

    @property
    def anchor(self) -> str:
        """Its name in addresses."""
        return re.sub(r"\W+", "-", self.title.lower())


def html_of(text: str) -> str:
    """Markdown as HTML; tables scroll by themselves, and markup in the text is text."""
    from markdown_it import MarkdownIt

    return _scrolling(str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text)))


def paragraph(text: str) -> str:
    """Plain text as HTML."""
    from markupsafe import escape

    return f"<p>{escape(text)}</p>"


def table_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as HTML; it scrolls by itself."""
    from tabulate import tabulate

    return _scrolling(tabulate([list(map(str, row)) for row in rows], columns, tablefmt="html", disable_numparse=True))


def _scrolling(html: str) -> str:
    """With each table in a box of its own, which the keyboard reaches, and its headings marked as those of columns."""
    html = re.sub(r"<th\b(?!ead)", '<th scope="col"', html)
    box = '<div class="scroll" tabindex="0" role="region" aria-label="table"><table>'
    return html.replace("<table>", box).replace("</table>", "</table></div>")


def pictures_of(plots: Mapping[str, Callable[[Axes | None], Axes]]) -> Iterator[Picture]:
    """The pictures that functions draw; what they say is their docstring, whose first sentence stands above."""
    for name, plot in plots.items():
        said = " ".join((getattr(plot, "func", plot).__doc__ or name).split("Arguments:")[0].split())
        yield drawn(plot, f"{name}: {said}", re.split(r"(?<=[.;]) ", said)[0].rstrip(".;"))


def drawn(plot: Callable[[Axes | None], Axes], says: str, caption: str = "", beside: bool = False) -> Picture:
    """A picture, drawn twice; see `Picture`."""
    return Picture(_png(plot, "default"), _png(plot, "dark_background"), says, caption, beside)


def _png(plot: Callable[[Axes | None], Axes], style: str) -> str:
    from matplotlib import pyplot as plt

    with plt.style.context(style), io.BytesIO() as png:
        figure: Any = plot(None).get_figure()
        figure.savefig(png, dpi=110, bbox_inches="tight", transparent=True)
        plt.close(figure)
        return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
