"""Features that need not fit into memory: mapped from files, written block by block, and surveyed in one pass."""

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
from safetensors import SafetensorError, safe_open

from ..artifacts import ArtifactError, write_aside
from ..artifacts.files import load_array

__all__ = ["Survey", "chunks", "map_rows", "survey", "write_rows"]

AT_ONCE = 2**22
"""How many values are read at a time."""


def map_rows(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """The features in a file, mapped into memory so that rows are read on demand, and the file's header: `fingerprint`
    and `provenance` where this library wrote it, else nothing.

    Arguments:
        path: A .npy file, or a safetensors file; of several tensors, the one called `features` is read.

    Returns:
        The features, float16, float32 or float64[n, d], and the header.

    Raises:
        ArtifactError: If there is no such file, or it holds something else.
    """
    if not path.exists():
        raise ArtifactError(f"there is no file {path} of features.")
    values, header = _map_tensor(path) if path.suffix == ".safetensors" else (load_array(path, mapped=True), {})
    if values.ndim != 2 or not values.size or values.dtype not in ("float16", "float32", "float64"):
        raise ArtifactError(
            f"{path} holds {values.dtype} of shape {values.shape}: expected features, floating-point numbers of shape "
            "[n, d] of 16, 32 or 64 bits."
        )
    return values, header


def _map_tensor(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            names, header = list(file.keys()), (file.metadata() or {}).get("drd_plugin")
            name = "features" if "features" in names or len(names) != 1 else names[0]
            return file.get_tensor(name).numpy(), json.loads(header or "{}")
    except (SafetensorError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{path} holds no features ({error}): expected one tensor of float16, float32 or float64, or one that is "
            "called `features`."
        ) from error


def write_rows(path: Path, rows: Iterable[np.ndarray], n: int, fingerprint: str, provenance: Mapping[str, Any]) -> None:
    """Writes features to a safetensors file block by block, in the format of `Features.save`; the seconds that this
    takes join the provenance.

    Arguments:
        path: The file, which appears complete or not at all; one that another process has written meanwhile stays.
        rows: float32[B, d] in the order of the data set, n in all.
        n: The number of rows.
        fingerprint: The data set's fingerprint.
        provenance: How they are made, ready for JSON.

    Raises:
        ArtifactError: If there are more or fewer rows.
    """
    start, rest = time.perf_counter(), iter(rows)
    first = next(rest)
    shape = (n, first.shape[1])
    content = {"kind": "features", "fingerprint": fingerprint, "provenance": dict(provenance)}
    room = len(_header(shape, content)) + 64  # for the seconds, which come last
    with write_aside(path, first=True) as aside, aside.open("wb") as file:
        file.seek(8 + room)
        for block in chain([first], rest):
            file.write(np.ascontiguousarray(block, "<f4").tobytes())
        if file.tell() != 8 + room + 4 * math.prod(shape):
            raise ArtifactError(f"{path} was to hold {n} rows of {shape[1]} features, but others came.")
        content["provenance"] = {**provenance, "seconds": round(time.perf_counter() - start, 3)}
        file.seek(0)
        file.write(room.to_bytes(8, "little") + _header(shape, content).ljust(room))


def _header(shape: tuple[int, int], content: Mapping[str, Any]) -> bytes:
    """The header of a safetensors file of one tensor."""
    entry = {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * math.prod(shape)]}
    return json.dumps({"__metadata__": {"format": "pt", "drd_plugin": json.dumps(content)}, "features": entry}).encode()


def chunks(features: np.ndarray, width: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of consecutive rows in float32, each with the position of its first row.

    Arguments:
        features: Numbers of shape [n, d].
        width: How many values a row needs in memory, where that is more than d.
    """
    step = max(1, AT_ONCE // max(width, features.shape[1]))
    for start in range(0, len(features), step):
        yield start, np.asarray(features[start : start + step], np.float32)


@dataclass(frozen=True, eq=False)
class Survey:
    """The moments and the digest of features.

    Arguments:
        mean: The mean of each feature, float64[d].
        variance: The sum of the features' variances, positive.
        digest: Of all values as float32, in order.
    """

    mean: np.ndarray
    variance: float
    digest: str


def survey(features: np.ndarray) -> Survey:
    """The moments and the digest of features, in one pass.

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
        shifted = rows - origin
        total += shifted.sum(axis=0)
        square += float(np.square(shifted).sum())
    mean = total / len(features)
    variance = square / len(features) - float(np.square(mean).sum())
    if not variance > 0:
        raise ArtifactError(
            f"all {len(features)} examples have the same features, which no autoencoder can tell apart: look at the "
            "network."
        )
    return Survey(mean + origin, variance, sha.hexdigest()[:16])
