"""`Scores`: a folder of Parquet parts with the columns `index`, `label`, `score`, `stderr` and `estimates`.

The provenance is JSON in the schema's metadata; Parquet's page checksums are written, and verified on reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..core.provenance import differences, identity_of
from .files import ArtifactError, write_aside
from .reliability import reliability
from .vectors import as_array, whole_numbers

__all__ = ["Scores", "part_path", "read_part", "write_part"]

METADATA = b"drd_plugin"
PART = re.compile(r"part-(\d{5})-of-(\d{5})\.parquet")


@dataclass(frozen=True, eq=False)
class Scores:
    """A score of each training example, in the order of the data set.

    Arguments:
        name: The score's name in the registry, or the one that it was imported under.
        estimates: Independent estimates of each example's score (diffusion draws, or proxies), float32[n, R] with R >=
            1, finite; float64 where float32 would make the means of two examples equal that differ.
        labels: The class of each example, int64[n].
        higher_is_harder: Whether a larger value means a harder (less typical, less likely) example.
        fingerprint: The data set's fingerprint.
        provenance: The score's fields and all else that determines the values, ready for JSON.
        double: Whether the estimates are float64 in any case; it becomes true where they must be.

    The arrays are copies, so what becomes of the caller's changes nothing.

    Raises:
        ArtifactError: If the shapes differ, a value is not finite or beyond float32's range, two values differ that are
            equal in float64 too, or a label is no integer.
    """

    name: str
    estimates: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    higher_is_harder: bool
    fingerprint: str
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)
    double: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        estimates, labels = np.asarray(self.estimates), as_array(self.labels)
        if estimates.ndim != 2 or labels.ndim != 1 or len(estimates) != len(labels) or not estimates.shape[1]:
            raise ArtifactError(
                f"{self.name}: expected estimates of shape [n, R] for {len(labels)} labels, got {estimates.shape}."
            )
        if estimates.dtype.kind not in "biuf":
            raise ArtifactError(f"{self.name}: expected numbers as estimates, got {estimates.dtype} values.")
        with np.errstate(over="ignore"):
            broken = np.flatnonzero(~np.isfinite(estimates.astype(np.float32)).all(axis=1))
        if len(broken):
            raise ArtifactError(
                f"{self.name}: the scores of {len(broken)} examples are NaN or infinite (the first: "
                f"{broken[:5].tolist()}); "
                f"every score must be finite, and below 3.4e38. Look at these images, or at the learning rate of the "
                "proxy."
            )
        object.__setattr__(self, "double", self.double or _needs_double(self.name, estimates))
        object.__setattr__(self, "estimates", np.array(estimates, np.float64 if self.double else np.float32))
        object.__setattr__(self, "labels", whole_numbers(labels, "labels", whose=f"{self.name}: ").astype(np.int64))

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def values(self) -> np.ndarray:
        """The mean of the estimates, float32[n], or float64 as they are."""
        return self.estimates.mean(axis=1)

    @cached_property
    def stderr(self) -> np.ndarray | None:
        """The standard error of the mean, float32[n]; None with a single estimate."""
        count = self.estimates.shape[1]
        return self.estimates.std(axis=1, ddof=1) / np.float32(np.sqrt(count)) if count > 1 else None

    @cached_property
    def reliability(self) -> float:
        """The split-half reliability within classes (see `drd_plugin.artifacts.reliability`), at most 1; NaN with a
        single estimate.
        """
        return reliability(self.estimates, self.labels)

    @property
    def unit(self) -> str:
        """The word for estimates: `draws`, `pairs of draws`, or `proxies`."""
        score = self.provenance.get("score", {})
        return "pairs of draws" if score.get("antithetic") else "draws" if "draws" in score else "proxies"

    @cached_property
    def hardness(self) -> np.ndarray:
        """The values, negated unless higher is harder, so that larger always means harder; number[n]."""
        return self.values if self.higher_is_harder else -self.values

    def at(self, positions: np.ndarray) -> Scores:
        """The scores of the examples at these positions, int64[B], in that order."""
        return replace(self, estimates=self.estimates[positions], labels=self.labels[positions])

    def save(self, folder: Path) -> None:
        """Writes the scores to a folder, as one part."""
        write_part(folder, 0, 1, np.arange(len(self)), self, len(self))

    @classmethod
    def load(cls, folder: Path) -> Scores:
        """Reads the scores from a folder of parts.

        Raises:
            ArtifactError: If the folder holds no scores, or parts are missing, damaged or of different runs.
        """
        paths = sorted(path for path in Path(folder).glob("part-*") if PART.fullmatch(path.name))
        if not paths and not Path(folder).exists():
            raise ArtifactError(f"there is no folder {folder} of scores.")
        if not paths and (Path(folder) / "plan.json").exists():
            raise ArtifactError(f"{folder} holds no finished scores yet: run the command that began them again.")
        if not paths:
            raise ArtifactError(
                f"{folder} holds no scores: expected part-00000-of-....parquet, as `drd-plugin score` writes."
            )
        total = {int(PART.fullmatch(path.name)[2]) for path in paths}  # type: ignore[index]
        if len(total) > 1:
            raise ArtifactError(f"{folder} holds parts of different runs, of {sorted(total)} parts: keep those of one.")
        if {len(paths)} != total:
            raise ArtifactError(
                f"{folder} is incomplete: found {len(paths)} of {max(total)} parts. "
                "Run the command that made it again, which goes on where it stopped, or score the other shards."
            )
        indices, parts = zip(*map(read_part, paths), strict=True)
        if not np.array_equal(np.concatenate([index for index, _ in indices]), np.arange(indices[0][1])):
            raise ArtifactError(
                f"{folder} is damaged: its parts do not cover the examples 0 to {indices[0][1] - 1} once each, in "
                "order."
            )
        return cls.joined(parts)

    @classmethod
    def joined(cls, parts: Sequence[Scores]) -> Scores:
        """Joins the scores of consecutive chunks; their seconds add up. If several versions or machines computed them,
        all are listed under `environments`.

        Raises:
            ArtifactError: If the parts come from runs with different settings.
        """
        other = next((part for part in parts if part._identity != parts[0]._identity), None)
        if other is not None:
            changes = differences(parts[0].provenance, other.provenance) or "name or data set"
            raise ArtifactError(
                f"the parts of {parts[0].name} come from runs with different settings ({changes}): score again into an "
                "empty folder. Machines without a common disk agree on timesteps and distance where each begins with a "
                "copy of the same plan.json, timesteps.json and critic.safetensors."
            )
        seconds = round(sum(part.provenance.get("seconds", 0.0) for part in parts), 3)
        environments = _distinct([part.provenance.get("environment", {}) for part in parts])
        return replace(
            parts[0],
            estimates=np.concatenate([part.estimates for part in parts]),
            double=any(part.double for part in parts),
            labels=np.concatenate([part.labels for part in parts]),
            provenance={
                **parts[0].provenance,
                **({"environments": environments} if len(environments) > 1 else {}),
                "seconds": seconds,
            },
        )

    @property
    def _identity(self) -> tuple[Any, ...]:
        return self.name, self.higher_is_harder, self.fingerprint, identity_of(self.provenance)


def _needs_double(name: str, estimates: np.ndarray) -> bool:
    """Whether float32 would make means equal that differ.

    Raises:
        ArtifactError: If float64 would make estimates equal that differ.
    """
    if estimates.dtype.kind == "b" or estimates.dtype.itemsize < 4 or estimates.dtype == np.float32:
        return False
    double = estimates.astype(np.float64)
    wide = estimates.dtype.kind in "iu" or estimates.dtype.itemsize > 8
    if wide and len(np.unique(double)) < len(np.unique(estimates)):
        raise ArtifactError(
            f"{name}: some estimates that differ would be the same in float64: subtract what they have in common."
        )
    means = (each.mean(axis=1) for each in (double.astype(np.float32), double))
    single, exact = (len(np.unique(mean)) for mean in means)
    return single < exact


def _distinct(environments: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first of the environments that differ in the time only, in order."""
    distinct: dict[str, Mapping[str, Any]] = {}
    for environment in environments:
        key = json.dumps({k: v for k, v in environment.items() if k != "created"}, sort_keys=True)
        distinct.setdefault(key, environment)
    return list(distinct.values())


def part_path(folder: Path, part: int, parts: int) -> Path:
    """The path of one part of a scores folder."""
    return Path(folder) / f"part-{part:05d}-of-{parts:05d}.parquet"


def write_part(folder: Path, part: int, parts: int, index: np.ndarray, scores: Scores, n: int) -> None:
    """Writes the scores of some examples as one part of a folder, which appears complete or not at all.

    Arguments:
        folder: The scores folder.
        part: The part's number, from 0.
        parts: The number of parts.
        index: The positions of the examples, int64[B].
        scores: Their scores.
        n: The number of examples in all parts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    header = {
        "kind": "scores",
        "name": scores.name,
        "n": n,
        "higher_is_harder": scores.higher_is_harder,
        "fingerprint": scores.fingerprint,
        "provenance": dict(scores.provenance),
    }
    table = pa.table(
        {
            "index": pa.array(index, pa.int64()),
            "label": pa.array(scores.labels, pa.int64()),
            "score": pa.array(scores.values),
            "stderr": pa.nulls(len(scores), pa.float32()) if scores.stderr is None else pa.array(scores.stderr),
            "estimates": pa.FixedSizeListArray.from_arrays(
                pa.array(scores.estimates.ravel()), scores.estimates.shape[1]
            ),
        }
    ).replace_schema_metadata({METADATA: json.dumps(header, sort_keys=True)})
    with write_aside(part_path(folder, part, parts)) as aside:
        pq.write_table(table, aside, write_page_checksum=True)


def read_part(path: Path) -> tuple[tuple[np.ndarray, int], Scores]:
    """Reads one part: ((the positions int64[B], the number of examples in all parts), the scores)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, page_checksum_verification=True)
        header = json.loads(table.schema.metadata[METADATA])
        estimates = table["estimates"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
        scores = Scores(
            name=header["name"],
            estimates=estimates,
            labels=table["label"].to_numpy(),
            higher_is_harder=header["higher_is_harder"],
            fingerprint=header["fingerprint"],
            provenance=header["provenance"],
            double=estimates.dtype == np.float64,
        )
        return (table["index"].to_numpy(), header["n"]), scores
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} is damaged or no part of scores ({error}): remove it and run the command again."
        ) from error
