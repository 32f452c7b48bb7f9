"""The results of an experiment: read from its folder, with a title and published numbers, and written as files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..artifacts import ArtifactError, check_writable, write_aside
from ..core.registry import unknown
from .experiment import Experiment, find_experiment
from .names import STUDIES
from .plots import save
from .store import RunStore
from .studies import Results, study_from
from .tables.published import published
from .workers import Workers

__all__ = ["files_of", "read_results", "run_experiment", "write_results"]


def run_experiment(
    experiment: str | Experiment,
    size: str = "",
    *,
    out: Path | None = None,
    scores: Path | None = None,
    methods: Sequence[str] = (),
    fractions: Sequence[float] = (),
    seeds: Sequence[int] = (),
    study: Mapping[str, Any] | None = None,
    root: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    progress: bool = True,
) -> Results:
    """Runs what is missing of an experiment, writes its tables and pictures, and returns its results.

    Arguments:
        experiment: The name of an experiment, a TOML file, or an experiment.
        size: The size to run it at; its first by default.
        out: The folder for the results; runs/EXPERIMENT/SIZE by default.
        scores: The folder for the scores, which experiments on the same data can share; OUT/scores by default, and
            runs/scores without `out`.
        methods: Methods instead of the experiment's.
        fractions: Kept fractions instead of the experiment's.
        seeds: Seeds instead of the experiment's.
        study: Settings of the study instead of the experiment's.
        root: The folder of the data.
        device: `auto`, or a torch device.
        workers: How many trainings run side by side; by default one for each core, up to 8, and one on a GPU.
        progress: Whether to show progress bars.

    Raises:
        UnknownName: If a name is not known.
        ArtifactError: If the folder holds another experiment's rows or cannot be written, or another process fills it.
        DataError: If the data are missing, damaged or cannot be used.
        ValueError: If a setting is wrong.
    """
    if not isinstance(experiment, Experiment):
        experiment = find_experiment(experiment, size)
    experiment = experiment.changed(methods=methods, fractions=fractions, seeds=seeds, study=study, root=root)
    folder = Path(out) if out else Path("runs") / experiment.place
    scores = scores or (None if out else Path("runs") / "scores")
    for place in filter(None, (folder, scores)):
        check_writable(place, existing=False)
    experiment.study.run(experiment.grid, Workers(folder, scores, device, workers, progress))
    settings = [f"{key}={value}" for key, value in (study or {}).items()]
    flags = _flags({"methods": methods, "fractions": fractions, "seeds": seeds, "study": settings})
    _describe(folder, experiment, flags)
    return write_results(folder)


def _describe(folder: Path, experiment: Experiment, flags: str) -> None:
    """Writes beside the rows which experiment they are of, and adds these flags to those that ran it before."""
    store = RunStore(folder)
    kind = next(name for name, kind in STUDIES.items() if kind is type(experiment.study))
    store.note(
        flags=[*dict.fromkeys([*store.about.get("flags", []), flags])],
        experiment=experiment.name,
        size=experiment.size.name,
        file=experiment.file,
        about=experiment.about,
        published=experiment.published,
        study={"name": kind, **asdict(experiment.study)},
    )


def _flags(changes: Mapping[str, Sequence[Any]]) -> str:
    """The flags of the command line that make these changes to an experiment."""
    return " ".join(f"--{key} {shlex.join(map(str, value))}" for key, value in changes.items() if value)


def read_results(folder: Path) -> Results:
    """The results in a folder, with the experiment's question, command and hours, and with published numbers.

    Raises:
        ArtifactError: If the folder holds no results.
    """
    store = RunStore(folder)
    if next(store.runs.glob("*.parquet"), None) is None:
        raise ArtifactError(f"{folder} holds no finished runs yet: run the command that began them again.")
    about = store.about
    kind = store.grid.get("study", "comparison")
    if kind not in STUDIES:
        raise unknown(f"study in {folder}", str(kind), STUDIES)
    results = study_from(about.get("study", {"name": kind}), str(folder)).read(Path(folder))
    results = replace(results, folder=Path(folder))
    if "experiment" in about:
        title = about["experiment"] + (f" on {about['size']}" if about["size"] else "")
        results = replace(results, title=title, about=_about(about))
    return replace(results, published=published(about["published"])) if about.get("published") else results


def _about(about: dict[str, Any]) -> str:
    """The experiment's question, the commands that ran it, and the hours, as markdown."""
    size = f" --size {about['size']}" if about["size"] else ""
    command = f"drd-plugin bench {about.get('file') or about['experiment']}{size}"
    commands = ", then ".join(f"`{f'{command} {flags}'.strip()}`" for flags in about.get("flags", [""]))
    hours = f"{about['seconds'] / 3600:.2f} hours, without scores that were at hand"
    return "\n\n".join(filter(None, [about["about"], f"{commands}, {hours}"]))


def files_of(results: Results) -> dict[str, str]:
    """The contents of the files of tables, by name."""
    texts = {"table.md": results.text, "table.tex": results.latex}
    texts |= {f"{name}.csv": frame.to_csv(index=False) for name, frame in results.frames.items()}
    return {name: text for name, text in texts.items() if text}


def write_results(folder: Path) -> Results:
    """Writes table.md, table.tex, the CSV files and the pictures into a folder of results, and returns the results."""
    results, folder = read_results(folder), Path(folder)
    for name, text in files_of(results).items():
        with write_aside(folder / name) as aside:
            aside.write_text(text)
    for name, plot in results.plots.items():
        save(plot(None), folder / f"{name}.png")
    return results
