"""`check`: the audit of a data set."""

import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path

import tyro

from ..artifacts import check_writable, write_aside
from ..core.registry import check_fraction
from ..data import audit
from .data import Data

__all__ = ["check"]


def check(
    data: tyro.conf.OmitArgPrefixes[Data],
    fractions: tuple[float, ...] = (),
    json: Path | None = None,
    html: Path | None = None,
) -> None:
    """Read all of a data set, and say what makes results wrong and what one should know: unreadable, hidden and turned
    images, duplicates within and between the splits, equal images with different labels, small classes. The exit code
    is 1 if anything makes results wrong.

    Arguments:
        fractions: The shares of the examples that are to be kept: a class that one of them loses makes results wrong.
        json: A file to write all findings to.
        html: A file to write a page of the findings with their pictures to.
    """
    data.check()
    for fraction in fractions:
        check_fraction(fraction)
    for path in filter(None, (json, html)):
        check_writable(path, folder=False)
    contents = audit.list_contents(data.dataset, data.root, data.size, **data.settings)
    result = audit.audit(contents, fractions or None)
    if json:
        with write_aside(json) as aside:
            aside.write_text(dumps({"wrong": result.wrong, **asdict(result)}, indent=1))
    if html:
        with write_aside(html) as aside:
            aside.write_text(audit.in_pictures(result, contents), "utf-8")
    print(audit.in_words(result))
    if json:
        print(f"All findings: {json}")
    if html:
        print(f"Their pictures: {html}, open it in a browser.")
    if result.wrong:
        sys.exit(1)
