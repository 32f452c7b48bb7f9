"""`verify()`: scores a few examples again, with the settings that a scores folder names, and compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .artifacts import Scores, check_fingerprint
from .methods import configure
from .parts import ChunkScorer
from .plan import read_plan
from .rng import generator
from .scores import SCORES, MapScore

if TYPE_CHECKING:
    from .data import Split

__all__ = ["Verified", "verify"]


@dataclass(frozen=True, eq=False)
class Verified:
    """Scores of a few examples beside those of the folder.

    Arguments:
        index: Their positions, int64[m], rising.
        kept: The folder's, float32[m].
        again: Now, float32[m].
        spread: The standard deviation of all the folder's scores.
    """

    index: np.ndarray
    kept: np.ndarray
    again: np.ndarray
    spread: float

    @property
    def apart(self) -> float:
        """The greatest difference, in standard deviations of all scores."""
        return float(np.abs(self.kept - self.again).max() / max(self.spread, 1e-12))


def verify(split: Split, folder: Path, rows: int = 32, device: str = "auto", progress: bool = True) -> Verified:
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
    from .training.loader import resolve_device

    scores, plan = Scores.load(folder), read_plan(folder)
    check_fingerprint(scores.fingerprint, split.fingerprint, f"the folder of scores {folder}")
    settings = dict(plan["score"])
    what = configure(SCORES[settings.pop("name")](), settings)
    if not isinstance(what, MapScore):
        raise ValueError(f"{scores.name} watches a proxy's training, so single examples cannot be scored again.")
    index = np.sort(generator(plan["seed"], "verify").choice(len(scores), min(rows, len(scores)), replace=False))
    scorer = ChunkScorer(split, what, plan["seed"], resolve_device(device), progress, Path(folder), total=len(index))
    return Verified(index, scores.values[index], scorer.of(index).values, float(scores.values.std()))
