"""Prints the tables of README.md and benchmarks/README.md anew, from the committed runs.

    python benchmarks/tables.py           writes them
    python benchmarks/tables.py --check   only says whether one differs, and exits with 1 if so

A table lies between two comments, and is the N-th that `drd-plugin show FOLDER` prints:

    <!-- table 1 of benchmarks/results/main/digits -->
    ...
    <!-- end -->

or one of `OWN`, which are put together from the CSV files of scripts under studies/.

The tables that lie beside the runs (table.md, CSV files and pictures) are written too.
"""

import re
import sys
from functools import cache
from pathlib import Path

import pandas as pd
import tyro
from tabulate import tabulate

from drd_plugin.bench.results import files_of, read_results, write_results
from drd_plugin.bench.tables.summary import summary
from drd_plugin.bench.tables.words import epoch_name, fraction_name, gap, spread

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "benchmarks/README.md")
BLOCK = re.compile(r"<!-- table (\w+) of (\S+) -->\n.*?<!-- end -->", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


@cache
def tables_of(folder: str) -> list[str]:
    """The tables of a folder of results, in the order in which they are shown."""
    return TABLE.findall(read_results(ROOT / folder).text)


def printed(page: str) -> str:
    """The page with its tables as the runs have them."""

    def block(match: re.Match) -> str:
        which, folder = match.groups()
        table = OWN[which](ROOT / folder) if which in OWN else tables_of(folder)[int(which) - 1]
        return f"<!-- table {which} of {folder} -->\n\n{table}\n<!-- end -->"

    return BLOCK.sub(block, (ROOT / page).read_text())


def headline(folder: Path) -> str:
    """DRD's score with the best window against others, paired by seed, on both data sets."""
    rows = []
    for experiment, other, words in (
        ("table1", "Forgetting+DRD", "Forgetting, windows chosen as DRD's are"),
        ("main", "BWS", "BWS as its authors have it"),
        ("main", "Random", "a random subset"),
    ):
        for data, name in (("digits", "digits"), ("fashion_mnist", "Fashion-MNIST")):
            runs = read_results(folder / experiment / data).rows
            drd = summary(runs, other).set_index(["method", "fraction"]).loc["DRD"]
            cells = {
                fraction_name(fraction): gap(cell.difference, cell.low, cell.high)
                for fraction, cell in zip(drd.index, drd.itertuples(), strict=True)
            }
            rows.append({"DRD against": words, "on": name, **cells})
    order = ["DRD against", "on", *(fraction_name(percent / 100) for percent in (10, 20, 30, 40, 50, 75))]
    return pd.DataFrame(rows)[order].fillna("").to_markdown(index=False, disable_numparse=True) + "\n"


def dynamic(folder: Path) -> str:
    """Every method after as many examples as the full training saw, and after half as many: how it compares with the
    full training and with RS2, how many seeds had the full training's accuracy with half as many, and how much faster
    these were, all counted.
    """
    cells = read_results(folder).frames["table"]
    whole, half = (cells[cells["budget"] == budget] for budget in (1.0, 0.5))
    both = whole.merge(half, on=["fraction", "method"], suffixes=("", "_half"), validate="1:1")
    rows = [
        {
            "an epoch": epoch_name(cell.fraction),
            "method": cell.method,
            "accuracy": spread(cell.mean, cell.std),
            "from Full": gap(cell.difference, cell.low, cell.high),
            "from RS2": gap(cell.rs2, cell.rs2_low, cell.rs2_high),
            "half: from Full": gap(cell.difference_half, cell.low_half, cell.high_half),
            "half: from RS2": gap(cell.rs2_half, cell.rs2_low_half, cell.rs2_high_half),
            "half: full accuracy": f"{cell.reached_half} of {cell.n_half}",
            "half: faster": f"{cell.faster_half:.2f} ×",
        }
        for cell in both.sort_values(["fraction", "mean"])[::-1].itertuples()
    ]
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True) + "\n"


def equal_passes(folder: Path) -> str:
    """What 336 forward passes an image reach, the digits and then Fashion-MNIST in each cell."""
    return _side_by_side(
        folder,
        {
            ("DRD, step 20", 336): "DRD as in the paper, step 20: 16 draws of 21 DDIM steps",
            ("DRD, step 20, antithetic", 336): "the same, antithetic",
            ("DRD, step 20, DPM-Solver++ of 6", 336): "56 draws of 6 steps of DPM-Solver++",
            ("DRD, step 20, DPM-Solver++ of 4", 336): "84 draws of 4 steps of DPM-Solver++",
            ("ELBO, steps 13 to 27", 330): "ELBO, steps 13 to 27: 22 draws",
        },
        "at 336 forward passes an image",
    )


def equal_draws(folder: Path) -> str:
    """The same at equal draws, 64 on the digits and 48 on Fashion-MNIST."""
    return _side_by_side(
        folder,
        {
            ("DRD, step 20, again", 0): "a second run of 21 DDIM steps (1,344 and 1,008 passes)",
            ("DRD, step 20, DPM-Solver++ of 6, again", 0): "6 steps of DPM-Solver++ (384 and 288 passes)",
            ("DRD, step 20, UniPC of 6, again", 0): "6 steps of UniPC (384 and 288 passes)",
        },
        "at equal draws (64, 48)",
    )


def _side_by_side(folder: Path, options: dict[tuple[str, int], str], title: str) -> str:
    frames = [pd.read_csv(folder / data / "table.csv") for data in ("digits", "fashion_mnist")]
    rows = []
    for (option, forwards), words in options.items():
        cells = []
        for frame in frames:
            matches = frame["forwards"].isin([forwards] if forwards else frame["forwards"])
            cells.append(frame[(frame["option"] == option) & matches].iloc[0])
        both = [", ".join(f"{cell[key]:.{digits}f}" for cell in cells) for key, digits in COLUMNS.items()]
        rows.append([words, *both])
    headers = [title, "reliability: digits, Fashion-MNIST", "with many-draw DRD"]
    return tabulate(rows, headers, "pipe", disable_numparse=True) + "\n"


COLUMNS = {"reliability": 2, "with DRD": 3}


def oracle(folder: Path) -> str:
    """Spearman with log q, 16 dimensions and then 64 in each cell."""
    keys = ["components", "variance", "score", "forwards", "dimension"]
    means = pd.read_csv(folder / "table.csv").set_index(keys)["mean"]
    classes = {
        (1, 0.3): "one Gaussian of variance 0.3",
        (1, 0.05): "one of variance 0.05",
        (3, 0.3): "three of variance 0.3, which overlap",
        (3, 0.05): "three of variance 0.05, which do not",
    }
    scores = {
        ("DRD, step 20", 42): "DRD from step 20, 2 draws",
        ("DRD, step 20", 336): "16 draws",
        ("DRD, step 20", 1344): "64 draws",
        ("DRD, step 5", 1344): "from step 5, 224 draws",
        ("ELBO, steps 1 to 12", 336): "ELBO, steps 1 to 12, 28 draws",
        ("ELBO, steps 13 to 27", 336): "ELBO, steps 13 to 27, 22 draws",
    }
    rows = [
        [words, *(", ".join(f"{means[*kind, *score, dimension]:.2f}" for dimension in (16, 64)) for score in scores)]
        for kind, words in classes.items()
    ]
    return tabulate(rows, ["the classes are", *scores.values()], "pipe", disable_numparse=True) + "\n"


OWN = {table.__name__: table for table in (headline, dynamic, equal_passes, equal_draws, oracle)}


def folders() -> list[Path]:
    """All committed results; what a study keeps of its own below them is shown by it."""
    all_folders = {path.parent for path in (ROOT / "benchmarks" / "results").rglob("grid.json")}
    return sorted(folder for folder in all_folders if not all_folders & {*folder.parents})


def main(check: bool = False) -> None:
    """Writes the tables, or checks them.

    Arguments:
        check: Write nothing; exit with 1 if a table differs.
    """
    texts = {ROOT / page: printed(page) for page in PAGES}
    texts |= {folder / name: text for folder in folders() for name, text in files_of(read_results(folder)).items()}
    differing = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    if check:
        sys.exit("".join(f"{path.relative_to(ROOT)} differs from the runs\n" for path in differing) or 0)
    for page in PAGES:
        (ROOT / page).write_text(texts[ROOT / page])
    for folder in folders():
        write_results(folder)
    print("\n".join(f"written: {path.relative_to(ROOT)}" for path in differing) or "nothing differs")


if __name__ == "__main__":
    tyro.cli(main)
