"""`deepcore`, `deepcore-export`, `deepcore-import` and `doctor`: the commands for DeepCore."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tabulate import tabulate

from .. import bench, deepcore
from ..artifacts import Subset, claim
from ..core.names import read_settings

__all__ = ["SOURCE", "doctor", "export", "import_", "launch", "show_imported"]

SOURCE = {"source": "deepcore"}
"""The identity that all imported runs share."""


def launch(
    script: Annotated[Path, tyro.conf.Positional],
    arguments: tyro.conf.Suppress[Sequence[str]] = (),
    method_config: Path | None = None,
    settings: tuple[str, ...] = (),
    compat: tuple[str, ...] | None = None,
) -> None:
    """Run an unmodified DeepCore script with this library's methods registered. What follows `--` goes to the script.

    Arguments:
        script: DeepCore's main.py.
        arguments: The script's arguments.
        method_config: A TOML file with a table of options for each selection.
        settings: Options of the selection, as field=value.
        compat: The repairs to apply, so that DeepCore runs on today's packages: weights, resume, in1d, model_urls,
            forgetting, deepfool. The flag alone applies all; without it, none.
    """
    repairs = () if compat is None else compat or tuple(deepcore.REPAIRS)
    deepcore.run_script(script, arguments, method_config, read_settings(settings), repairs)


def export(subset: Annotated[Path, tyro.conf.Positional], out: Path) -> None:
    """Write a checkpoint from which an untouched DeepCore trains on a subset (`--resume`).

    Arguments:
        subset: The JSON file that `drd-plugin select` wrote.
        out: The checkpoint to write.
    """
    chosen = Subset.load(subset)
    deepcore.export_checkpoint(chosen, out)
    print(f"{len(chosen)} of {chosen.n} examples by {chosen.method}: python main.py ... --num_exp 1 --resume {out}")


def import_(checkpoints: Annotated[tuple[Path, ...], tyro.conf.Positional], out: Path, trust: bool = False) -> None:
    """Read DeepCore's result checkpoints into runs, and print their table. Repeats are numbered as they are read, since
    DeepCore does not store its seeds.

    Arguments:
        checkpoints: Files that DeepCore's --save_path received.
        out: The folder for the runs.
        trust: Run code that the files may hold; for files of your own alone.
    """
    if not checkpoints:
        raise ValueError("give at least one checkpoint that DeepCore saved.")
    runs = [deepcore.read_checkpoint(path, trust) for path in checkpoints]
    store = bench.RunStore(out, SOURCE)
    with claim(out / "grid.json"):
        for run in runs:
            rows = store.frame()
            if run.key not in set(rows["key"]):
                same = [rows[key] == getattr(run, key) for key in ("dataset", "net", "method", "fraction", "steps")]
                store.append(replace(run, seed=int(np.logical_and.reduce(same).sum())))
        store.compact()
    show_imported(store)


def show_imported(store: "bench.RunStore") -> None:
    """Prints the tables of imported runs."""
    print("Best test accuracy over the epochs, in %, as DeepCore reports it:\n")
    for (data, net, epochs), runs in store.frame().groupby(["dataset", "net", "steps"]):
        print(f"{data}, {net}, {epochs} epochs\n")
        print(bench.table(runs, "acc_best").reset_index().to_markdown(index=False, disable_numparse=True), end="\n\n")


def doctor(checkout: Annotated[Path | None, tyro.conf.arg(name="deepcore")] = None) -> None:
    """Say what is installed and found, and which of DeepCore's methods work here. kCenterGreedy and Cal download the
    weights of ResNet-18, as in DeepCore, unless they are cached.

    Arguments:
        checkout: A checkout of DeepCore; the importable one by default.
    """
    if checkout is not None:
        if not (checkout / "deepcore" / "methods").is_dir():
            raise ValueError(
                f"{checkout} is no checkout of DeepCore: expected a folder with deepcore/methods/ and main.py."
            )
        sys.path.insert(0, str(checkout.resolve()))
    print(tabulate(list(deepcore.environment_rows()), tablefmt="plain", maxcolwidths=[None, 90]))
    if deepcore.available():
        print("\nDeepCore's methods, each tried on 40 images:")
        verdicts = [(name, deepcore.examine(name)) for name in deepcore.VARIANTS]
        print(tabulate(verdicts, tablefmt="plain", maxcolwidths=[None, 90]))
