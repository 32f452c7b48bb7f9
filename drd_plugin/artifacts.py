"""The files that pass between the steps: Scores, Subset and Run. Each can be opened, shared and reused on its own.

Scores are a directory of Parquet parts (`index`, `label`, `score`, `stderr`, `estimates`) with their provenance as JSON in the schema's
metadata, a Subset is a JSON file, Runs are rows of Parquet. Everything is written aside and renamed, so a file that exists is whole,
and Parquet's page checksums are verified on reading.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ArtifactError", "Run", "Scores", "Subset", "check_fingerprint", "write_aside", "write_part"]

METADATA = b"drd_plugin"
PART = re.compile(r"part-(\d{5})-of-(\d{5})\.parquet")


class ArtifactError(ValueError):
    """An artefact that is damaged, incomplete, of another kind, or made for another data set."""


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to, and renames it to `path` if the block succeeds; nothing is left behind if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def check_fingerprint(made_for: str, given: str, what: str) -> None:
    """Raises ArtifactError unless `what`, which was made for the data set `made_for`, meets that same data set."""
    if made_for != given:
        raise ArtifactError(
            f"{what} was made for the data set {made_for}, but the data set at hand is {given}: "
            f"give the data it was made from, or make it again for this data set."
        )


@dataclass(frozen=True, eq=False)
class Scores:
    """How hard each training example is, in the order of the data set.

    Arguments:
        name: The score's name, as in the registry.
        estimates: Independent estimates of each example's score (diffusion draws, or proxies), float32[n, R] with R >= 1, finite.
        labels: The class of each example, int64[n].
        higher_is_harder: Whether a larger value means a harder (less typical, less likely) example.
        fingerprint: The data set's fingerprint.
        provenance: The score's fields and whatever else the values depend on, ready for JSON.

    Raises:
        ArtifactError: If shapes do not fit or a value is not finite.
    """

    name: str
    estimates: np.ndarray
    labels: np.ndarray
    higher_is_harder: bool
    fingerprint: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimates", np.asarray(self.estimates, np.float32))
        object.__setattr__(self, "labels", np.asarray(self.labels, np.int64))
        if self.estimates.ndim != 2 or len(self.estimates) != len(self.labels):
            raise ArtifactError(
                f"{self.name}: expected estimates of shape [n, R] for {len(self.labels)} labels, got {self.estimates.shape}."
            )
        broken = np.flatnonzero(~np.isfinite(self.estimates).all(axis=1))
        if len(broken):
            raise ArtifactError(
                f"{self.name}: the scores of {len(broken)} examples are NaN or infinite (the first: {broken[:5].tolist()}); "
                f"every score must be finite. Look at these images, or at the learning rate of the proxy."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def values(self) -> np.ndarray:
        """The mean of the estimates, float32[n]."""
        return self.estimates.mean(axis=1)

    @cached_property
    def stderr(self) -> np.ndarray | None:
        """The standard error of the mean, float32[n]; None with a single estimate."""
        count = self.estimates.shape[1]
        return self.estimates.std(axis=1, ddof=1) / np.float32(np.sqrt(count)) if count > 1 else None

    @cached_property
    def hardness(self) -> np.ndarray:
        """The values with the sign that makes larger harder, float32[n]."""
        return self.values if self.higher_is_harder else -self.values

    def save(self, folder: Path) -> None:
        """Writes the scores as a folder with one part."""
        write_part(folder, 0, 1, np.arange(len(self)), self.labels, self.estimates, self._header())

    def _header(self) -> dict[str, Any]:
        return {
            "kind": "scores",
            "name": self.name,
            "n": len(self),
            "higher_is_harder": self.higher_is_harder,
            "fingerprint": self.fingerprint,
            "provenance": dict(self.provenance),
        }

    @classmethod
    def load(cls, folder: Path) -> Scores:
        """Reads a folder of parts.

        Raises:
            ArtifactError: If the folder holds no scores, parts are missing, damaged or of different runs.
        """
        paths = sorted(path for path in Path(folder).glob("part-*") if PART.fullmatch(path.name))
        if not paths:
            raise ArtifactError(f"{folder} holds no scores: expected files part-00000-of-....parquet, as `drd-plugin score` writes them.")
        total = {PART.fullmatch(path.name)[2] for path in paths}  # type: ignore[index]
        if len(total) > 1 or len(paths) != int(*total):
            raise ArtifactError(
                f"{folder} is incomplete: found {len(paths)} of {' or '.join(sorted(total))} parts. Run the command that made it again: it goes on."
            )
        tables, headers = zip(*map(_read_part, paths), strict=True)
        if any(_timeless(header) != _timeless(headers[0]) for header in headers):
            raise ArtifactError(f"{folder} holds parts of different runs: remove the folder and score again.")
        index = np.concatenate([table["index"] for table in tables])
        if not np.array_equal(index, np.arange(headers[0]["n"])):
            raise ArtifactError(f"{folder} is damaged: its parts do not cover the examples 0 to {headers[0]['n'] - 1} once each, in order.")
        return cls(
            name=headers[0]["name"],
            estimates=np.concatenate([table["estimates"] for table in tables]),
            labels=np.concatenate([table["label"] for table in tables]),
            higher_is_harder=headers[0]["higher_is_harder"],
            fingerprint=headers[0]["fingerprint"],
            provenance=headers[0]["provenance"],
        )


def _timeless(header: Mapping[str, Any]) -> dict[str, Any]:
    """A header without the fields that tell when and where it was written."""
    return {**header, "provenance": {k: v for k, v in header["provenance"].items() if k not in ("environment", "seconds")}}


def part_path(folder: Path, part: int, parts: int) -> Path:
    """The path of one part of a scores folder."""
    return Path(folder) / f"part-{part:05d}-of-{parts:05d}.parquet"


def write_part(
    folder: Path, part: int, parts: int, index: np.ndarray, labels: np.ndarray, estimates: np.ndarray, header: Mapping[str, Any]
) -> None:
    """Writes one part of a scores folder; it appears whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values, count = estimates.mean(axis=1), estimates.shape[1]
    stderr = estimates.std(axis=1, ddof=1) / np.float32(np.sqrt(count)) if count > 1 else np.full(len(index), np.nan, np.float32)
    table = pa.table(
        {
            "index": pa.array(index, pa.int64()),
            "label": pa.array(labels, pa.int64()),
            "score": pa.array(values, pa.float32()),
            "stderr": pa.array(stderr, pa.float32(), from_pandas=True),
            "estimates": pa.FixedSizeListArray.from_arrays(pa.array(estimates.ravel(), pa.float32()), count),
        }
    ).replace_schema_metadata({METADATA: json.dumps(header, sort_keys=True)})
    with write_aside(part_path(folder, part, parts)) as aside:
        pq.write_table(table, aside, write_page_checksum=True)


def _read_part(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        header = json.loads(table.schema.metadata[METADATA])
        columns = {name: table[name].to_numpy() for name in ("index", "label")}
        flat = table["estimates"].combine_chunks().flatten().to_numpy()
        columns["estimates"] = flat.reshape(table.num_rows, -1)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is damaged or was not written by drd_plugin ({error}): remove it and run the command again."
        ) from error
    return columns, header


@dataclass(frozen=True, eq=False)
class Subset:
    """The examples to train on.

    Arguments:
        indices: Distinct positions in the training set, int64[k], ascending.
        n: The size of the training set.
        method: What made it, for tables ("DRD", "EL2N+CCS").
        fingerprint: The data set's fingerprint.
        weights: A loss weight for each index, float32[k], or None.
        chosen: What the strategy settled on (a window's start, a cut-off), ready for JSON.
        provenance: Score, strategy, fraction and seed, ready for JSON.

    Raises:
        ArtifactError: If an index is out of range or appears twice, or the weights do not fit.
    """

    indices: np.ndarray
    n: int
    method: str
    fingerprint: str
    weights: np.ndarray | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        indices = np.asarray(self.indices, np.int64)
        order = np.argsort(indices, kind="stable")
        object.__setattr__(self, "indices", indices[order])
        if len(indices) == 0 or self.indices[0] < 0 or self.indices[-1] >= self.n or len(np.unique(indices)) < len(indices):
            raise ArtifactError(f"a subset needs distinct indices in 0..{self.n - 1}, at least one; got {len(indices)} of them: {self.indices}.")
        if self.weights is not None:
            weights = np.asarray(self.weights, np.float32)
            if weights.shape != indices.shape or not np.isfinite(weights).all() or (weights < 0).any():
                raise ArtifactError(f"expected {len(indices)} finite, non-negative weights, got {weights.shape}: {weights}.")
            object.__setattr__(self, "weights", weights[order])

    def __len__(self) -> int:
        return len(self.indices)

    def save(self, path: Path) -> None:
        """Writes the subset as JSON."""
        content = {
            "kind": "subset",
            "method": self.method,
            "n": self.n,
            "k": len(self),
            "fingerprint": self.fingerprint,
            "chosen": dict(self.chosen),
            "provenance": dict(self.provenance),
            "indices": self.indices.tolist(),
            "weights": None if self.weights is None else self.weights.tolist(),
        }
        with write_aside(Path(path)) as aside:
            aside.write_text(json.dumps(content))

    @classmethod
    def load(cls, path: Path) -> Subset:
        """Reads a subset.

        Raises:
            ArtifactError: If the file is no subset, or damaged.
        """
        try:
            content = json.loads(Path(path).read_text())
            if content["kind"] != "subset" or content["k"] != len(content["indices"]):
                raise ValueError("not a whole subset")
            return cls(
                indices=np.array(content["indices"], np.int64),
                n=content["n"],
                method=content["method"],
                fingerprint=content["fingerprint"],
                weights=content["weights"],
                chosen=content["chosen"],
                provenance=content["provenance"],
            )
        except (OSError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError, ValueError) as error:
            raise ArtifactError(f"{path} is no subset file ({error}): expected JSON as `drd-plugin select` writes it.") from error


@dataclass(frozen=True)
class Run:
    """One row of a benchmark: one network trained on one subset.

    Arguments:
        key: The digest of everything that decides the row; a grid skips keys it already has.
        method: The method's name in tables; "Full" for the whole training set.
        fraction: The share of the training set that was kept, in (0, 1].
        k: The number of examples kept.
        dataset: The data set's name.
        fingerprint: The training set's fingerprint.
        net: The trained network's name.
        seed: The grid's seed; the single seeds are in `provenance`.
        acc_last: Test accuracy after the last step, in percent.
        acc_best: The best test accuracy seen during training, in percent (optimistic: it looks at the test set).
        step_best: The step of `acc_best`.
        steps: The optimiser steps taken.
        examples_seen: Examples presented, repetitions counted.
        seconds_score: Wall seconds that this method's scores took, shared between rows that share them.
        seconds_select: Wall seconds of the selection, trainings inside it included.
        seconds_train: Wall seconds of this training, tests included.
        device: Where it ran.
        chosen: What the strategy settled on, as JSON text.
        provenance: Score, strategy, recipe, seeds, versions and commit, as JSON text.
    """

    key: str
    method: str
    fraction: float
    k: int
    dataset: str
    fingerprint: str
    net: str
    seed: int
    acc_last: float
    acc_best: float
    step_best: int
    steps: int
    examples_seen: int
    seconds_score: float
    seconds_select: float
    seconds_train: float
    device: str
    chosen: str
    provenance: str


