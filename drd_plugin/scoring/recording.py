"""A recorded pass: several fold scores from the same trainings of proxies.

Each proxy has a checkpoint, one safetensors file: the statistics of each score and the network after the last epoch, or
the finished scores. A pass that is killed loses at most an epoch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Features, Scores, claim
from ..core.job import Job
from ..core.provenance import describe, digest, environment
from ..core.seeds import check_seed, generator
from ..data import Split, check_split
from ..methods import PUBLISHED, parse_score
from ..scores import SCORES, FoldScore
from ..training.check import check_recipe
from ..training.recipe import Recipe
from .folder import claimed_folder, plan_of
from .proxy import KeepFeatures, ProxyTraining, proxy_identity

__all__ = ["fitting_folds", "parse_fold", "proxy_seed", "record_folds", "record_into"]


def record_folds(
    split: Split,
    folds: Sequence[FoldScore],
    proxy: Recipe,
    seed: int,
    job: Job,
    keep_features: KeepFeatures | None = None,
) -> list[Scores]:
    """The scores of each fold, in order, after trainings of as many proxies as the folds average over.

    Arguments:
        split: The training split.
        folds: The fold scores.
        proxy: The recipe for the proxies, in epochs.
        seed: Determines the proxies' seeds (see `proxy_seed`).
        job: How and where. Checkpoints are stored in its folder, which the caller removes in the end.
        keep_features: Receives the penultimate features of the first proxy.

    Raises:
        ArtifactError: If a score is NaN, or the folder holds another pass.
        FloatingPointError: If a training diverges; the message names the example and the epoch.
        ValueError: If the recipe is measured in steps, since folds count epochs, or is too short for a fold; or if
            there are neither folds nor `keep_features`.
    """
    if not folds and keep_features is None:
        raise ValueError("there is nothing to record: name at least one score.")
    _check(split, folds, proxy, seed)
    machine = environment(str(job.torch_device))
    columns: list[list[np.ndarray]] = [[] for _ in folds]
    seconds = np.zeros(len(folds))
    for number in range(max((fold.proxies for fold in folds), default=1)):
        watching = [i for i, fold in enumerate(folds) if fold.proxies > number]
        training = ProxyTraining(split, [folds[i] for i in watching], proxy, proxy_seed(seed, number), job)
        values, spent = training.columns(keep_features if number == 0 else None)
        for i, column in zip(watching, values, strict=True):
            columns[i].append(column)
        seconds[watching] += spent
    return [
        Scores(
            name=type(fold).__name__,
            estimates=np.stack(estimates, axis=1),
            labels=split.labels,
            higher_is_harder=fold.higher_is_harder,
            fingerprint=split.fingerprint,
            provenance=_plan(split, fold, proxy, seed) | {"environment": machine, "seconds": round(float(spent), 3)},
        )
        for fold, estimates, spent in zip(folds, columns, seconds, strict=True)
    ]


def record_into(
    out: Path,
    split: Split,
    folds: Mapping[str, FoldScore],
    proxy: Recipe,
    seed: int,
    job: Job,
    features: str | None = None,
) -> dict[str, Scores]:
    """`record_folds` into a folder with a folder of scores for each fold, by name; finished scores are read.

    Arguments:
        out: The folder.
        split: The training split.
        folds: The fold scores by the names of their folders; `.` is `out` itself.
        proxy: The recipe for the proxies, in epochs.
        seed: Determines the proxies' seeds.
        job: How and where.
        features: The file in `out` for the features of the first proxy; they are not stored by default.

    Raises:
        ArtifactError: If a folder holds other scores, the file holds the features of another proxy, or a score is NaN.
    """
    _check(split, list(folds.values()), proxy, seed)
    team, identity = job.team, proxy_identity(split, proxy, seed)
    path = None if features is None else out / features

    def keep(values: Features) -> None:
        if team.leads and path is not None:
            values.save(path)

    with ExitStack() as claims:
        with team.first_alone():
            plans = {name: _plan(split, fold, proxy, seed) for name, fold in folds.items()}
            finished = {name: claims.enter_context(claimed_folder(out / name, plan)) for name, plan in plans.items()}
            lacks_features = path is not None and not _has_features(path, split, identity)
            if path is not None and lacks_features:
                claims.enter_context(claim(path, digest(identity)))
        team.wait()
        missing = {name: fold for name, fold in folds.items() if not finished[name]}
        if missing or lacks_features:
            work, keep_features = out / f"proxies-seed{seed}-{digest(identity)}", keep if lacks_features else None
            recorded = record_folds(split, list(missing.values()), proxy, seed, job.inside(work), keep_features)
            if team.leads:
                for name, scores in zip(missing, recorded, strict=True):
                    scores.save(out / name)
                shutil.rmtree(work, ignore_errors=True)
            team.wait()
    return {name: Scores.load(out / name) for name in folds}


def _check(split: Split, folds: Sequence[FoldScore], proxy: Recipe, seed: int) -> None:
    """Raises the errors of wrong arguments, before any training."""
    check_split(split)
    check_recipe(proxy, split)
    check_seed(seed)
    if proxy.epochs is None:
        raise ValueError(
            f"a proxy's recipe is measured in epochs, got steps={proxy.steps}: use recipe.for_epochs(...)."
        )
    for fold in folds:
        fold.last(proxy.epochs)


def _has_features(path: Path, split: Split, identity: Mapping[str, Any]) -> bool:
    """Whether the file exists; raises ArtifactError unless its features are those of this proxy."""
    if not path.exists():
        return False
    features = Features.load(path)
    features.check(len(split), split.fingerprint)
    if {key: features.provenance.get(key) for key in identity} != identity:
        raise ArtifactError(f"{path} holds the features of a proxy with another recipe or seed: give another folder.")
    return True


def proxy_seed(seed: int, number: int) -> int:
    """The seed of the proxy with this number, from 0, of a pass; it differs between passes of different seeds.

    Raises:
        ValueError: If the seed is no integer in 0..2^64 - 1.
    """
    if check_seed(seed) < 2**32:
        return seed + (number << 32)
    return int(generator(seed, f"proxy {number}").integers(2**63, 2**64, dtype=np.uint64))


def parse_fold(name: str) -> FoldScore:
    """A fold score from its name, with settings.

    Raises:
        UnknownName: If there is no such score.
        ValueError: If the score watches no proxy, or the name is that of a method and not of its score.
    """
    score, kind = parse_score(name), name.partition("[")[0].strip()
    if kind not in SCORES:
        raise ValueError(f"{kind} is a method, whose score is {type(score).__name__}: name the score.")
    if not isinstance(score, FoldScore):
        raise ValueError(f"{name} does not watch a proxy: compute it with `drd-plugin score {type(score).__name__}`.")
    return score


def fitting_folds(proxy: Recipe) -> dict[str, FoldScore]:
    """The scores that fit in the proxy's epochs, by name, with default settings: those with a few numbers for each
    example as statistics (all but TDDS), and those that the strategies of their methods request.
    """
    folds = {name: kind() for name, kind in SCORES.items() if issubclass(kind, FoldScore) and kind.frugal}
    fitting = {name: fold for name, fold in folds.items() if _fits(fold, proxy)}
    methods = [method for method in PUBLISHED.values() if method.score in fitting.values()]
    return fitting | {name: parse_fold(name) for method in methods for name in method.strategy.needs_scores}


def _fits(fold: FoldScore, proxy: Recipe) -> bool:
    try:
        fold.last(proxy.epochs or 0)
    except ValueError:
        return False
    return True


def _plan(split: Split, fold: FoldScore, proxy: Recipe, seed: int) -> dict[str, Any]:
    return plan_of(split, fold, seed) | {"recipe": describe(proxy)}
