"""A `ScoreCache`: the scores of one training split, each computed once, kept in a folder or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .artifacts import ArtifactError, Features, Scores
from .artifacts.scores import read_part
from .data import Split
from .engine import score
from .parts import score_shard
from .provenance import describe, digest
from .recording import record, record_into
from .scores import FoldScore, MapScore, Score
from .scores.diffused import DiffusionScore
from .training.recipe import Recipe

__all__ = ["ScoreCache", "seconds_of"]


class ScoreCache:
    """Scores of a training split.

    Arguments:
        split: The training split.
        proxy: How the proxy is trained whose run the fold scores watch, in epochs.
        together: The scores that will be asked for: folds watch the same proxies, and one that asks a diffusion model
            for fewer draws than another takes them from there.
        features: Whether the first proxy's features will be asked for too.
        folder: Where scores are kept and found again, a folder each; in memory by default.
        images: The split as a map score takes it, where that is another than `split`.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.
    """

    def __init__(
        self,
        split: Split,
        proxy: Recipe,
        *,
        together: Iterable[Score] = (),
        features: bool = False,
        folder: Path | None = None,
        images: Callable[[MapScore], Split] | None = None,
        device: str = "auto",
        progress: bool = True,
    ) -> None:
        self.split, self.proxy, self.keeps = split, proxy, features
        self.folder = None if folder is None else Path(folder)
        asked = dict.fromkeys(together)
        self.together = [fold for fold in asked if isinstance(fold, FoldScore)]
        self.drawn = [of for of in asked if isinstance(of, DiffusionScore)]
        self.images, self.device, self.progress = images or (lambda _: split), device, progress
        self._known: dict[tuple[Score, int], Scores] = {}
        self._inputs: dict[Score, Mapping[str, Any]] = {}
        self._features: dict[int, Features] = {}

    def get(self, what: Score, seed: int) -> Scores:
        """The scores with this seed.

        Raises:
            ArtifactError: If an unfinished folder was begun with other settings, or a score comes out NaN.
        """
        found = self._kept(what, seed)
        if found is None:
            self._compute(what, seed)
            found = self._kept(what, seed)
        assert found is not None
        return found

    def put(self, what: Score, seed: int, scores: Scores) -> None:
        """Hands in scores that are at hand."""
        self._known[what, seed] = scores

    def inputs(self, what: Score) -> Mapping[str, Any]:
        """The score's inputs on the training split, computed once; none where it has an obstacle there."""
        if what not in self._inputs:
            split = self.images(what) if isinstance(what, MapScore) else self.split
            self._inputs[what] = {} if what.obstacle(split) else what.inputs(split)
        return self._inputs[what]

    def _kept(self, what: Score, seed: int) -> Scores | None:
        """The scores if they are finished, else None."""
        if (what, seed) not in self._known and self.folder is not None:
            try:
                self.put(what, seed, self._of_split(Scores.load(self._place(what, seed))))
            except ArtifactError:
                return None
        return self._known.get((what, seed))

    def _compute(self, what: Score, seed: int) -> None:
        if isinstance(what, DiffusionScore) and (longer := self._longer(what)):
            self.put(what, seed, self._first_draws(longer, what, seed))
            return
        if isinstance(what, MapScore):
            out = None if self.folder is None else self._place(what, seed)
            images, on = self.images(what), self.device
            scores = score(images, what, seed=seed, out=out, device=on, progress=self.progress)
            self.put(what, seed, self._of_split(scores))
            return
        assert isinstance(what, FoldScore)
        self._record([fold for fold in dict.fromkeys([*self.together, what]) if self._kept(fold, seed) is None], seed)

    def _longer(self, what: DiffusionScore) -> DiffusionScore | None:
        """The same score with the most draws that will be asked for, where those are more."""
        alike = [of for of in self.drawn if of.draws > what.draws and replace(of, draws=what.draws) == what]
        return max(alike, key=lambda of: of.draws, default=None)

    def _first_draws(self, longer: DiffusionScore, what: DiffusionScore, seed: int) -> Scores:
        """The first draws of more, as if they were all, since noise is keyed by the draw; with their share of the
        seconds, and all that went before the first draw (what parts took over their median).
        """
        whole, share = self.get(longer, seed), what.draws / longer.draws
        parts = [] if self.folder is None else sorted(self._place(longer, seed).glob("part-*.parquet"))
        seconds = [float(read_part(path)[1].provenance["seconds"]) for path in parts]
        total = float(whole.provenance["seconds"])
        drawing = min(total, float(np.median(seconds)) * len(seconds)) if seconds else total
        made = {**whole.provenance, "score": describe(what), "seconds": round(total - (1 - share) * drawing, 3)}
        return replace(whole, estimates=whole.estimates[:, : round(share * whole.estimates.shape[1])], provenance=made)

    def has(self, what: Score, seed: int) -> bool:
        """Whether the scores are there."""
        return self._kept(what, seed) is not None

    def share(self, what: DiffusionScore, seed: int, shard: tuple[int, int], progress: bool) -> None:
        """Computes a shard i of N of a score into its folder; of the one with more draws, where it is taken from there.

        Raises:
            ArtifactError: If a score comes out NaN.
        """
        wanted = self._longer(what) or what
        if not self.has(wanted, seed):
            out = self._place(wanted, seed)
            score_shard(self.images(wanted), wanted, shard, out=out, seed=seed, device=self.device, progress=progress)

    def has_watched(self, seed: int) -> bool:
        """Whether all that is asked of the proxies with this seed is there."""
        return not self._missing(seed) and not (self.keeps and self._features_missing(seed))

    def watch(self, seed: int) -> None:
        """Records what is missing of the proxies with this seed, in one pass."""
        if not self.has_watched(seed):
            self._record(self._missing(seed), seed)

    def _missing(self, seed: int) -> list[FoldScore]:
        return [fold for fold in self.together if self._kept(fold, seed) is None]

    def _features_missing(self, seed: int) -> bool:
        return seed not in self._features and (self.folder is None or not self._place_of_features(seed).exists())

    def _record(self, folds: list[FoldScore], seed: int) -> None:
        """One pass for all that is missing."""
        quiet: dict[str, Any] = {"seed": seed, "device": self.device, "progress": self.progress}
        if self.folder is None:
            keep = partial(self._features.__setitem__, seed) if self.keeps and seed not in self._features else None
            recorded = record(self.split, folds, self.proxy, keep_features=keep, **quiet)
        else:
            named = {self._place(fold, seed).name: fold for fold in folds}
            features = self._place_of_features(seed).name if self.keeps else None
            found = record_into(self.folder, self.split, named, self.proxy, features=features, **quiet)
            recorded = list(found.values())
        for fold, scores in zip(folds, recorded, strict=True):
            self.put(fold, seed, scores)

    def features(self, seed: int) -> Features:
        """The penultimate features of the first proxy with this seed.

        Raises:
            ArtifactError: If a file of them is damaged.
        """
        if seed not in self._features:
            self.keeps = True
            self.watch(seed)
            if self.folder is not None:
                self._features[seed] = Features.load(self._place_of_features(seed))
        return self._features[seed]

    def _place_of_features(self, seed: int) -> Path:
        assert self.folder is not None
        return self.folder / f"features-seed{seed}-{digest([self.proxy, self.split.fingerprint])}.safetensors"

    def _of_split(self, scores: Scores) -> Scores:
        """Scores of the split's images in another size as scores of the split."""
        return replace(scores, fingerprint=self.split.fingerprint)

    def _place(self, what: Score, seed: int) -> Path:
        assert self.folder is not None
        trained = describe(self.proxy) if isinstance(what, FoldScore) else None
        name = digest([what, self.inputs(what), trained, self.split.fingerprint])
        return self.folder / f"{type(what).__name__}-seed{seed}-{name}"


def seconds_of(known: Mapping[Score, Scores]) -> float:
    """The seconds that scores took; those that watched the same proxy took them once."""
    folds = [float(of.provenance["seconds"]) for what, of in known.items() if isinstance(what, FoldScore)]
    maps = [float(of.provenance["seconds"]) for what, of in known.items() if not isinstance(what, FoldScore)]
    return sum(maps) + max(folds, default=0.0)
