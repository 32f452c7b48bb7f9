"""`verify()`: computes a few scores of a folder again, with the settings in its plan, and compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..artifacts import Scores, check_fingerprint
from ..core.job import Job
from ..core.seeds import generator
from ..data import Split
from ..methods import configure
from ..scores import SCORES, MapScore
from .folder import read_plan
from .maps import ChunkScorer

__all__ = ["Verification", "verify"]


@dataclass(frozen=True, eq=False)
class Verification:
    """The stored and the recomputed scores of a few examples.

    Arguments:
        index: The positions of the examples, int64[m], ascending.
        stored: The scores in the folder, float32[m].
        recomputed: The recomputed scores, float32[m].
        spread: The standard deviation of all scores in the folder.
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
    """Recomputes the map scores of a random sample of examples, and compares them with the stored ones.

    Arguments:
        split: The training split that the scores were made for.
        folder: The folder of scores; the choices stored there (timesteps, the distance's network) are used again.
        rows: The number of examples.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Raises:
        ArtifactError: If the folder is incomplete or damaged, or was made for another data set.
        ValueError: If the scores are those of a fold score.
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
