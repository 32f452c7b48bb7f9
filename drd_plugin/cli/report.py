"""`report`: one HTML page of an experiment's results."""

from pathlib import Path
from typing import Annotated

import tyro

from .. import bench
from ..artifacts import check_writable, write_aside

__all__ = ["report"]


def report(
    folder: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    scores: Path | None = None,
    root: Path | None = None,
    device: str = "auto",
) -> None:
    """Write one HTML page of an experiment's results: tables that sort, pictures, what DRD saw, and where the numbers
    came from. It needs no network and no other file.

    Arguments:
        folder: The folder that `drd-plugin bench` wrote.
        out: The file to write; FOLDER/report.html by default.
        scores: The folder of the scores; FOLDER/scores by default, or the one that experiments share.
        root: Where the data lie.
        device: auto, or a torch device.
    """
    path = out or folder / "report.html"
    if out is not None or folder.is_dir():
        check_writable(path, folder=False)
    text = bench.report_page(folder, scores, root, device)
    with write_aside(path) as aside:
        aside.write_text(text)
    print(f"{path}, {len(text) / 2**20:.1f} MiB: open it in a browser.")
