"""Prints the tables of README.md and benchmarks/README.md anew, from the committed runs.

    python benchmarks/tables.py           writes them
    python benchmarks/tables.py --check   only says whether one differs, and exits with 1 if so

A table lies between two comments, and is the N-th that `drd-plugin show FOLDER` prints:

    <!-- table 1 of benchmarks/results/main/digits -->
    ...
    <!-- end -->

The tables that lie beside the runs (table.md, CSV files and pictures) are written too.
"""

import re
import sys
from functools import cache
from pathlib import Path

import tyro

from drd_plugin.bench.results import read_results, write_results

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "benchmarks/README.md")
BLOCK = re.compile(r"<!-- table (\d+) of (\S+) -->\n.*?<!-- end -->", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


@cache
def tables_of(folder: str) -> list[str]:
    """The tables of a folder of results, in the order in which they are shown."""
    return TABLE.findall(read_results(ROOT / folder).text)


def printed(page: str) -> str:
    """The page with its tables as the runs have them."""

    def block(match: re.Match) -> str:
        number, folder = match.groups()
        return f"<!-- table {number} of {folder} -->\n\n{tables_of(folder)[int(number) - 1]}\n<!-- end -->"

    return BLOCK.sub(block, (ROOT / page).read_text())


def folders() -> list[Path]:
    """All committed results that can be shown."""
    return sorted(path.parent for path in (ROOT / "benchmarks" / "results").rglob("about.json"))


def main(check: bool = False) -> None:
    """Writes the tables, or checks them.

    Arguments:
        check: Write nothing; exit with 1 if a table differs.
    """
    texts = {ROOT / page: printed(page) for page in PAGES}
    texts |= {folder / "table.md": read_results(folder).text for folder in folders()}
    apart = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if check:
        sys.exit("".join(f"{path.relative_to(ROOT)} differs from the runs\n" for path in apart) or 0)
    for page in PAGES:
        (ROOT / page).write_text(texts[ROOT / page])
    for folder in folders():
        write_results(folder)
    print("\n".join(f"written: {path.relative_to(ROOT)}" for path in apart) or "nothing differs")


if __name__ == "__main__":
    tyro.cli(main)
