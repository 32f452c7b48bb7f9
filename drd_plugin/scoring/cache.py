"""A `ScoreCache`: the scores of one training split, each computed once, stored in a folder or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..artifacts import ArtifactError, Features, Scores
from ..artifacts.scores import read_part
from ..core.job import Job
from ..core.provenance import describe, digest
from ..core.seeds import Seeds
from ..data import Split
from ..scores import FoldScore, MapScore, Score
from ..scores.diffusion import DiffusionScore
from ..training.recipe import Recipe
from . import compute
from .recording import record_folds, record_into

__all__ = ["ScoreCache", "seconds_of"]


class ScoreCache:
    """The scores of a training split, computed on demand.

    Arguments:
        split: The training split.
        proxy: The recipe of the proxies that fold scores watch, in epochs.
        together: The scores that will be requested: folds watch the same proxies, and a diffusion score with fewer
            draws than an otherwise equal one takes its first draws.
        features: Whether the first proxy's features will be requested too.
        resize: Gives the split as a map score takes it; by default `split` itself.
        job: How and where; scores are stored in its folder, a folder each, or in memory if it has none.
    """

    def __init__(
        self,
        split: Split,
        proxy: Recipe,
        *,
        together: Iterable[Score] = (),
        features: bool = False,
        resize: Callable[[MapScore], Split] | None = None,
        job: Job = Job(),
    ) -> None:
        self.split, self.proxy, self.keeps_features, self.job = split, proxy, features, job
        scores = dict.fromkeys(together)
        self.folds = [fold for fold in scores if isinstance(fold, FoldScore)]
        self.diffusion_scores = [score for score in scores if isinstance(score, DiffusionScore)]
        self.resize = resize or (lambda _: split)
        self._scores: dict[tuple[Score, int], Scores] = {}
        self._digests: dict[Score, Mapping[str, Any]] = {}
        self._features: dict[int, Features] = {}

    def get(self, score: Score, seeds: Seeds | int) -> Scores:
        """The scores with this seed, or with that one of the seeds on which they depend.

        Raises:
            ArtifactError: If an unfinished folder was begun with other settings, or a score is NaN.
        """
        seed = seeds if isinstance(seeds, int) else seeds.seed_of(score.seeded_by)
        if not self.has(score, seed):
            self._compute(score, seed)
        return self._scores[score, seed]

    def add(self, score: Score, seed: int, scores: Scores) -> None:
        """Adds scores that were computed before."""
        self._scores[score, seed] = scores

    def has(self, score: Score, seed: int) -> bool:
        """Whether the scores are finished."""
        if (score, seed) not in self._scores and self.job.folder is not None:
            try:
                self.add(score, seed, self._for_split(Scores.load(self.folder_of(score, seed))))
            except ArtifactError:
                return False
        return (score, seed) in self._scores

    def file_digests(self, score: Score) -> Mapping[str, Any]:
        """The digests of the files that the score reads; empty if it cannot be computed of this split."""
        if score not in self._digests:
            split = self.resize(score) if isinstance(score, MapScore) else self.split
            self._digests[score] = {} if score.why_not(split) else score.file_digests(split)
        return self._digests[score]

    def share(self, score: DiffusionScore, seed: int, shard: tuple[int, int], progress: bool) -> None:
        """Computes the shard (i, N) of a score into its folder, or of the one with more draws from which it is taken.

        Raises:
            ArtifactError: If a score is NaN.
        """
        score = self._with_most_draws(score) or score
        if not self.has(score, seed):
            split, out, device = self.resize(score), self.folder_of(score, seed), self.job.device
            compute.score_shard(split, score, shard, out=out, seed=seed, device=device, progress=progress)

    def has_recorded(self, seed: int) -> bool:
        """Whether the fold scores, and the features if requested, of the proxies with this seed are finished."""
        return not self._missing(seed) and not (self.keeps_features and self._features_missing(seed))

    def record(self, seed: int) -> None:
        """Computes the missing scores and features of the proxies with this seed, in one pass."""
        if not self.has_recorded(seed):
            self._record(self._missing(seed), seed)

    def features(self, seed: int) -> Features:
        """The penultimate features of the first proxy with this seed.

        Raises:
            ArtifactError: If their file is damaged.
        """
        if seed not in self._features:
            self.keeps_features = True
            self.record(seed)
            if self.job.folder is not None:
                self._features[seed] = Features.load(self.job.folder / self.features_file(seed))
        return self._features[seed]

    def features_file(self, seed: int) -> str:
        """The name of the features' file in the job's folder."""
        return f"features-seed{seed}-{digest([self.proxy, self.split.fingerprint])}.safetensors"

    def folder_of(self, score: Score, seed: int) -> Path:
        """The folder of a score with this seed; a digest of all that determines the scores is in its name."""
        assert self.job.folder is not None
        recipe = describe(self.proxy) if isinstance(score, FoldScore) else None
        name = digest([score, self.file_digests(score), recipe, self.split.fingerprint])
        return self.job.folder / f"{type(score).__name__}-seed{seed}-{name}"

    def _compute(self, score: Score, seed: int) -> None:
        if isinstance(score, DiffusionScore) and (longer := self._with_most_draws(score)):
            self.add(score, seed, self._first_draws(longer, score, seed))
        elif isinstance(score, MapScore):
            out = None if self.job.folder is None else self.folder_of(score, seed)
            split, device, progress = self.resize(score), self.job.device, self.job.progress
            scores = compute.score(split, score, seed=seed, out=out, device=device, progress=progress)
            self.add(score, seed, self._for_split(scores))
        else:
            assert isinstance(score, FoldScore)
            self._record([fold for fold in dict.fromkeys([*self.folds, score]) if not self.has(fold, seed)], seed)

    def _with_most_draws(self, score: DiffusionScore) -> DiffusionScore | None:
        """The otherwise equal score with the most draws among those that will be requested, if those are more."""
        longer = [
            other
            for other in self.diffusion_scores
            if other.draws > score.draws and replace(other, draws=score.draws) == score
        ]
        return max(longer, key=lambda other: other.draws, default=None)

    def _first_draws(self, longer: DiffusionScore, score: DiffusionScore, seed: int) -> Scores:
        """The scores from the first draws of a longer score, the same as if they were computed alone, since noise is
        keyed by the draw. Of the longer score's seconds they have their share, and in full the time before the first
        draw (what parts took beyond their median).
        """
        scores, share = self.get(longer, seed), score.draws / longer.draws
        parts = [] if self.job.folder is None else sorted(self.folder_of(longer, seed).glob("part-*.parquet"))
        seconds = [float(read_part(path)[1].provenance["seconds"]) for path in parts]
        total = float(scores.provenance["seconds"])
        drawing = min(total, float(np.median(seconds)) * len(seconds)) if seconds else total
        cost = round(total - (1 - share) * drawing, 3)
        return replace(
            scores,
            estimates=scores.estimates[:, : round(share * scores.estimates.shape[1])],
            provenance={**scores.provenance, "score": describe(score), "seconds": cost},
        )

    def _missing(self, seed: int) -> list[FoldScore]:
        return [fold for fold in self.folds if not self.has(fold, seed)]

    def _features_missing(self, seed: int) -> bool:
        path = self.job.path(self.features_file(seed))
        return seed not in self._features and (path is None or not path.exists())

    def _record(self, folds: list[FoldScore], seed: int) -> None:
        """Computes these folds, and the features if they are requested and missing, in one pass."""
        folder, job = self.job.folder, replace(self.job, folder=None)
        if folder is None:
            missing = self.keeps_features and seed not in self._features
            keep = partial(self._features.__setitem__, seed) if missing else None
            recorded = record_folds(self.split, folds, self.proxy, seed, job, keep)
        else:
            named = {self.folder_of(fold, seed).name: fold for fold in folds}
            file = self.features_file(seed) if self.keeps_features else None
            recorded = list(record_into(folder, self.split, named, self.proxy, seed, job, file).values())
        for fold, scores in zip(folds, recorded, strict=True):
            self.add(fold, seed, scores)

    def _for_split(self, scores: Scores) -> Scores:
        """The scores with the split's fingerprint, from scores of its images in another size."""
        return replace(scores, fingerprint=self.split.fingerprint)


def seconds_of(scores: Mapping[Score, Scores]) -> float:
    """The seconds that scores took together; those that watched the same proxy count once."""
    folds = [float(each.provenance["seconds"]) for score, each in scores.items() if isinstance(score, FoldScore)]
    maps = [float(each.provenance["seconds"]) for score, each in scores.items() if not isinstance(score, FoldScore)]
    return sum(maps) + max(folds, default=0.0)
