"""Features that need not fit into memory: files that are mapped, written row by row, and looked over in one pass."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, write_aside
from ..artifacts.files import load_array

__all__ = ["Survey", "chunks", "map_rows", "survey", "write_rows"]

AT_ONCE = 2**22
"""Values that are read at once."""


def map_rows(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """The features in a file, mapped into memory, so that rows are read when they are asked for; and what the file says
    of them, `fingerprint` and `provenance`, where it is one of this library's.

    Arguments:
        path: A .npy file, or a safetensors file whose only tensor, or that called `features`, is meant.

    Returns:
        The features, float16, float32 or float64[n, d], and what is known of them.

    Raises:
        ArtifactError: If there is no such file, or it holds something else.
    """
    if not path.exists():
        raise ArtifactError(f"there is no file {path} of features.")
    values, said = _mapped_tensor(path) if path.suffix == ".safetensors" else (load_array(path, mapped=True), {})
    if values.ndim != 2 or not values.size or values.dtype not in ("float16", "float32", "float64"):
        raise ArtifactError(
            f"{path} holds {values.dtype} of shape {values.shape}: expected features, floating-point numbers of shape "
            "[n, d] of 16, 32 or 64 bits."
        )
    return values, said


def _mapped_tensor(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            names, header = list(file.keys()), (file.metadata() or {}).get("drd_plugin", "")
            name = "features" if "features" in names or len(names) != 1 else names[0]
            return file.get_tensor(name).numpy(), json.loads(header or "{}")
    except (SafetensorError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} holds no features ({error}): expected one tensor of float16, float32 or float64, or one that is "
            "called `features`."
        ) from error


def write_rows(path: Path, rows: Iterable[np.ndarray], n: int, fingerprint: str, provenance: Mapping[str, Any]) -> None:
    """Writes features to a safetensors file while they come, as `Features.save` writes them whole; the seconds that
    passed meanwhile join the provenance.

    Arguments:
        path: The file, which appears whole or not at all; one that another process has written meanwhile stays.
        rows: float32[B, d] in the order of the data set, n in all.
        n: The number of rows.
        fingerprint: The data set's fingerprint.
        provenance: How they are made, ready for JSON.

    Raises:
        ArtifactError: If other rows come.
    """
    start, rest = time.perf_counter(), iter(rows)
    first = next(rest)
    shape = (n, first.shape[1])
    said = {"kind": "features", "fingerprint": fingerprint, "provenance": dict(provenance)}
    room = len(_head(shape, said)) + 64  # for the seconds, which are known in the end
    with write_aside(path, first=True) as aside, aside.open("wb") as file:
        file.seek(8 + room)
        for block in chain([first], rest):
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
        if file.tell() != 8 + room + 4 * math.prod(shape):
            raise ArtifactError(f"{path} was to hold {n} rows of {shape[1]} features, but others came.")
        said["provenance"] = {**provenance, "seconds": round(time.perf_counter() - start, 3)}
        file.seek(0)
        file.write(room.to_bytes(8, "little") + _head(shape, said).ljust(room))


def _head(shape: tuple[int, int], said: Mapping[str, Any]) -> bytes:
    """The header of a safetensors file of one tensor."""
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * math.prod(shape)]}
    return json.dumps({"__metadata__": {"format": "pt", "drd_plugin": json.dumps(said)}, "features": entry}).encode()


def chunks(features: np.ndarray, width: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """Consecutive rows in float32, with the position of the first.

    Arguments:
        features: Numbers of shape [n, d].
        width: How many numbers each row becomes, where those are more than d.
    """
    step = max(1, AT_ONCE // max(width, features.shape[1]))
    for start in range(0, len(features), step):
        yield start, np.asarray(features[start : start + step], np.float32)


@dataclass(frozen=True, eq=False)
class Survey:
    """What one pass over features tells.

    Arguments:
        mean: The mean of each feature, float64[d].
        variance: The sum of the features' variances, positive.
        digest: Of all values as float32, in order.
    """

    mean: np.ndarray
    variance: float
    digest: str


def survey(features: np.ndarray) -> Survey:
    """Looks over features once.

    Arguments:
        features: Numbers of shape [n, d], in memory or mapped.

    Raises:
        ArtifactError: If a value is NaN or infinite, or all rows are the same.
    """
    sha, total, square = hashlib.sha256(), np.zeros(features.shape[1]), 0.0
    origin = np.asarray(features[0], np.float64)
    for start, rows in chunks(features):
        broken = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(broken):
            raise ArtifactError(
                f"the features of example {start + broken[0]} are NaN or infinite ({len(broken)} such among the "
                f"examples {start} to {start + len(rows) - 1}): look at this example, and at the network."
            )
        sha.update(rows.tobytes())
        apart = rows - origin
        total += apart.sum(axis=0)
        square += float(np.square(apart).sum())
    mean = total / len(features)
    variance = square / len(features) - float(np.square(mean).sum())
    if not variance > 0:
        raise ArtifactError(
            f"all {len(features)} examples have the same features, which no autoencoder can tell apart: look at the "
            "network."
        )
    return Survey(mean + origin, variance, sha.hexdigest()[:16])
