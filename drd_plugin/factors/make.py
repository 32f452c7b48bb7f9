"""From a split to its factors: features, autoencoder, codes; computed, or read where they were computed before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..artifacts import ArtifactError, Features, claim
from ..core.job import Job
from ..core.provenance import describe, differences, digest, environment
from ..core.seeds import check_seed
from ..data import Split, check_split
from .arrays import Survey, survey
from .artifact import Factors
from .autoencoder import Autoencoder
from .features import FeatureSource, FeatureSpace, feature_space
from .network import encode
from .sources import find_source
from .train import train_autoencoder

__all__ = ["factors_identity", "factors_into", "factors_of"]


def factors_of(
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    features: Features | FeatureSpace | None = None,
    job: Job = Job(),
    out: Path | None = None,
) -> Factors:
    """The factors of a split: computed, or read where they were computed before.

    Arguments:
        split: The training split.
        source: The feature space, or its name (see `drd_plugin.factors.sources`).
        autoencoder: How the autoencoder is trained.
        seed: Determines the proxy, the autoencoder's initial directions and the order of the examples.
        features: The features of `source`, if they were computed before.
        job: How and where; features are stored in its folder, in a file that a digest names; in memory where it has
            none.
        out: The folder of the factors; by default one in the job's folder that a digest names.

    Raises:
        ArtifactError: If the features are those of another data set, NaN or infinite, or `out` holds other factors,
            cannot be written, or another process writes others there.
        DataError: If the source needs what the split, or this machine, lacks.
        FloatingPointError: If a training diverges.
        ValueError: If all units are dead.
    """
    check_split(split)
    seed = check_seed(seed)
    source = find_source(source) if isinstance(source, str) else source
    space, moments = None, None
    if features is not None:
        space = FeatureSpace(features.values, features.fingerprint, features.provenance)
        space.check(split)
        moments = survey(space.values)
    identity = factors_identity(split, source, autoencoder, seed, moments)
    out = out or job.path(f"factors-seed{seed}-{digest(identity)}")
    if out is not None and (out / "factors.json").exists():
        return _read(out, split, identity)
    machine = environment(str(job.torch_device))
    with nullcontext() if out is None else claim(out / "factors.json", digest(identity)):
        space = space or feature_space(split, source, seed, job)
        factors = _trained(space, autoencoder, seed, moments or survey(space.values), job)
        provenance = {**identity, **factors.provenance, "environment": machine}
        factors = replace(factors, fingerprint=split.fingerprint, provenance=provenance)
        if out is not None:
            factors.save(out)
    return factors


def _trained(space: FeatureSpace, autoencoder: Autoencoder, seed: int, moments: Survey, job: Job) -> Factors:
    """The factors of features: an autoencoder is trained on them and encodes them all."""
    start = time.perf_counter()
    net = train_autoencoder(space.values, autoencoder, seed, moments, device=job.device, progress=job.progress)
    trained = time.perf_counter()
    codes, explained = encode(net, space.values, moments, job.device)
    factors = Factors(net, codes, space.fingerprint)
    provenance = {
        "digest": moments.digest,
        "settled": describe(autoencoder.settled(*space.values.shape)),
        "quality": _quality(factors, explained),
        "seconds": {
            "features": space.provenance.get("seconds", 0.0),
            "autoencoder": round(trained - start, 3),
            "scoring": round(time.perf_counter() - trained, 3),
        },
        "features_provenance": dict(space.provenance),
    }
    return replace(factors, provenance=provenance)


def factors_into(
    out: Path,
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Factors:
    """`factors_of`, in a folder of their own together with the file of the features."""
    job = Job(device, progress, Path(out))
    return factors_of(split, source, autoencoder, seed, job=job, out=job.folder)


def factors_identity(
    split: Split, source: FeatureSource, autoencoder: Autoencoder, seed: int, moments: Survey | None = None
) -> dict[str, Any]:
    """The settings and digests that determine the factors, ready for JSON; of features that were computed before, by
    their survey.
    """
    return {
        "features": describe(source),
        "inputs": dict(source.identity(split, seed)) if moments is None else {"digest": moments.digest},
        "autoencoder": describe(autoencoder),
        "seed": seed,
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


def _read(out: Path, split: Split, identity: Mapping[str, Any]) -> Factors:
    """The factors in a folder, of this split and with these settings."""
    factors = Factors.load(out)
    factors.check(split)
    stored = {key: factors.provenance.get(key) for key in identity}
    if stored != identity:
        raise ArtifactError(
            f"{out} holds factors made with other settings ({differences(_flat(stored), _flat(identity))}): give "
            "another folder, or remove this one."
        )
    return factors


def _quality(factors: Factors, explained: float) -> dict[str, float]:
    """How well the autoencoder reconstructs the whole data set, and how many units and examples stay without use."""
    active = factors.codes.active
    return {
        "explained_variance": round(explained, 5),
        "l0": round(float(active.mean()), 3),
        "dead": round(float((factors.frequency == 0).mean()), 5),
        "without_factors": round(float((active == 0).mean()), 5),
    }


def _flat(identity: Mapping[str, Any]) -> dict[str, Any]:
    """An identity with an entry for each of the autoencoder's settings, to be compared."""
    inside = {f"autoencoder's {key}": value for key, value in (identity.get("autoencoder") or {}).items()}
    return {**{key: value for key, value in identity.items() if key != "autoencoder"}, **inside}
