"""The `RunStore`: the rows of one study, each in a Parquet file of its own as it finishes, at last all in one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa

from ..artifacts import ArtifactError, Run, check_writable, claim, read_json, write_aside

__all__ = ["RunStore", "ScoreRow"]

RUN_CELL = ("net", "axis", "budget", "fraction", "method", "seed")
"""The fields of a `Run` that name its cell."""


@dataclass(frozen=True)
class ScoreRow:
    """A row of a study of scores; each study adds fields of its own, and lists in `cell` those that name a cell.

    Arguments:
        key: The digest of all that determines the row.
        method: The score's name.
        fingerprint: The training set's fingerprint.
        provenance: As in `Run`.
    """

    cell: ClassVar[tuple[str, ...]]

    key: str
    method: str
    fingerprint: str
    provenance: str


class RunStore:
    """A folder of rows; by default the runs of a grid.

    Arguments:
        folder: The folder; made where it does not exist.
        identity: What all its rows have in common. None opens an existing folder for reading.
        row: The dataclass of a row; fields that a stored row lacks get its defaults.

    Raises:
        ArtifactError: If the folder holds another grid's rows, or none where it is opened for reading; if a file in it
            is damaged; or if it cannot be written, or another process writes to it, where it is opened for writing.
    """

    def __init__(
        self, folder: Path, identity: Mapping[str, Any] | None = None, row: type[Run] | type[ScoreRow] = Run
    ) -> None:
        self.folder = Path(folder)
        self.cell = [*(row.cell if issubclass(row, ScoreRow) else RUN_CELL)]
        self.defaults = {f.name: f.default for f in fields(row)}
        self._since: float | None = None
        self._text = None if identity is None else json.dumps(identity, indent=2, sort_keys=True) + "\n"
        path = self.folder / "grid.json"
        if self._text is not None:
            check_writable(self.folder)
        if path.exists() and (self._text is None or any(self.runs.glob("*.parquet"))):
            self._check_identity()
        elif next(self.folder.glob("part-*.parquet"), None):
            raise ArtifactError(f"{self.folder} holds scores: give another folder for the runs.")
        elif self._text is None:
            raise ArtifactError(
                f"{self.folder} holds no runs: expected grid.json and runs/, as `drd-plugin bench` writes them."
            )
        else:
            with claim(path), write_aside(path) as aside:
                aside.write_text(self._text)

    @property
    def grid(self) -> dict[str, Any]:
        """The facts that all rows share, as grid.json has them.

        Raises:
            ArtifactError: If the file is missing or damaged.
        """
        remedy = "put back a copy of it, or remove the folder and run the command again"
        return read_json(self.folder / "grid.json", remedy)

    def _check_identity(self) -> None:
        """Raises ArtifactError unless the folder's rows have in common what this store's have."""
        if self._text is not None and json.dumps(self.grid, indent=2, sort_keys=True) + "\n" != self._text:
            raise ArtifactError(
                f"{self.folder} holds the runs of another grid ({_differences(self.grid, json.loads(self._text))}; see "
                f"{self.folder / 'grid.json'}): give another folder with --out, or remove this one."
            )

    @property
    def runs(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / "runs"

    def append(self, run: Run | ScoreRow) -> None:
        """Adds a row, whose file appears complete or not at all."""
        self._write(pd.DataFrame([asdict(run)]), self.runs / f"{run.key}.parquet")
        self.spend()

    @property
    def left_out(self) -> dict[str, str]:
        """The methods that could not run, and why."""
        return self._facts("left_out.json")

    def leave_out(self, reasons: Mapping[str, str]) -> None:
        """Notes why methods cannot run; an empty reason takes a method off the list."""
        before = self.left_out
        left_out = {method: reason for method, reason in {**before, **reasons}.items() if reason}
        if left_out != before:
            self._write_facts("left_out.json", left_out)

    @property
    def about(self) -> dict[str, Any]:
        """Facts of the study as a whole: its name, size and command, and the wall-clock `seconds` that it took, scores
        and selections included.
        """
        return self._facts("about.json")

    def note(self, seconds: float = 0.0, **facts: Any) -> None:
        """Notes facts of the study as a whole, and adds to its seconds."""
        about = self.about
        total = {"seconds": round(about.get("seconds", 0.0) + seconds, 1)}
        self._write_facts("about.json", {**about, **facts, **total})

    def _facts(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        return read_json(path, "remove it and run the command again; all rows stay") if path.exists() else {}

    def _write_facts(self, name: str, facts: Mapping[str, Any]) -> None:
        with write_aside(self.folder / name) as aside:
            aside.write_text(json.dumps(facts, indent=2) + "\n")

    @contextmanager
    def filling(self) -> Iterator[None]:
        """A context for appending what is missing, in which no other process does so: it adds the seconds to the
        study's with each row and on failure, so that a kill loses few, and joins the rows into one file at the end.

        Raises:
            ArtifactError: If another process fills the folder, or has begun it with other settings, or a file in it is
                damaged.
        """
        with claim(self.folder / "grid.json"):
            self._check_identity()
            self._facts("about.json"), self._facts("left_out.json")  # raises if they are damaged
            self._since = time.perf_counter()
            try:
                yield
            finally:
                self.spend()
                self._since = None
            self.compact()

    def spend(self) -> None:
        """Adds the seconds since the last row to the study's, inside `filling`."""
        if self._since is not None:
            since, self._since = self._since, time.perf_counter()
            self.note(seconds=self._since - since)

    def frame(self) -> pd.DataFrame:
        """All rows.

        Raises:
            ArtifactError: If a file is damaged.
        """
        parts = []
        for path in sorted(self.runs.glob("*.parquet")):
            try:
                parts.append(pd.read_parquet(path))
                for name, default in self.defaults.items():
                    if default is MISSING and name not in parts[-1]:
                        raise ValueError(f"it has no column {name}")
            except (OSError, ValueError, pa.ArrowException) as error:
                raise ArtifactError(
                    f"{path} is damaged ({error}): remove it and run the grid again, it repeats what is missing."
                ) from error
        if not parts:
            return pd.DataFrame(columns=[*self.defaults])
        if any(part["seed"].dtype.kind == "u" for part in parts if "seed" in part):  # seeds of 2^63 and more
            parts = [part.astype({"seed": np.uint64}) for part in parts]
        rows = pd.concat(parts).drop_duplicates("key").reset_index(drop=True)
        for name, default in self.defaults.items():
            if default is not MISSING:
                rows[name] = rows[name].fillna(default) if name in rows else default
        return rows[[*self.defaults]]

    def latest(self) -> pd.DataFrame:
        """The rows for tables: of a cell that was run again with another definition of its method, the newest alone."""
        frame = self.frame()
        created = [json.loads(text)["environment"]["created"] for text in frame["provenance"]]
        newest = frame.assign(created=created).sort_values("created", kind="stable")
        index = newest.drop_duplicates(self.cell, keep="last").index
        return frame.loc[sorted(index)].reset_index(drop=True)

    def compact(self) -> None:
        """Joins the rows into one sorted file; a crash meanwhile loses and doubles nothing, since keys are unique."""
        together = self.runs / "all.parquet"
        single = [path for path in self.runs.glob("*.parquet") if path != together]
        self._write(self.frame().sort_values(self.cell[::-1], ignore_index=True), together)
        for path in single:
            path.unlink()

    @staticmethod
    def _write(frame: pd.DataFrame, path: Path) -> None:
        with write_aside(path) as aside:
            frame.to_parquet(aside, index=False, compression="zstd")


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The settings in which two identities differ: NAME ONE, not OTHER; ..."""
    first, second = (pd.json_normalize(dict(facts)).astype(object).iloc[0].to_dict() for facts in (one, other))
    keys = [key for key in {**first, **second} if first.get(key) != second.get(key)]
    return "; ".join(f"{key} {first.get(key)}, not {second.get(key)}" for key in keys)
