"""`score()`: from a split and a score to `Scores`, with one recorded run for folds and resumable parts for maps.

The folder's `plan.json` tells what is being computed, and a run with other settings is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .artifacts import Scores
from .data import check_split
from .methods import parse_score
from .parts import ChunkScorer, chunks_of, score_shard
from .recording import record, record_into
from .rng import check_seed
from .scores import FoldScore, MapScore, Score

if TYPE_CHECKING:
    from .data import Split
    from .training.recipe import Recipe

__all__ = ["score"]


def score(
    split: Split,
    what: Score | str,
    *,
    seed: int = 0,
    out: Path | None = None,
    recipe: Recipe | None = None,
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
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If `out` holds other scores, or a score comes out NaN.
        DataError: If the score takes images and the split holds texts.
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
        if out is not None:
            return record_into(Path(out), split, {".": what}, recipe, seed=seed, device=device, progress=progress)["."]
        return record(split, [what], recipe, seed=seed, device=device, progress=progress)[0]
    if not isinstance(what, MapScore):
        raise ValueError(f"expected a score or its name, got {what!r}.")
    if out is None:
        scorer = ChunkScorer(split, what, seed, resolve_device(device), progress)
        return Scores.joined([scorer.of(chunk) for chunk in chunks_of(split)])
    score_shard(split, what, (0, 1), out=out, seed=seed, device=device, progress=progress)
    return Scores.load(out)
