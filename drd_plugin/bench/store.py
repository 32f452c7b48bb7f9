"""The `RunStore`: the runs of one grid, one small Parquet file each as they finish, one file for all of them in the
end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..artifacts import ArtifactError, Run, write_aside

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RunStore"]


class RunStore:
    """A folder of runs.

    Arguments:
        folder: The folder; made where it does not exist.
        identity: What all its runs have in common. None opens a folder as it is, for reading.

    Raises:
        ArtifactError: If the folder holds another grid's runs, or none where it is opened for reading.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        path = self.folder / "grid.json"
        text = None if identity is None else json.dumps(identity, indent=2, sort_keys=True) + "\n"
        if path.exists() and (text is None or any(self.runs.glob("*.parquet"))):
            if text is not None and path.read_text() != text:
                raise ArtifactError(
                    f"{self.folder} holds the runs of another grid (data set, recipe, proxy or pinned seeds differ, "
                    f"see {path}): give another folder with --out, or remove this one."
                )
        elif text is None:
            raise ArtifactError(
                f"{self.folder} holds no runs: expected grid.json and runs/, as `drd-plugin bench` writes them."
            )
        else:
            with write_aside(path) as aside:
                aside.write_text(text)

    @property
    def runs(self) -> Path:
        """Where the Parquet files lie."""
        return self.folder / "runs"

    def append(self, run: Run) -> None:
        """Adds a run; it is there whole or not at all."""
        import pandas as pd

        self._write(pd.DataFrame([asdict(run)]), self.runs / f"{run.key}.parquet")

    @property
    def left_out(self) -> dict[str, str]:
        """The methods that could not run, and why."""
        path = self.folder / "left_out.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Notes why methods cannot run; an empty reason takes a method off the list."""
        noted = {method: why for method, why in {**self.left_out, **reasons}.items() if why}
        if noted != self.left_out:
            with write_aside(self.folder / "left_out.json") as aside:
                aside.write_text(json.dumps(noted, indent=2) + "\n")

    def frame(self) -> pd.DataFrame:
        """All runs, one row each, with the columns of `Run`.

        Raises:
            ArtifactError: If a file is damaged.
        """
        import pandas as pd
        import pyarrow as pa

        parts = []
        for path in sorted(self.runs.glob("*.parquet")):
            try:
                parts.append(pd.read_parquet(path))
            except (OSError, ValueError, pa.ArrowException) as error:
                raise ArtifactError(
                    f"{path} is damaged ({error}): remove it and run the grid again, it repeats what is missing."
                ) from error
        columns = [f.name for f in fields(Run)]
        return (
            pd.concat(parts).drop_duplicates("key").reset_index(drop=True)[columns]
            if parts
            else pd.DataFrame(columns=columns)
        )

    def latest(self) -> pd.DataFrame:
        """The runs for tables: where a cell was run again with another definition of its method, the newest alone."""
        frame = self.frame()
        created = [json.loads(text)["environment"]["created"] for text in frame["provenance"]]
        newest = frame.assign(created=created).sort_values("created", kind="stable")
        kept = newest.drop_duplicates(["net", "method", "fraction", "seed"], keep="last").index
        return frame.loc[sorted(kept)].reset_index(drop=True)

    def compact(self) -> None:
        """Puts the runs that are there now into one file, sorted; a crash in between loses and doubles nothing, since
        keys are unique.
        """
        together = self.runs / "all.parquet"
        single = [path for path in self.runs.glob("*.parquet") if path != together]
        self._write(self.frame().sort_values(["seed", "method", "fraction", "net"], ignore_index=True), together)
        for path in single:
            path.unlink()

    @staticmethod
    def _write(frame: pd.DataFrame, path: Path) -> None:
        with write_aside(path) as aside:
            frame.to_parquet(aside, index=False, compression="zstd")
