"""From a split to its factors: features, autoencoder, codes; computed, or found again in a folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...artifacts import ArtifactError, Features
from ...data import check_split
from ...provenance import describe, differences, digest, environment
from ...rng import check_seed
from .arrays import Survey, survey
from .artifact import Factors
from .autoencoder import Autoencoder
from .codes import coded
from .features import FeatureSource, FeatureSpace, feature_space
from .sources import find_source

if TYPE_CHECKING:
    from ...data import Split

__all__ = ["factors_into", "factors_of"]


def factors_of(
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    folder: Path | None = None,
    device: str = "auto",
    features: Features | FeatureSpace | None = None,
    progress: bool = True,
) -> Factors:
    """The factors of a split: computed, or found.

    Arguments:
        split: The training split.
        source: The feature space, or its name (see `drd_plugin.dynamic.factors.sources`).
        autoencoder: How the autoencoder is trained.
        seed: Decides the proxy, the autoencoder's directions and the order of the examples.
        folder: Where factors are kept, in a folder that a digest names, and their features in a file; in memory by
            default.
        device: `auto`, or a torch device.
        features: Those that `source` would make, where they are at hand.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If the features are those of another data set, NaN or infinite.
        DataError: If the source needs what the split, or this machine, lacks.
        FloatingPointError: If a training diverges.
        ValueError: If all units are dead.
    """
    task = _Task.of(split, source, autoencoder, seed, features)
    if folder is None:
        return task.compute(None, device, progress)
    return task.into(Path(folder) / f"factors-seed{seed}-{digest(task.made)}", Path(folder), device, progress)


def factors_into(
    out: Path,
    split: Split,
    source: str | FeatureSource = "proxy",
    autoencoder: Autoencoder = Autoencoder(),
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> Factors:
    """`factors_of`, into a folder of their own, together with the file of the features; what is there is read.

    Raises:
        ArtifactError: If the folder holds other factors; else see `factors_of`.
    """
    return _Task.of(split, source, autoencoder, seed, None).into(Path(out), Path(out), device, progress)


@dataclass(frozen=True, eq=False)
class _Task:
    """Factors that are wanted; `made` is what decides them."""

    split: Split
    source: FeatureSource
    autoencoder: Autoencoder
    seed: int
    given: FeatureSpace | None
    known: Survey | None
    made: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        split: Split,
        source: str | FeatureSource,
        autoencoder: Autoencoder,
        seed: int,
        features: Features | FeatureSpace | None,
    ) -> _Task:
        check_split(split)
        check_seed(seed)
        source = find_source(source) if isinstance(source, str) else source
        given, known, inputs = None, None, {}
        if features is None:
            inputs = dict(source.inputs(split, seed))
        else:
            given = FeatureSpace(features.values, features.fingerprint, features.provenance)
            given.check(split)
            known = survey(given.values)
            inputs = {"digest": known.digest}
        made = {
            "features": describe(source),
            "inputs": inputs,
            "autoencoder": describe(autoencoder),
            "seed": seed,
            "dataset": split.name,
            "fingerprint": split.fingerprint,
        }
        return cls(split, source, autoencoder, seed, given, known, made)

    def into(self, out: Path, keep: Path, device: str, progress: bool) -> Factors:
        """Reads the folder, or computes and writes it."""
        if (out / "factors.json").exists():
            found = Factors.load(out)
            found.check(self.split)
            self._compare(found, out)
            return found
        made = self.compute(keep, device, progress)
        made.save(out)
        return made

    def _compare(self, found: Factors, out: Path) -> None:
        there = {key: found.provenance.get(key) for key in self.made}
        if there != self.made:
            apart = differences(*(_flat(made) for made in (there, self.made)))
            raise ArtifactError(
                f"{out} holds factors made with other settings ({apart}): give another folder, or remove this one."
            )

    def compute(self, keep: Path | None, device: str, progress: bool) -> Factors:
        """Makes the factors; a file of features goes to `keep`."""
        from ...training.loader import resolve_device

        where = environment(str(resolve_device(device)))
        space = self.given or feature_space(
            self.split, self.source, self.seed, folder=keep, device=device, progress=progress
        )
        start = time.perf_counter()
        known = self.known or survey(space.values)
        net = self.autoencoder.fit(space.values, self.seed, device, progress, known)
        trained = time.perf_counter()
        codes, explained = coded(net, space.values, known, device)
        found = Factors(net, codes, self.split.fingerprint)
        quality = _quality(found, explained)
        seconds = {
            "features": space.provenance.get("seconds", 0.0),
            "autoencoder": round(trained - start, 3),
            "scoring": round(time.perf_counter() - trained, 3),
        }
        settled = describe(self.autoencoder.settled(*space.values.shape))
        told = {"digest": known.digest, "settled": settled, "quality": quality, "seconds": seconds}
        of_features = {"features_provenance": dict(space.provenance), "environment": where}
        return replace(found, provenance={**self.made, **told, **of_features})


def _quality(found: Factors, explained: float) -> dict[str, float]:
    """How well the autoencoder does over the whole data set."""
    active = found.codes.active
    return {
        "explained_variance": round(explained, 5),
        "l0": round(float(active.mean()), 3),
        "dead": round(float((found.frequency == 0).mean()), 5),
        "without_factors": round(float((active == 0).mean()), 5),
    }


def _flat(made: Mapping[str, Any]) -> dict[str, Any]:
    """What decides factors, a line for each setting of the autoencoder."""
    inside = {f"autoencoder's {key}": value for key, value in (made.get("autoencoder") or {}).items()}
    return {**{key: value for key, value in made.items() if key != "autoencoder"}, **inside}
