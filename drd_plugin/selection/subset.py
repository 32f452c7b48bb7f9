"""`select()`: from a training split to a subset in one call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..artifacts import ArtifactError, Scores, Subset, check_fingerprint
from ..core.job import Job
from ..core.seeds import Seeds
from ..data import Split, check_split
from ..methods import Selector, matches, parse
from ..methods.budgets import check_budget
from ..scoring.cache import ScoreCache
from ..training.recipe import PROXY, Recipe
from .workbench import SplitWorkbench

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
        fraction: The share to keep, in (0, 1].
        scores: Scores of this split that were computed before, with the settings that the method needs; others are
            computed.
        seed: The seed of every source of chance: proxy, selection, initialisation, order and noise.
        recipe: The recipe by which strategies train networks.
        proxy: The recipe for the proxy that fold scores watch, in epochs.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        UnknownName: If the method is unknown.
        ArtifactError: If `scores` were made for another data set or with other settings, or the method does
            not use this score.
        ValueError: If the fraction keeps nothing, or does not fit the method.
    """
    check_split(split)
    selector, seeds = parse(method) if isinstance(method, str) else method, Seeds.all(seed)
    check_budget(getattr(selector, "strategy", None), split.labels, fraction)  # before long trainings
    job = Job(device, progress)
    cache = ScoreCache(split, proxy, together=selector.scores, features=selector.needs_features, job=job)
    _add_scores(scores, selector, cache, seeds)
    return select_from(cache, selector, fraction, seeds, recipe)


def select_from(
    cache: ScoreCache,
    method: Selector,
    fraction: float,
    seeds: Seeds,
    recipe: Recipe,
    budget: int | np.ndarray | None = None,
) -> Subset:
    """Selects a subset by a method from the scores of a cache, which computes missing ones.

    Arguments:
        cache: The scores of the training split.
        method: The method.
        fraction: The share to keep, in (0, 1].
        seeds: The seeds of scores, selection and trainings.
        recipe: The recipe by which strategies train networks.
        budget: How many examples to keep (of each class, for a class-wise strategy), where the caller rounds the
            fraction by another rule; by default this library rounds.

    Raises:
        ValueError: If the fraction keeps nothing, or does not fit the method.
    """
    ordering = None if method.ordering is None else cache.get(method.ordering, seeds)
    return method.select(ordering, fraction, seeds.selection, SplitWorkbench(cache, seeds, recipe), budget)


def _add_scores(scores: Sequence[Scores], method: Selector, cache: ScoreCache, seeds: Seeds) -> None:
    """Adds scores to the cache; raises ArtifactError unless the method needs each, with these settings, and once."""
    for values in scores:
        check_fingerprint(values.fingerprint, cache.split.fingerprint, f"the {values.name} score")
        score = next((score for score in method.scores if matches(values, score)), None)
        if score is None or cache.has(score, seeds.seed_of(score.seeded_by)):
            raise ArtifactError(
                f"{method.name} asks for {' and '.join(map(repr, method.scores))}, each once; the given {values.name} "
                f"score was made with {values.provenance.get('score')}."
            )
        cache.add(score, seeds.seed_of(score.seeded_by), values)
