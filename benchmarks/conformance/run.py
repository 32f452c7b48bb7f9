"""Runs public implementations on the logits, features and scores that this library sees, and prints how they agree.

    git clone --depth 1 https://github.com/...  # into one folder, those of `borrow.CHECKOUTS` that are of interest
    pip install aum
    python benchmarks/conformance/run.py --checkouts FOLDER --out benchmarks/results/conformance

Exit status 1 if a comparison turns out otherwise than the table of definitions says.
"""

import sys
from pathlib import Path

import pandas as pd
import tyro
from borrow import CHECKOUTS
from dynamics import record_dynamics
from of_scores import SCORE_CHECKS
from of_strategies import STRATEGY_CHECKS

from drd_plugin.core.provenance import git_commit, processor, versions


def main(checkouts: Path = Path(), dataset: str = "digits", epochs: int = 40, out: Path | None = None) -> None:
    """Compares and prints.

    Arguments:
        checkouts: The folder with the clones, under the names of their repositories.
        dataset: What the network is trained on whose outputs are compared.
        epochs: For how long.
        out: A folder for table.md and table.csv.
    """
    dynamics, rows, surprises = record_dynamics(dataset, epochs), [], 0
    for name, variant, code, compare, alike in [*SCORE_CHECKS, *STRATEGY_CHECKS]:
        try:
            agreed, text = compare(dynamics, checkouts)
        except (FileNotFoundError, ModuleNotFoundError) as error:
            agreed, text = alike, f"not compared: {error}"
        surprises += agreed != alike
        verdict = ("" if agreed == alike else "UNEXPECTED: ") + text
        address = CHECKOUTS.get(code, f"https://pypi.org/project/{code}")
        rows.append([name, variant, code, address, "the same" if alike else "another", verdict])
    frame = pd.DataFrame(rows, columns=["here", "variant", "code", "address", "definition", "found"])
    table = frame.drop(columns="address").to_markdown(index=False)
    commits = {name: git_commit(checkouts / name) for name in CHECKOUTS if (checkouts / name / ".git").exists()}
    clones = ", ".join(f"{name} {(commit or '')[:12]}" for name, commit in commits.items())
    packages = ", ".join(f"{name} {number}" for name, number in versions().items())
    origin = f"*{dynamics.name}. {processor()}, {packages}; commit {git_commit()}. Public code: {clones}.*"
    print(f"{table}\n\n{origin}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "table.md").write_text(f"{table}\n\n{origin}\n")
        frame.to_csv(out / "table.csv", index=False)
    sys.exit(int(surprises > 0))


if __name__ == "__main__":
    tyro.cli(main)
