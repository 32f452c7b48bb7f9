"""From a training split to a subset in one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..artifacts import ArtifactError, Scores, Subset, check_fingerprint
from ..core.job import Job
from ..core.seeds import Seeds
from ..data import Split, check_split
from ..methods import Selector, is_of, parse
from ..scoring.cache import ScoreCache
from ..training.recipe import PROXY, Recipe
from .workbench import CachedSource, Networks, TrainingWorkbench

__all__ = ["select", "select_from"]


def select(
    split: Split,
    method: str | Selector,
    fraction: float,
    *,
    scores: Sequence[Scores] = (),
    seed: int = 0,
    recipe: Recipe = Recipe(),
    proxy: Recipe = PROXY,
    device: str = "auto",
    progress: bool = True,
) -> Subset:
    """Scores a training split and selects a subset by a method; nothing is written.

    Arguments:
        split: The training split.
        method: A method, or its name as `drd_plugin.methods.parse` reads it.
        fraction: The share that is kept, in (0, 1].
        scores: Scores of this split that were computed before, with the settings that the method asks for; those that
            it needs beside them are computed.
        seed: The seed of everything: proxy, selection, initialisation, order and noise.
        recipe: How the candidates of strategies that train are trained.
        proxy: How the proxy is trained whose run a fold score watches, in epochs.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        UnknownName: If the method is unknown.
        ArtifactError: If scores were made for another data set or with other settings, or are not asked for.
        ValueError: If the fraction keeps nothing, or does not fit the method.
    """
    check_split(split)
    selector, seeds = parse(method) if isinstance(method, str) else method, Seeds.all(seed)
    job = Job(device, progress)
    cache = ScoreCache(split, proxy, together=selector.scores, features=selector.needs_features, job=job)
    _hand_in(scores, selector, cache, seeds)
    return select_from(cache, selector, fraction, seeds, recipe)


def select_from(
    cache: ScoreCache,
    method: Selector,
    fraction: float,
    seeds: Seeds,
    recipe: Recipe,
    budget: int | np.ndarray | None = None,
) -> Subset:
    """Selects a subset by a method from the scores of a cache, which computes what it lacks.

    Arguments:
        cache: The scores of the training split.
        method: The method.
        fraction: The share that is kept, in (0, 1].
        seeds: The seeds of scores, selection and candidates.
        recipe: How the candidates of strategies that train are trained.
        budget: The number of examples to keep, or of each class for a class-wise strategy, where another rule than this
            library's rounds the fraction.

    Raises:
        ValueError: If the fraction keeps nothing, or does not fit the method.
    """
    networks = Networks(cache.split, recipe, cache.proxy, seeds, cache.job)
    workbench = TrainingWorkbench(CachedSource(cache, seeds), networks)
    ordering = None if method.ordering is None else cache.get(method.ordering, seeds)
    return method.select(ordering, fraction, seeds.selection, workbench, budget)


def _hand_in(scores: Sequence[Scores], method: Selector, cache: ScoreCache, seeds: Seeds) -> None:
    """Puts given scores into the cache; each must be asked for, with these very settings, or have been imported under
    its name.
    """
    for given in scores:
        check_fingerprint(given.fingerprint, cache.split.fingerprint, f"the {given.name} score")
        score = next((score for score in method.scores if is_of(given, score)), None)
        if score is None or cache.has(score, seeds.of(score.seeded_by)):
            raise ArtifactError(
                f"{method.name} asks for {' and '.join(map(repr, method.scores))}, each once; the given {given.name} "
                f"score was made with {given.provenance.get('score')}."
            )
        cache.put(score, seeds.of(score.seeded_by), given)
