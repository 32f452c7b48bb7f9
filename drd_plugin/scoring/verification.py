"""`verify()`: scores a few examples again, with the settings that a scores folder names, and compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..artifacts import Scores, check_fingerprint
from ..core.job import Job
from ..core.seeds import generator
from ..methods import configure
from ..scores import SCORES, MapScore
from .folder import read_plan
from .maps import ChunkScorer

if TYPE_CHECKING:
    from ..data import Split

__all__ = ["Verification", "verify"]


@dataclass(frozen=True, eq=False)
class Verification:
    """Scores of a few examples beside those of the folder.

    Arguments:
        index: Their positions, int64[m], rising.
        stored: The folder's, float32[m].
        recomputed: Now, float32[m].
        spread: The standard deviation of all the folder's scores.
    """

    index: np.ndarray
    stored: np.ndarray
    recomputed: np.ndarray
    spread: float

    @property
    def gap(self) -> float:
        """The greatest difference, in standard deviations of all scores."""
        return float(np.abs(self.stored - self.recomputed).max() / max(self.spread, 1e-12))

    @property
    def worst(self) -> int:
        """The position of the example with the greatest difference."""
        return int(self.index[np.abs(self.stored - self.recomputed).argmax()])


def verify(split: Split, folder: Path, rows: int = 32, device: str = "auto", progress: bool = True) -> Verification:
    """Scores a random sample of a map score's examples again.

    Arguments:
        split: The training split that the scores were made for.
        folder: The folder of scores; what was settled there (timesteps, the network of the distance) is used again.
        rows: The number of examples.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Raises:
        ArtifactError: If the folder is incomplete or damaged, or was made for another data set.
        ValueError: If the scores are those of a watched proxy.
    """
    scores, plan = Scores.load(folder), read_plan(folder)
    check_fingerprint(scores.fingerprint, split.fingerprint, f"the folder of scores {folder}")
    settings = dict(plan["score"])
    score = configure(SCORES[settings.pop("name")](), settings)
    if not isinstance(score, MapScore):
        raise ValueError(f"{scores.name} watches a proxy's training, so single examples cannot be scored again.")
    index = np.sort(generator(plan["seed"], "verify").choice(len(scores), min(rows, len(scores)), replace=False))
    scorer = ChunkScorer(split, score, plan["seed"], Job(device, progress, Path(folder)), total=len(index))
    return Verification(index, scores.values[index], scorer.score(index).values, float(scores.values.std()))
