"""`Factors`: a sparse autoencoder and the codes of a data set, in one folder.

- `autoencoder.safetensors`: its weights;
- `codes.safetensors`: the active units of each example;
- `units.parquet`: the columns `unit` and `frequency`;
- `examples.parquet`: the columns `index`, `representativeness`, `rarity` and `active` (how many units are);
- `factors.json`: where they came from; it is written last, so a folder that has it is complete.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import safe_open

from ..artifacts import ArtifactError, check_fingerprint, read_json, write_aside
from ..core.provenance import digest
from ..data import Split
from .codes import Codes
from .network import SparseAutoencoder
from .statistics import frequencies, rarity, representativeness

__all__ = ["Factors"]

METADATA = b"drd_plugin"


@dataclass(frozen=True, eq=False)
class Factors:
    """The factors of a data set: the units of a sparse autoencoder, and the active ones of each example.

    Arguments:
        autoencoder: The trained autoencoder.
        codes: The active units of each example.
        fingerprint: The data set's fingerprint.
        provenance: The source and digest of the features, the autoencoder's settings, the seed, how well it did
            (`quality`), and the seconds of each stage (0 for features that were not computed), ready for JSON.

    Raises:
        ValueError: If no unit is active for any example.
    """

    autoencoder: SparseAutoencoder = field(repr=False)
    codes: Codes = field(repr=False)
    fingerprint: str
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.codes.value.any():
            raise ValueError(
                f"all {self.codes.units} units are dead: none is active for any of {len(self)} examples. Lower lr, or "
                "look at the features."
            )

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def frequency(self) -> np.ndarray:
        """p_j of each unit, float64[m]; 0 for a dead one."""
        return frequencies(self.codes)

    @cached_property
    def representativeness(self) -> np.ndarray:
        """r_i of each example, float32[n] in [0, 1]."""
        return representativeness(self.codes)

    @cached_property
    def rarity(self) -> np.ndarray:
        """v_i of each example in nats, float32[n], at least 0."""
        return rarity(self.codes)

    def check(self, split: Split) -> None:
        """Raises ArtifactError unless these are the factors of this split."""
        check_fingerprint(self.fingerprint, split.fingerprint, "the folder of factors")

    def save(self, folder: Path) -> None:
        """Writes the folder."""
        folder, mark = Path(folder), self._mark
        self.autoencoder.save(folder / "autoencoder.safetensors", mark)
        self.codes.save(folder / "codes.safetensors", mark)
        units = {"unit": np.arange(self.codes.units), "frequency": self.frequency}
        _write_table(folder / "units.parquet", units, mark)
        examples = {
            "index": np.arange(len(self)),
            "representativeness": self.representativeness,
            "rarity": self.rarity,
            "active": self.codes.active,
        }
        _write_table(folder / "examples.parquet", examples, mark)
        content = {"kind": "factors", "fingerprint": self.fingerprint, "provenance": dict(self.provenance)}
        with write_aside(folder / "factors.json") as aside:
            aside.write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Factors:
        """Reads a folder.

        Raises:
            ArtifactError: If it holds no factors, or a file is damaged or of another run.
        """
        folder = Path(folder)
        if not (folder / "factors.json").exists():
            raise ArtifactError(f"{folder} holds no factors as `drd-plugin factors` writes them.")
        remedy = "remove the folder, and make the factors again"
        content = read_json(folder / "factors.json", remedy, "fingerprint", "provenance")
        fingerprint, provenance = content["fingerprint"], content["provenance"]
        weights, codes = folder / "autoencoder.safetensors", folder / "codes.safetensors"
        factors = cls(SparseAutoencoder.load(weights), Codes.load(codes), fingerprint, provenance)
        if {_mark_of(weights), _mark_of(codes)} != {factors._mark}:
            raise ArtifactError(f"{folder} holds files of different runs: remove it, and make the factors again.")
        return factors

    @property
    def _mark(self) -> str:
        """The digest that all files of one run carry."""
        return digest([self.fingerprint, self.provenance])


def _mark_of(path: Path) -> str:
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["drd_plugin"])["mark"]


def _write_table(path: Path, columns: Mapping[str, np.ndarray], mark: str) -> None:
    table = pa.table(dict(columns)).replace_schema_metadata({METADATA: mark})
    with write_aside(path) as aside:
        pq.write_table(table, aside, write_page_checksum=True)
