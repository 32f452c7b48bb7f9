"""`bench`: run an experiment, or any grid."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import tyro

__all__ = ["bench"]


def bench(
    experiment: Annotated[str, tyro.conf.Positional] = "main",
    size: str = "",
    list_: Annotated[bool, tyro.conf.arg(name="list")] = False,
    out: Path | None = None,
    scores: Path | None = None,
    methods: tuple[str, ...] = (),
    fractions: tuple[float, ...] = (),
    seeds: tuple[int, ...] = (),
    study: tuple[str, ...] = (),
    root: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> None:
    """Run an experiment and print its tables. One that was stopped goes on where it stopped.

    Arguments:
        experiment: The name of an experiment (see --list), or a TOML file.
        size: What to run it on; the first of its sizes by default.
        list_: Show the experiments, their sizes and the hours to expect, and run nothing.
        out: The folder for the results; runs/EXPERIMENT/SIZE by default.
        scores: The folder for the scores, which experiments on the same data can share; OUT/scores by default, and
            runs/scores without OUT.
        methods: Methods instead of the experiment's.
        fractions: Kept fractions instead of the experiment's.
        seeds: Seeds instead of the experiment's.
        study: Settings of the study instead of the experiment's, KEY=VALUE: axis=wall "budgets=[0.5, 1.0]", say, where
            dynamic methods are compared.
        root: Where the data lie.
        device: auto, or a torch device.
        workers: How many trainings run side by side; by default one for each core, up to 8, and one on a GPU.
    """
    if list_:
        print(_listed())
        return
    from ..bench.experiment import find_experiment
    from ..bench.lab import Lab
    from ..bench.results import run_experiment
    from ..bench.studies import with_settings
    from ..settings import read_settings

    wanted = find_experiment(experiment, size)
    changes: dict[str, Any] = {"methods": methods, "fractions": fractions, "seeds": seeds}
    given = {**changes, "study": study}
    flags = " ".join(f"--{key} {shlex.join(map(str, value))}" for key, value in given.items() if value)
    if root is not None:
        changes["dataset"] = {**wanted.grid.dataset, "root": root}
    wanted = replace(wanted, study=with_settings(wanted.study, read_settings(study), "--study"))
    wanted = replace(wanted, grid=replace(wanted.grid, **{key: value for key, value in changes.items() if value}))
    folder = out or Path("runs") / wanted.place
    lab = Lab(folder, scores or (None if out else Path("runs") / "scores"), device, workers)
    found = run_experiment(wanted, lab, flags)
    print(f"\n{found.text}")
    print(f"Written to {folder}: {' '.join(sorted(path.name for path in folder.iterdir()))}")
    print(f"One page of it all: drd-plugin report {folder}")


def _listed() -> str:
    from tabulate import tabulate

    from ..bench.experiment import experiments

    rows = []
    for name, about, sizes in experiments():
        for place, size in enumerate(sizes):
            hours = "" if size.hours is None else f"{size.hours:g}"
            rows.append(("" if place else name, size.name, hours, size.on, "" if place else about))
    return tabulate(rows, ["experiment", "size", "hours", "on", "about"], maxcolwidths=[None, None, None, 40, 60])
