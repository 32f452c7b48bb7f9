"""From a split to its factors: features, autoencoder, codes; computed, or read where they were computed before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..artifacts import ArtifactError, Features
from ..core.job import Job
from ..core.provenance import describe, differences, digest, environment
from ..core.seeds import check_seed
from ..data import check_split
from .arrays import Survey, survey
from .artifact import Factors
from .autoencoder import Autoencoder
from .codes import encode
from .features import FeatureSource, FeatureSpace, feature_space
from .sources import find_source
from .train import train_autoencoder

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["factors_into", "factors_of"]


def factors_of(
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    features: Features | FeatureSpace | None = None,
    job: Job = Job(),
) -> Factors:
    """The factors of a split.

    Arguments:
        split: The training split.
        source: The feature space, or its name (see `drd_plugin.factors.sources`).
        autoencoder: How the autoencoder is trained.
        seed: Decides the proxy, the autoencoder's directions and the order of the examples.
        features: Those that `source` would make, where they were computed before.
        job: How and where; factors are kept in its folder, each in a folder that a digest names, and their features in
            a file; in memory where it has none.

    Raises:
        ArtifactError: If the features are those of another data set, NaN or infinite.
        DataError: If the source needs what the split, or this machine, lacks.
        FloatingPointError: If a training diverges.
        ValueError: If all units are dead.
    """
    task = _Task.prepare(split, source, autoencoder, seed, features)
    out = job.path(f"factors-seed{seed}-{digest(task.identity)}")
    return task.compute(job) if out is None else task.read_or_compute(out, job)


def factors_into(
    out: Path,
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Factors:
    """`factors_of`, into a folder of their own, together with the file of the features; finished ones are read.

    Raises:
        ArtifactError: If the folder holds other factors; else see `factors_of`.
    """
    task = _Task.prepare(split, source, autoencoder, seed, None)
    return task.read_or_compute(Path(out), Job(device, progress, Path(out)))


@dataclass(frozen=True, eq=False)
class _Task:
    """Factors that are to be computed.

    Arguments:
        split: The training split.
        source: Makes the features.
        autoencoder: How the autoencoder is trained.
        seed: Decides everything that is drawn.
        features: The features, where they were computed before.
        moments: The survey of these.
        identity: The settings and digests that determine the factors, ready for JSON.
    """

    split: Split
    source: FeatureSource
    autoencoder: Autoencoder
    seed: int
    features: FeatureSpace | None
    moments: Survey | None
    identity: Mapping[str, Any]

    @classmethod
    def prepare(
        cls,
        split: Split,
        source: str | FeatureSource,
        autoencoder: Autoencoder,
        seed: int,
        features: Features | FeatureSpace | None,
    ) -> _Task:
        """Checks what was asked for, and surveys features that were computed before."""
        check_split(split)
        check_seed(seed)
        source = find_source(source) if isinstance(source, str) else source
        space, moments = None, None
        if features is None:
            inputs = dict(source.identity(split, seed))
        else:
            space = FeatureSpace(features.values, features.fingerprint, features.provenance)
            space.check(split)
            moments = survey(space.values)
            inputs = {"digest": moments.digest}
        identity = {
            "features": describe(source),
            "inputs": inputs,
            "autoencoder": describe(autoencoder),
            "seed": seed,
            "dataset": split.name,
            "fingerprint": split.fingerprint,
        }
        return cls(split, source, autoencoder, seed, space, moments, identity)

    def read_or_compute(self, out: Path, job: Job) -> Factors:
        """Reads the folder, or computes and writes it."""
        if (out / "factors.json").exists():
            factors = Factors.load(out)
            factors.check(self.split)
            self._compare(factors, out)
            return factors
        factors = self.compute(job)
        factors.save(out)
        return factors

    def _compare(self, factors: Factors, out: Path) -> None:
        stored = {key: factors.provenance.get(key) for key in self.identity}
        if stored != self.identity:
            raise ArtifactError(
                f"{out} holds factors made with other settings ({differences(_flat(stored), _flat(self.identity))}): "
                "give another folder, or remove this one."
            )

    def compute(self, job: Job) -> Factors:
        """Makes the factors; a file of features goes to the job's folder."""
        machine = environment(str(job.torch_device))
        space = self.features or feature_space(self.split, self.source, self.seed, job)
        start = time.perf_counter()
        moments = self.moments or survey(space.values)
        net = train_autoencoder(
            space.values, self.autoencoder, self.seed, moments, device=job.device, progress=job.progress
        )
        trained = time.perf_counter()
        codes, explained = encode(net, space.values, moments, job.device)
        factors = Factors(net, codes, self.split.fingerprint)
        provenance = {
            **self.identity,
            "digest": moments.digest,
            "settled": describe(self.autoencoder.settled(*space.values.shape)),
            "quality": _quality(factors, explained),
            "seconds": {
                "features": space.provenance.get("seconds", 0.0),
                "autoencoder": round(trained - start, 3),
                "scoring": round(time.perf_counter() - trained, 3),
            },
            "features_provenance": dict(space.provenance),
            "environment": machine,
        }
        return replace(factors, provenance=provenance)


def _quality(factors: Factors, explained: float) -> dict[str, float]:
    """How well the autoencoder does over the whole data set."""
    active = factors.codes.active
    return {
        "explained_variance": round(explained, 5),
        "l0": round(float(active.mean()), 3),
        "dead": round(float((factors.frequency == 0).mean()), 5),
        "without_factors": round(float((active == 0).mean()), 5),
    }


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that determine factors, a line for each of the autoencoder's."""
    inside = {f"autoencoder's {key}": value for key, value in (identity.get("autoencoder") or {}).items()}
    return {**{key: value for key, value in identity.items() if key != "autoencoder"}, **inside}
