"""The results of an experiment: read from its folder, with a header and what was published, and written out."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..artifacts import ArtifactError, write_aside
from ..registry import unknown
from .experiment import Experiment
from .lab import Lab
from .plots import save
from .published import published
from .store import RunStore
from .studies import STUDIES, Results, study_from

__all__ = ["files_of", "read_results", "run_experiment", "write_results"]


def run_experiment(wanted: Experiment, lab: Lab, flags: str = "") -> Results:
    """Runs what is missing of an experiment, writes its tables and pictures, and gives them.

    Arguments:
        wanted: The experiment.
        lab: Where it runs.
        flags: What was asked otherwise than the experiment has it, as on the command line, for the header.

    Raises:
        ArtifactError: If the folder holds another experiment's rows.
        DataError: If the data are missing, damaged or cannot be used.
    """
    wanted.study.run(wanted.grid, lab)
    name = next(name for name, kind in STUDIES.items() if kind is type(wanted.study))
    store = RunStore(lab.out)
    store.note(
        flags=[*dict.fromkeys([*store.about.get("flags", []), flags])],
        experiment=wanted.name,
        size=wanted.size.name,
        file=wanted.file,
        about=wanted.about,
        published=wanted.published,
        study={"name": name, **asdict(wanted.study)},
    )
    return write_results(lab.out)


def read_results(folder: Path) -> Results:
    """What was found, under a header: what was asked, the command and the hours; published numbers stand below.

    Raises:
        ArtifactError: If the folder holds no results.
    """
    store = RunStore(folder)
    if next(store.runs.glob("*.parquet"), None) is None:
        raise ArtifactError(f"{folder} holds no finished runs yet: run the command that began them again.")
    about = store.about
    kind = json.loads((Path(folder) / "grid.json").read_text()).get("study", "comparison")
    if kind not in STUDIES:
        raise unknown(f"study in {folder}", str(kind), STUDIES)
    found = study_from(about.get("study", {"name": kind}), str(folder)).read(Path(folder))
    beside = published(about["published"]) if about.get("published") else ""
    return replace(found, text=f"{_header(about)}{found.text}{beside}")


def _header(about: dict[str, Any]) -> str:
    if "experiment" not in about:
        return ""
    size = f" --size {about['size']}" if about["size"] else ""
    title = about["experiment"] + (f" on {about['size']}" if about["size"] else "")
    command = f"drd-plugin bench {about.get('file') or about['experiment']}{size}"
    commands = ", then ".join(f"`{f'{command} {flags}'.strip()}`" for flags in about.get("flags", [""]))
    hours = f"{about['seconds'] / 3600:.2f} hours, without scores that were at hand"
    return "\n\n".join(filter(None, [f"# {title}", about["about"], f"{commands}, {hours}"])) + "\n\n"


def files_of(found: Results) -> dict[str, str]:
    """The tables as files: their content by name."""
    texts = {"table.md": found.text, "table.tex": found.latex}
    texts |= {f"{name}.csv": frame.to_csv(index=False) for name, frame in found.frames.items()}
    return {name: text for name, text in texts.items() if text}


def write_results(folder: Path) -> Results:
    """Writes table.md, table.tex, the CSV files and the pictures into a folder of results, and gives them."""
    found, folder = read_results(folder), Path(folder)
    for name, text in files_of(found).items():
        with write_aside(folder / name) as aside:
            aside.write_text(text)
    for name, plot in found.plots.items():
        save(plot(None), folder / f"{name}.png")
    return found
