"""Sheets of factors: the examples for which the most frequent and the rarest living units are most active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from textwrap import shorten

import numpy as np
from matplotlib import pyplot as plt
from tabulate import tabulate

from ..artifacts import write_aside
from ..data import Split
from ..data.mosaic import cell_of, mosaic
from .artifact import Factors

__all__ = ["UnitExamples", "draw_sheet", "pick_units", "write_table"]

LONG = 160
"""The most characters of a text in a table."""

TITLES = {"frequent": "The most frequent units", "rare": "The rarest living units"}


@dataclass(frozen=True, eq=False)
class UnitExamples:
    """A unit and the examples for which it is most active.

    Arguments:
        unit: Its number.
        frequency: p_j.
        count: The number of examples for which it is active.
        kind: `frequent` or `rare`.
        examples: Positions, strongest first, int64[at most columns].
        most: The commonest class among the examples for which it is active, and its share of them, in [0, 1].
    """

    unit: int
    frequency: float
    count: int
    kind: str
    examples: np.ndarray
    most: tuple[str, float]


def pick_units(factors: Factors, split: Split, rows: int = 6, columns: int = 10) -> list[UnitExamples]:
    """The most frequent units and the rarest living ones, by falling frequency.

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
    return [_unit_examples(factors, split, int(unit), kind, columns) for kind, unit in kinds]


def _unit_examples(factors: Factors, split: Split, unit: int, kind: str, columns: int) -> UnitExamples:
    examples = factors.codes.strongest(unit, len(factors))
    counts = np.bincount(split.labels[examples], minlength=split.num_classes)
    most = split.classes[int(counts.argmax())], float(counts.max() / counts.sum())
    return UnitExamples(unit, float(factors.frequency[unit]), len(examples), kind, examples[:columns], most)


def draw_sheet(units: Sequence[UnitExamples], split: Split, path: Path) -> None:
    """Writes a contact sheet as PNG: the frequent units above, the rare ones below, a row for each.

    Arguments:
        units: The units.
        split: The split with the images.
        path: The file.
    """
    kinds = {kind: [unit for unit in units if unit.kind == kind] for kind in dict.fromkeys(unit.kind for unit in units)}
    columns, rows = max(len(unit.examples) for unit in units), [len(part) for part in kinds.values()]
    size = (0.7 * columns + 1.8, 0.75 * sum(rows) + 0.5 * len(rows))
    figure, axes = plt.subplots(len(kinds), 1, figsize=size, height_ratios=rows, squeeze=False, layout="constrained")
    for ax, (kind, part) in zip(axes.flat, kinds.items(), strict=True):
        ax.imshow(mosaic(split, [unit.examples for unit in part]), interpolation="nearest")
        ax.set_yticks([(row + 0.5) * cell_of(split) for row in range(len(part))], map(_caption, part), fontsize=7)
        ax.set_title(
            f"{TITLES[kind]}, how many examples have them, and the commonest class of these", fontsize=8, loc="left"
        )
        ax.set(xlim=(-0.5, columns * cell_of(split) - 0.5), xticks=[])
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    with write_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=150, bbox_inches="tight")
    plt.close(figure)


def _caption(unit: UnitExamples) -> str:
    return f"unit {unit.unit}: {_share(unit)}\n{_most(unit)}"


def _share(unit: UnitExamples) -> str:
    if unit.frequency >= 0.01:
        return f"{100 * unit.frequency:.1f} %"
    return "1 example" if unit.count == 1 else f"{unit.count} examples"


def _most(unit: UnitExamples) -> str:
    return f"{unit.most[0]} ({100 * unit.most[1]:.0f} %)"


def write_table(units: Sequence[UnitExamples], texts: Sequence[str], path: Path) -> None:
    """Writes a table of texts as Markdown, a row for each unit.

    Arguments:
        units: The units.
        texts: The split's texts.
        path: The file.
    """
    rows = [(unit.kind, unit.unit, _share(unit), _most(unit), _quoted(unit, texts)) for unit in units]
    table = tabulate(rows, ["kind", "unit", "have it", "most are", "most active for"], "pipe", disable_numparse=True)
    with write_aside(path) as aside:
        aside.write_text(table + "\n")


def _quoted(unit: UnitExamples, texts: Sequence[str]) -> str:
    """A unit's texts, cut off where they are long, as one cell of a table."""
    cut = (shorten(str(texts[int(i)]), LONG, placeholder=" ...") for i in unit.examples)
    return "<br>".join(escape(text).replace("|", "&#124;") for text in cut)
