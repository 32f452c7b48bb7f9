"""One recorded pass: every fold score from the same training runs of a proxy, each run at most once.

What a run has come to is written down as it goes, one safetensors file a proxy: statistics of length n for each score
and the network after the last epoch, or the finished scores. A killed pass costs an epoch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..artifacts import ArtifactError, Features, Scores
from ..core.job import Job
from ..core.provenance import describe, digest, environment
from ..core.seeds import check_seed
from ..data import check_split
from ..methods import PUBLISHED, parse_score
from ..scores import SCORES, FoldScore
from ..training.loop import check_recipe
from .folder import claim_folder, plan_of
from .proxy import KeepFeatures, ProxyTraining, proxy_identity

if TYPE_CHECKING:
    from ..data import Split
    from ..training.recipe import Recipe

__all__ = ["fitting_folds", "parse_fold", "proxy_seed", "record_folds", "record_into"]


def record_folds(
    split: Split,
    folds: Sequence[FoldScore],
    proxy: Recipe,
    seed: int,
    job: Job,
    keep_features: KeepFeatures | None = None,
) -> list[Scores]:
    """Trains proxies while every fold watches as many of them as it averages; the scores of each fold, in order.

    Arguments:
        split: The training split.
        folds: The fold scores.
        proxy: How the proxies are trained, in epochs.
        seed: Decides the proxies' seeds (see `proxy_seed`).
        job: How and where. From its folder a killed pass goes on; the caller removes it in the end.
        keep_features: Is handed the penultimate features of the first proxy.

    Raises:
        ArtifactError: If a score comes out NaN, or the folder holds another pass.
        FloatingPointError: If a training diverges; the example and the epoch are named.
        ValueError: If the recipe is measured in steps, since folds count epochs, or is too short for a fold; or if
            nothing is asked for.
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
    """`record_folds`, into a folder with a folder of scores for each fold; those that are there are read.

    Arguments:
        out: The folder.
        split: The training split.
        folds: The fold scores by the names of their folders; `.` is `out` itself.
        proxy: How the proxies are trained, in epochs.
        seed: Decides the proxies' seeds.
        job: How and where.
        features: The file in `out` for the features of the first proxy; they are not kept by default.

    Raises:
        ArtifactError: If a folder holds other scores, the file holds the features of another proxy, or a score comes
            out NaN.
    """
    _check(split, list(folds.values()), proxy, seed)
    team, identity = job.team, proxy_identity(split, proxy, seed)
    with team.first_alone():
        finished = {name: claim_folder(out / name, _plan(split, fold, proxy, seed)) for name, fold in folds.items()}
    team.wait()
    path = None if features is None else out / features
    lacking = path is not None and not _has_features(path, split, identity)
    missing = {name: fold for name, fold in folds.items() if not finished[name]}
    if missing or lacking:
        work = out / f"proxies-seed{seed}-{digest(identity)}"

        def keep(values: Features) -> None:
            if team.leads and path is not None:
                values.save(path)

        recorded = record_folds(
            split, list(missing.values()), proxy, seed, replace(job, folder=work), keep if lacking else None
        )
        if team.leads:
            for name, scores in zip(missing, recorded, strict=True):
                scores.save(out / name)
            shutil.rmtree(work, ignore_errors=True)
        team.wait()
    return {name: Scores.load(out / name) for name in folds}


def _check(split: Split, folds: Sequence[FoldScore], proxy: Recipe, seed: int) -> None:
    """Raises what can be known before a training."""
    check_split(split)
    check_recipe(proxy, split)
    check_seed(seed)
    proxy_seed(seed, 0)
    if proxy.epochs is None:
        raise ValueError(
            f"a proxy's recipe is measured in epochs, got steps={proxy.steps}: use recipe.for_epochs(...)."
        )
    for fold in folds:
        fold.last(proxy.epochs)


def _has_features(path: Path, split: Split, identity: Mapping[str, Any]) -> bool:
    """Whether the features of this proxy are in the file."""
    if not path.exists():
        return False
    features = Features.load(path)
    features.check(len(split), split.fingerprint)
    if {key: features.provenance.get(key) for key in identity} != identity:
        raise ArtifactError(f"{path} holds the features of a proxy with another recipe or seed: give another folder.")
    return True


def proxy_seed(seed: int, number: int) -> int:
    """The seed of the proxy with this number, from 0, among those that belong to a seed: no two seeds share a proxy,
    and the first are the same, however many there are.

    Raises:
        ValueError: If the seed is not below 2^32.
    """
    if seed >= 2**32:
        raise ValueError(f"a proxy's seed is below 2^32, got {seed}.")
    return seed + (number << 32)


def parse_fold(name: str) -> FoldScore:
    """A fold score by name.

    Raises:
        UnknownName: If there is no such score.
        ValueError: If it watches no proxy, or is a method that goes by another name than its score.
    """
    score, kind = parse_score(name), name.partition("[")[0].strip()
    if kind not in SCORES:
        raise ValueError(f"{kind} is a method, whose score is {type(score).__name__}: name the score.")
    if not isinstance(score, FoldScore):
        raise ValueError(f"{name} does not watch a proxy: compute it with `drd-plugin score {type(score).__name__}`.")
    return score


def fitting_folds(proxy: Recipe) -> dict[str, FoldScore]:
    """Every score that fits in the proxy's epochs, with its defaults, by name: those whose statistics are a few numbers
    for each example (TDDS's are not), and those that the strategies of their methods ask for.
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
