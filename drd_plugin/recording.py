"""One recorded pass: every fold score from the same training runs of a proxy, each run at most once.

What a run has come to is written down as it goes, one safetensors file a proxy: statistics of length n for each score
and the network after the last epoch, or the finished scores. A killed pass costs an epoch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .artifacts import ArtifactError, Features, Scores
from .data import check_split
from .methods import PUBLISHED, parse_score
from .plan import begin, plan_of
from .processes import team
from .provenance import describe, digest, environment
from .proxy_run import Keep, ProxyRun, proxy_made
from .rng import check_seed
from .scores import SCORES, FoldScore

if TYPE_CHECKING:
    from .data import Split
    from .training.recipe import Recipe

__all__ = ["fitting_folds", "fold_of", "proxy_seed", "record", "record_into"]


def record(
    split: Split,
    folds: Sequence[FoldScore | str],
    recipe: Recipe,
    *,
    seed: int = 0,
    work: Path | None = None,
    keep_features: Keep | None = None,
    device: str = "auto",
    progress: bool = True,
) -> list[Scores]:
    """Trains proxies while every fold watches as many of them as it averages, and gives the scores of each fold.

    Under `torchrun` or `accelerate launch` the processes share each training.

    Arguments:
        split: The training split.
        folds: The fold scores, or their names as `drd_plugin.methods.parse_score` reads them.
        recipe: How the proxies are trained, in epochs.
        seed: Decides the proxies' seeds (see `proxy_seed`).
        work: A folder for what was reached, from which a killed pass goes on; the caller removes it in the end.
        keep_features: Is handed the penultimate features of the first proxy.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If a score comes out NaN, or `work` holds another pass.
        FloatingPointError: If a training diverges; the example and the epoch are named.
        ValueError: If the recipe is measured in steps, since folds count epochs, or is too short for a fold; if a score
            watches no proxy; or if nothing is asked for.
    """
    from .training.loader import resolve_device

    wanted = [fold_of(fold) if isinstance(fold, str) else fold for fold in folds]
    if not wanted and keep_features is None:
        raise ValueError("there is nothing to record: name at least one score.")
    _check(split, wanted, recipe, seed)
    us, made = team(resolve_device(device)), environment(str(resolve_device(device)))
    columns: list[list[np.ndarray]] = [[] for _ in wanted]
    seconds = np.zeros(len(wanted))
    for number in range(max((fold.proxies for fold in wanted), default=1)):
        watching = [i for i, fold in enumerate(wanted) if fold.proxies > number]
        run = ProxyRun(
            split, [wanted[i] for i in watching], recipe, proxy_seed(seed, number), work, us, device, progress
        )
        found, spent = run.columns(keep_features if number == 0 else None)
        for i, column in zip(watching, found, strict=True):
            columns[i].append(column)
        seconds[watching] += spent
    return [
        Scores(
            name=type(fold).__name__,
            estimates=np.stack(of, axis=1),
            labels=split.labels,
            higher_is_harder=fold.higher_is_harder,
            fingerprint=split.fingerprint,
            provenance=_plan(split, fold, recipe, seed) | {"environment": made, "seconds": round(float(spent), 3)},
        )
        for fold, of, spent in zip(wanted, columns, seconds, strict=True)
    ]


def record_into(
    out: Path,
    split: Split,
    folds: Mapping[str, FoldScore],
    recipe: Recipe,
    *,
    seed: int = 0,
    features: str | None = None,
    device: str = "auto",
    progress: bool = True,
) -> dict[str, Scores]:
    """`record`, into a folder with a folder of scores for each fold; those that are there are read.

    Arguments:
        out: The folder.
        split: The training split.
        folds: The fold scores by the names of their folders; `.` is `out` itself.
        recipe: How the proxies are trained, in epochs.
        seed: Decides the proxies' seeds.
        features: The file in `out` for the features of the first proxy; they are not kept by default.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If a folder holds other scores, the file holds the features of another proxy, or a score comes
            out NaN.
    """
    from .training.loader import resolve_device

    _check(split, list(folds.values()), recipe, seed)
    us, made = team(resolve_device(device)), proxy_made(split, recipe, seed)
    with us.first_alone():
        done = {name: begin(out / name, _plan(split, fold, recipe, seed)) for name, fold in folds.items()}
    us.wait()
    kept = None if features is None else out / features
    lacking = kept is not None and not _kept(kept, split, made)
    missing = {name: fold for name, fold in folds.items() if not done[name]}
    if missing or lacking:
        work = out / f"proxies-seed{seed}-{digest(made)}"

        def keep(values: Features) -> None:
            if us.leads and kept is not None:
                values.save(kept)

        found = record(
            split, list(missing.values()), recipe, seed=seed, work=work, keep_features=keep if lacking else None,
            device=device, progress=progress,
        )  # fmt: skip
        if us.leads:
            for name, scores in zip(missing, found, strict=True):
                scores.save(out / name)
            shutil.rmtree(work, ignore_errors=True)
        us.wait()
    return {name: Scores.load(out / name) for name in folds}


def _check(split: Split, folds: Sequence[FoldScore], recipe: Recipe, seed: int) -> None:
    """Raises what can be known before a training."""
    from .training.loop import check_recipe

    check_split(split)
    check_recipe(recipe, split)
    check_seed(seed)
    proxy_seed(seed, 0)
    if recipe.epochs is None:
        raise ValueError(
            f"a proxy's recipe is measured in epochs, got steps={recipe.steps}: use recipe.for_epochs(...)."
        )
    for fold in folds:
        fold.last(recipe.epochs)


def _kept(path: Path, split: Split, made: Mapping[str, Any]) -> bool:
    """Whether the features of this proxy are in the file."""
    if not path.exists():
        return False
    there = Features.load(path)
    there.check(len(split), split.fingerprint)
    if {key: there.provenance.get(key) for key in made} != made:
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


def fold_of(name: str) -> FoldScore:
    """A fold score by name.

    Raises:
        UnknownName: If there is no such score.
        ValueError: If it watches no proxy, or is a method that goes by another name than its score.
    """
    what, kind = parse_score(name), name.partition("[")[0].strip()
    if kind not in SCORES:
        raise ValueError(f"{kind} is a method, whose score is {type(what).__name__}: name the score.")
    if not isinstance(what, FoldScore):
        raise ValueError(f"{name} does not watch a proxy: compute it with `drd-plugin score {type(what).__name__}`.")
    return what


def fitting_folds(recipe: Recipe) -> dict[str, FoldScore]:
    """Every registered score, with its defaults, that watches a proxy for no longer than this one trains, and whose
    statistics are a few numbers for each example (TDDS's are not), and the scores that the strategies of their methods
    ask for, by name.
    """
    folds = {name: of() for name, of in SCORES.items() if issubclass(of, FoldScore) and of.frugal}
    fitting = {name: fold for name, fold in folds.items() if _fits(fold, recipe)}
    asked = [name for of in PUBLISHED.values() if of.score in fitting.values() for name in of.strategy.asks]
    return fitting | {name: fold_of(name) for name in asked}


def _fits(fold: FoldScore, recipe: Recipe) -> bool:
    try:
        fold.last(recipe.epochs or 0)
    except ValueError:
        return False
    return True


def _plan(split: Split, fold: FoldScore, recipe: Recipe, seed: int) -> dict[str, Any]:
    return plan_of(split, fold, seed) | {"recipe": describe(recipe)}
