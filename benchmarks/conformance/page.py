"""Writes this folder's README.md and effects.png, from the definitions, the comparisons and the tables of variants.

python benchmarks/conformance/page.py
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from drd_plugin.bench import RunStore

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
STUDIES = {"digits": "variants_digits", "Fashion-MNIST": "variants_fashion_mnist"}
FRACTIONS = (0.05, 0.1, 0.3)


@dataclass(frozen=True)
class Row:
    """A method or a variant of one.

    Arguments:
        name: As in tables.
        definition: What it computes or selects.
        source: Where that is from.
        checks: Its comparisons, by `here` and `variant` in the table of comparisons.
        base: The default that a variant's accuracy is held against.
    """

    name: str
    definition: str
    source: str
    checks: tuple[tuple[str, str], ...] = ()
    base: str = ""


def rows() -> list[Row]:
    """The rows of the page."""
    return [Row(**fields) for fields in tomllib.loads((HERE / "definitions.toml").read_text())["row"]]


def accuracies(study: str) -> pd.DataFrame:
    """Accuracy after the last step by method (rows) and by fraction and seed (columns)."""
    runs = RunStore(RESULTS / study).latest()
    return runs.pivot_table(index="method", columns=["fraction", "seed"], values="acc_last")


def effect(row: Row, table: pd.DataFrame) -> str:
    """The accuracy of a default, or how far a variant is from it: mean ± standard deviation over the seeds."""
    if row.name not in table.index or (row.base and row.base not in table.index):
        return "-"
    cells = []
    for fraction in FRACTIONS:
        values = table.loc[row.name, fraction]
        if row.base:
            values = values - table.loc[row.base, fraction]
        cells.append(f"{values.mean():{'+' if row.base else ''}.1f} ± {values.std():.1f}")
    return ", ".join(cells)


def plot_effects(path: Path) -> None:
    """Draws how far each variant is from its default."""
    from matplotlib import pyplot as plt

    variants = [row for row in rows() if row.base]
    figure, axes = plt.subplots(1, len(STUDIES), figsize=(11, 9), sharex=True, sharey=True, layout="constrained")
    for ax, (name, study) in zip(axes, STUDIES.items(), strict=True):
        table = accuracies(study)
        for shift, fraction in zip((-0.22, 0, 0.22), FRACTIONS, strict=True):
            tried = [(y, row) for y, row in enumerate(variants) if row.name in table.index]
            gaps = [table.loc[row.name, fraction] - table.loc[row.base, fraction] for _, row in tried]
            ax.errorbar(
                [gap.mean() for gap in gaps], [y + shift for y, _ in tried], xerr=[gap.std() for gap in gaps],
                fmt="o", ms=3.5, lw=1, label=f"{100 * fraction:g} % kept",
            )  # fmt: skip
        ax.axvline(0, color="black", lw=0.8)
        ax.set_title(name)
        ax.grid(alpha=0.3)
    names = [row.name.replace("]+", "]\n+") if len(row.name) > 50 else row.name for row in variants]
    axes[0].set_yticks(range(len(variants)), names, fontsize=7.5)
    axes[0].set_ylim(len(variants), -1)
    axes[0].legend(fontsize="small")
    figure.supxlabel("accuracy, points above or below the default; mean ± standard deviation over the seeds")
    figure.savefig(path, dpi=110)


def agreement(row: Row, checks: pd.DataFrame) -> str:
    """What the comparisons found."""
    results = [
        f"[{check.code}]({check.address}), {check.variant.partition(' (default')[0]}: {check.found}"
        for name, variant in row.checks
        for check in checks[(checks["here"] == name) & (checks["variant"] == variant)].itertuples()
    ]
    return "; ".join(results) or "-"


def page() -> str:
    """The whole text."""
    checks = pd.read_csv(RESULTS / "conformance" / "table.csv", keep_default_na=False)
    tables = {name: accuracies(study) for name, study in STUDIES.items()}
    lines = [
        {
            "method": f"`{row.name}`",
            "definition": row.definition,
            "source": row.source,
            "agreement with public code": agreement(row, checks),
            **{f"{name}, at 5, 10, 30 %": effect(row, table) for name, table in tables.items()},
        }
        for row in rows()
    ]
    text = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    origins = "\n".join(f"- {name}: {_origin(study)}" for name, study in STUDIES.items())
    compared = (RESULTS / "conformance" / "table.md").read_text().strip().splitlines()[-1].strip("*")
    return f"{(HERE / 'introduction.md').read_text()}\n{text}\n\n{origins}\n- comparisons: {compared}\n"


def _origin(study: str) -> str:
    runs = RunStore(RESULTS / study).latest()
    environments = [json.loads(text)["environment"] for text in runs["provenance"]]
    commits = ", ".join(dict.fromkeys(str(environment["git"])[:12] for environment in environments))
    first = environments[0]
    hours = (runs["seconds_train"].sum() + runs["seconds_select"].sum()) / 3600
    return (
        f"`drd-plugin bench {study}`, {len(runs)} runs, {runs['seed'].nunique()} seeds, {hours:.1f} hours of training "
        f"and selection; {first['processor']}, torch {first['versions']['torch']}, commit {commits} "
        f"([table](../results/{study}/table.md))"
    )


if __name__ == "__main__":
    plot_effects(HERE / "effects.png")
    (HERE / "README.md").write_text(page())
    print(f"{HERE / 'README.md'}: {len(rows())} rows")
