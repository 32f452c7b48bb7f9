"""One page of an audit in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import indent

from .findings import Audit, Example, Finding, Share, Weight, counted

__all__ = ["HEADINGS", "in_words", "of_share", "sizes_of"]

FIRST = 5
"""The names that are shown of a finding."""

HEADINGS: dict[Weight, str] = {"wrong": "What makes results wrong", "know": "What one should know"}


def in_words(audit: Audit) -> str:
    """The page: the sizes, the findings by weight, and what fractions leave."""
    return "\n".join(_lines(audit))


def _lines(audit: Audit) -> Iterator[str]:
    place = f" in {audit.root}" if audit.root else ""
    yield f"{audit.dataset}{place}: {', '.join(sizes_of(audit))}"
    for weight, heading in HEADINGS.items():
        findings = audit.of_weight(weight)
        if findings:
            yield f"\n{heading}"
        for finding in findings:
            yield from _of_finding(finding)
    if not audit.findings:
        yield "\nNothing was found that makes results wrong, or that one should know."
    elif not audit.wrong:
        yield "\nNothing was found that makes results wrong."
    yield "\nWhat a fraction leaves"
    for share in audit.shares:
        yield f"  {of_share(share)}"


def sizes_of(audit: Audit) -> Iterator[str]:
    """The number of examples of each split, and of classes."""
    for part, whose in (("train", "training"), ("test", "test")):
        sizes = [*filter(None, audit.sizes[part].values())] or [0]
        each = f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,} to {max(sizes):,}"
        fifth = " (a fifth that is held out)" if part == "test" and audit.held_out and any(sizes) else ""
        yield f"{sum(sizes):,} {whose} {audit.kind}{fifth}, {each} a class"
    yield counted(len(audit.sizes["train"]), "class", "classes")


def _of_finding(finding: Finding) -> Iterator[str]:
    sign = " ~ " if finding.name.startswith("near") else " = "
    yield f"  {finding.text}"
    names = [*(_of_group(group, sign) for group in finding.groups[:FIRST]), *finding.lines[:FIRST]]
    more = len(finding.groups) + len(finding.lines) - len(names)
    yield from (indent(name, 6 * " ") for name in [*names, *([f"and {more:,} more"] if more else [])])
    if finding.remedy:
        yield f"    {finding.remedy[0].upper()}{finding.remedy[1:]}."


def _of_group(group: tuple[Example, ...], sign: str) -> str:
    """Equal examples, or a single one, in words."""
    return sign.join(f"{e.name} ({', '.join(filter(None, (e.label, e.remark)))})" for e in group)


def of_share(share: Share) -> str:
    """What a fraction leaves, in words."""
    if not share.budget:
        return f"{share.fraction:g} keeps no example"
    text = f"{share.fraction:g} keeps {counted(share.budget, 'example')}; in proportion "
    if share.emptied:
        text += f"none of {counted(len(share.emptied), 'class', 'classes')} ({_first(share.emptied)})"
    else:
        text += f"at least {share.smallest:,} of each class"
    if share.risks:
        worst = max(share.risks, key=lambda name: share.risks[name])
        text += f"; {100 * share.risks[worst]:.2g} % of random subsets have none of {worst}"
        if len(share.risks) > 1:
            text += f"; {counted(len(share.risks) - 1, 'other class', 'other classes')} may be lost too"
    return text


def _first(names: Sequence[str]) -> str:
    return ", ".join([*names[:FIRST], *(["..."] if len(names) > FIRST else [])])
