"""What an audit finds: plain dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Audit", "Example", "Finding", "Share", "Weight", "counted"]

Weight = Literal["wrong", "know"]
"""Whether a finding makes results wrong, or is something that one should know."""


@dataclass(frozen=True, order=True)
class Example:
    """An example of a data set.

    Arguments:
        part: `train` or `test`.
        name: The path of its file below the root, its row, or its position.
        label: The name of its class.
        remark: What is particular about it, if the finding does not say it.
        place: Its place among all examples that were read, those of the training split first.
    """

    part: str
    name: str
    label: str
    remark: str = ""
    place: int = field(default=-1, repr=False)


@dataclass(frozen=True)
class Finding:
    """One kind of finding.

    Arguments:
        name: Its name.
        weight: `wrong` or `know`.
        count: How many there are.
        text: What was found, which begins with the count.
        remedy: What to do; "" where there is nothing to do.
        groups: The examples, in groups: of one, or of those that are the same.
        lines: The names of what are no examples: classes, or files that are not read.
    """

    name: str
    weight: Weight
    count: int
    text: str
    remedy: str
    groups: tuple[tuple[Example, ...], ...] = field(default=(), repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Share:
    """What a fraction keeps of the training split.

    Arguments:
        fraction: The share of the examples that is kept.
        budget: k, the number of examples that is.
        smallest: What a share in proportion keeps of the smallest class.
        emptied: The classes of which a share in proportion keeps none.
        risks: The chance that a random subset has none of a class, by the name of the class, where it is 1 % or more.
    """

    fraction: float
    budget: int
    smallest: int
    emptied: tuple[str, ...]
    risks: dict[str, float]


@dataclass(frozen=True)
class Audit:
    """The audit of a data set.

    Arguments:
        dataset: The data set's name.
        root: Where it lies; "" where it has no place.
        kind: `images` or `texts`.
        sizes: The number of examples of each class in the training and in the test split, by class, by part.
        held_out: Whether the test split is a fifth of the examples, since there is no other.
        findings: Those that make results wrong, and then the others.
        shares: What fractions leave in each class.
    """

    dataset: str
    root: str
    kind: str
    sizes: dict[str, dict[str, int]]
    held_out: bool
    findings: tuple[Finding, ...]
    shares: tuple[Share, ...]

    @property
    def wrong(self) -> bool:
        """Whether anything makes results wrong."""
        return any(finding.weight == "wrong" for finding in self.findings)

    def of_weight(self, weight: Weight) -> Sequence[Finding]:
        """The findings of a weight, in order."""
        return [finding for finding in self.findings if finding.weight == weight]


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number and its noun, in the plural unless it is one."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
