"""`audit`: reads a data set and says what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from ...core.registry import check_fraction
from .classes import FRACTIONS, of_classes, of_shares, shares_of
from .contents import Contents
from .duplicates import of_equal, of_near
from .files import of_examples, of_strays
from .findings import Audit
from .reading import read_all

__all__ = ["audit"]


def audit(contents: Contents, fractions: Sequence[float] | None = None, progress: bool = True) -> Audit:
    """The audit of a data set, which is not changed.

    Arguments:
        contents: The data set: `list_contents(name, root)`, or `contents_of(dataset)`.
        fractions: The shares that are to be kept: what they lose makes results wrong. By default some are looked at.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: If a fraction is not in (0, 1].
    """
    for fraction in fractions or ():
        check_fraction(fraction)
    shares = shares_of(contents, FRACTIONS if fractions is None else fractions)
    readings = read_all(contents, progress)
    findings = chain(
        of_examples(contents, readings),
        of_equal(contents, readings),
        of_classes(contents),
        of_shares(shares if fractions else ()),
        of_near(contents, readings) if contents.kind == "images" else (),
        of_strays(contents),
    )
    sizes = {part: dict(zip(contents.classes, contents.counts(part).tolist(), strict=True)) for part in contents.parts}
    ordered = sorted(findings, key=lambda finding: finding.weight != "wrong")
    return Audit(contents.name, contents.root, contents.kind, sizes, contents.held_out, tuple(ordered), shares)
