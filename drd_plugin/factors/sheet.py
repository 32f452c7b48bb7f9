"""What the factors look like: the examples for which the most frequent and the rarest living units are most active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING

import numpy as np

from ..artifacts import write_aside
from ..data.mosaic import cell_of, mosaic

if TYPE_CHECKING:
    from ..data import Split
    from .artifact import Factors

__all__ = ["Shown", "draw_sheet", "shown_units", "write_table"]

LONG = 160
"""The most characters of a text in a table."""

TITLES = {"frequent": "The most frequent units", "rare": "The rarest living units"}


@dataclass(frozen=True, eq=False)
class Shown:
    """A unit and its examples.

    Arguments:
        unit: Its number.
        frequency: p_j.
        count: The number of examples for which it is active.
        kind: `frequent` or `rare`.
        examples: Positions, strongest first, int64[at most columns].
        most: The class of most examples for which it is active, and their share, in [0, 1].
    """

    unit: int
    frequency: float
    count: int
    kind: str
    examples: np.ndarray
    most: tuple[str, float]


def shown_units(factors: Factors, split: Split, rows: int = 6, columns: int = 10) -> list[Shown]:
    """The most frequent units, from the most frequent on, and the rarest living ones, up to the rarest.

    Arguments:
        factors: The factors of the split.
        split: The split.
        rows: How many units of either kind; fewer where there are not twice as many.
        columns: How many examples of each.
    """
    factors.check(split)
    p = factors.frequency
    order = np.argsort(-p, kind="stable")[: int((p > 0).sum())]
    rows = min(rows, -(-len(order) // 2))
    rare = order[max(rows, len(order) - rows) :]
    kinds = [("frequent", unit) for unit in order[:rows]] + [("rare", unit) for unit in rare]
    return [_shown(factors, split, int(unit), kind, columns) for kind, unit in kinds]


def _shown(factors: Factors, split: Split, unit: int, kind: str, columns: int) -> Shown:
    having = factors.codes.strongest(unit, len(factors))
    counts = np.bincount(split.labels[having], minlength=split.num_classes)
    most = split.classes[int(counts.argmax())], float(counts.max() / counts.sum())
    return Shown(unit, float(factors.frequency[unit]), len(having), kind, having[:columns], most)


def draw_sheet(shown: Sequence[Shown], split: Split, path: Path) -> None:
    """Writes a contact sheet as PNG: the frequent units above, the rare ones below, a row for each.

    Arguments:
        shown: The units.
        split: Whose images they are.
        path: The file.
    """
    from matplotlib import pyplot as plt

    kinds = {kind: [of for of in shown if of.kind == kind] for kind in dict.fromkeys(of.kind for of in shown)}
    columns, rows = max(len(of.examples) for of in shown), [len(units) for units in kinds.values()]
    size = (0.7 * columns + 1.8, 0.75 * sum(rows) + 0.5 * len(rows))
    figure, axes = plt.subplots(len(kinds), 1, figsize=size, height_ratios=rows, squeeze=False, layout="constrained")
    for ax, (kind, units) in zip(axes.flat, kinds.items(), strict=True):
        ax.imshow(mosaic(split, [of.examples for of in units]), interpolation="nearest")
        ax.set_yticks([(row + 0.5) * cell_of(split) for row in range(len(units))], map(_caption, units), fontsize=7)
        ax.set_title(
            f"{TITLES[kind]}, how many examples have them, and the commonest class of these", fontsize=8, loc="left"
        )
        ax.set(xlim=(-0.5, columns * cell_of(split) - 0.5), xticks=[])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    with write_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=150, bbox_inches="tight")
    plt.close(figure)


def _caption(of: Shown) -> str:
    return f"unit {of.unit}: {_share(of)}\n{of.most[0]} ({100 * of.most[1]:.0f} %)"


def _share(of: Shown) -> str:
    if of.frequency >= 0.01:
        return f"{100 * of.frequency:.1f} %"
    return "1 example" if of.count == 1 else f"{of.count} examples"


def write_table(shown: Sequence[Shown], texts: Sequence[str], path: Path) -> None:
    """Writes a table of texts as Markdown, a row for each unit.

    Arguments:
        shown: The units.
        texts: The split's texts.
        path: The file.
    """
    from tabulate import tabulate

    rows = [
        (of.kind, of.unit, _share(of), f"{of.most[0]} ({100 * of.most[1]:.0f} %)", _quoted(of, texts)) for of in shown
    ]
    table = tabulate(rows, ["kind", "unit", "have it", "most are", "most active for"], "pipe", disable_numparse=True)
    with write_aside(path) as aside:
        aside.write_text(table + "\n")


def _quoted(of: Shown, texts: Sequence[str]) -> str:
    """The texts, cut off where they are long, as one cell of a table."""
    cut = (shorten(str(texts[int(i)]), LONG, placeholder=" ...") for i in of.examples)
    return "<br>".join(escape(text).replace("|", "&#124;") for text in cut)
