"""`bench`: run an experiment, or any grid."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from tabulate import tabulate

from .. import bench as harness
from ..artifacts import check_writable
from ..core.names import read_settings

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
        study: Settings of the study instead of the experiment's, KEY=VALUE; for the experiment dynamic, say, axis=wall
            "budgets=[0.5, 1.0]".
        root: Where the data lie.
        device: auto, or a torch device.
        workers: How many trainings run side by side; by default one for each core, up to 8, and one on a GPU.
    """
    if list_:
        print(_table())
        return
    file = harness.experiment_file(experiment)
    changes: dict[str, Any] = {"methods": methods, "fractions": fractions, "seeds": seeds}
    replace(file.grid(file.size(size)), **{key: value for key, value in changes.items() if value})  # checks the names
    if out is not None:
        check_writable(out, existing=False)
    settings = read_settings(study)
    results = harness.run_experiment(
        experiment, size, out=out, scores=scores, **changes, study=settings, root=root, device=device, workers=workers
    )
    print(f"\n{results.text}")
    if folder := results.folder:
        print(f"Written to {folder}: {' '.join(sorted(path.name for path in folder.iterdir()))}")
        print(f"One page of it all: drd-plugin report {folder}")


def _table() -> str:
    rows = []
    for file in harness.experiments():
        for place, size in enumerate(file.sizes):
            hours = "" if size.hours is None else f"{size.hours:g}"
            name, about = ("", "") if place else (file.path.stem, file.about)
            rows.append((name, size.name, hours, size.machine, about))
    return tabulate(rows, ["experiment", "size", "hours", "on", "about"], maxcolwidths=[None, None, None, 40, 60])
