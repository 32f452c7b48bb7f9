"""`score()`: from a split and a score to `Scores`, with one recorded run for all folds and resumable parts for maps.

The folder's `plan.json` tells what is being computed, and a run with other settings is refused.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .artifacts import Scores
from .data import check_split
from .methods import parse_score
from .parts import ChunkScorer, chunks_of, score_shard
from .plan import begin, plan_of
from .provenance import describe, environment
from .rng import check_seed
from .scores import FoldScore, MapScore, Proxy, Score

if TYPE_CHECKING:
    from .data import Split
    from .training.recipe import Recipe

__all__ = ["proxy_seeds", "record", "score"]


def score(
    split: Split,
    what: Score | str,
    *,
    seed: int = 0,
    out: Path | None = None,
    recipe: Recipe | None = None,
    proxies: int = 1,
    device: str = "auto",
    progress: bool = True,
) -> Scores:
    """Scores a training split.

    Arguments:
        split: The training split.
        what: The score, or its name as `drd_plugin.methods.parse_score` reads it.
        seed: The proxy's, the noise's or the selection's seed, whichever the score depends on.
        out: The folder to write to; a finished one is read, an unfinished one continued. Nothing is written by default.
        recipe: How the proxy of a fold score is trained, in epochs.
        proxies: How many proxies a fold score averages (see `proxy_seeds`).
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If `out` holds other scores, or a score comes out NaN.
        ValueError: If the seed is negative, the device unknown, or a fold score has no recipe in epochs.
    """
    from .training.loader import resolve_device

    what = parse_score(what) if isinstance(what, str) else what
    check_split(split)
    check_seed(seed)
    resolve_device(device)
    if isinstance(what, FoldScore):
        if recipe is None or recipe.epochs is None:
            raise ValueError(f"{type(what).__name__} watches the training of a proxy: give a recipe in epochs.")
        if proxies < 1:
            raise ValueError(f"a fold score watches at least one proxy, got proxies={proxies}.")
        what.observes(1, recipe.epochs)
        plan = plan_of(split, what, seed) | {"recipe": describe(recipe), "proxies": proxies}
        if out is not None and begin(Path(out), plan):
            return Scores.load(out)
        [scores] = record(split, [what], recipe, proxy_seeds(seed, proxies), device, progress)
        if out is not None:
            scores.save(out)
        return scores
    if not isinstance(what, MapScore):
        raise ValueError(f"expected a score or its name, got {what!r}.")
    if out is None:
        scorer = ChunkScorer(split, what, seed, resolve_device(device), progress)
        return Scores.joined([scorer.of(chunk) for chunk in chunks_of(split)])
    score_shard(split, what, (0, 1), out=out, seed=seed, device=device, progress=progress)
    return Scores.load(out)


def record(
    split: Split,
    folds: Sequence[FoldScore],
    recipe: Recipe,
    seeds: Sequence[int],
    device: str = "auto",
    progress: bool = True,
) -> list[Scores]:
    """Trains one proxy for each seed while every fold watches, and gives the scores of each fold.

    Arguments:
        split: The training split.
        folds: The fold scores.
        recipe: How the proxies are trained, in epochs.
        seeds: The proxies' seeds; each decides initialisation, order and augmentation.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ValueError: If the recipe is measured in steps, since folds count epochs.
    """
    from .training.loader import resolve_device
    from .training.loop import train
    from .training.recorder import Recorder

    check_split(split)
    if recipe.epochs is None:
        raise ValueError(
            f"a proxy's recipe is measured in epochs, got steps={recipe.steps}: use recipe.for_epochs(...)."
        )
    estimates: list[list[np.ndarray]] = [[] for _ in folds]
    start, made = time.perf_counter(), environment(str(resolve_device(device)))
    for seed in seeds:
        recorder = Recorder(folds, len(split), split.num_classes, recipe.epochs, resolve_device(device))
        label = f"proxy (seed {seed})" if progress else ""
        trained = train(
            split, recipe, seed_init=seed, seed_order=seed, recorder=recorder, device=device, progress=label
        )
        proxy = Proxy(trained.net, split, recipe.epochs, device)
        for fold, state, column in zip(folds, recorder.states, estimates, strict=True):
            column.append(fold.compute(state, proxy).cpu().numpy())
    shared = {
        "recipe": describe(recipe),
        "proxies": len(seeds),
        "environment": made,
        "seconds": round(time.perf_counter() - start, 3),
    }
    return [
        Scores(
            name=type(fold).__name__,
            estimates=np.stack(column, axis=1),
            labels=split.labels,
            higher_is_harder=fold.higher_is_harder,
            fingerprint=split.fingerprint,
            provenance=plan_of(split, fold, seeds[0] // len(seeds)) | shared,
        )
        for fold, column in zip(folds, estimates, strict=True)
    ]


def proxy_seeds(seed: int, proxies: int) -> range:
    """The seeds of the proxies that belong to one seed; no two seeds share a proxy."""
    return range(seed * proxies, (seed + 1) * proxies)
