"""`score()` computes one score of a training split, `record()` several that watch the same proxies.

Both read the finished scores of a folder, continue unfinished ones, and refuse a folder of other settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..artifacts import Scores
from ..core.device import resolve_device
from ..core.job import Job
from ..core.provenance import digest
from ..core.seeds import check_seed
from ..core.team import join_team
from ..data import Split, check_split
from ..methods import parse_score
from ..scores import FoldScore, MapScore, Score
from ..training.recipe import PROXY, Recipe
from .maps import score_map, score_parts
from .recording import parse_fold, record_folds, record_into

__all__ = ["record", "score", "score_shard"]


def score(
    split: Split,
    score: Score | str,
    *,
    seed: int = 0,
    out: Path | None = None,
    proxy: Recipe = PROXY,
    device: str = "auto",
    progress: bool = True,
) -> Scores:
    """The scores of a training split.

    Arguments:
        split: The training split.
        score: The score, or its name as `drd_plugin.methods.parse_score` reads it.
        seed: The seed of the proxy, the noise or the selection, whichever the score depends on.
        out: The folder to write to; a finished one is read, an unfinished one continued. Nothing is written by default.
        proxy: The recipe for the proxy of a fold score, in epochs.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If `out` holds other scores, or a score is NaN.
        DataError: If the score takes images and the split holds texts.
        ValueError: If the seed is none, the device unknown, or the proxy's recipe is not in epochs.
    """
    score, seed = parse_score(score) if isinstance(score, str) else score, check_seed(seed)
    if isinstance(score, FoldScore):
        if out is None:
            return record(split, [score], proxy=proxy, seed=seed, device=device, progress=progress)[0]
        job = _job(split, device, progress)
        return record_into(Path(out), split, {".": score}, proxy, seed, job)["."]
    if out is None:
        return score_map(split, _map(score), seed, _job(split, device, progress))
    score_shard(split, score, (0, 1), out=out, seed=seed, device=device, progress=progress)
    return Scores.load(out)


def score_shard(
    split: Split,
    score: Score | str,
    shard: tuple[int, int],
    *,
    out: Path,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[int, int]:
    """Computes one shard of a map score into a folder that all shards share.

    Under `torchrun` or `accelerate launch` the processes share the shard.

    Arguments:
        split: The training split.
        score: A map score, or its name.
        shard: (i, N) for the parts whose number is i modulo N, with i in 0..N - 1.
        out: The folder to write to.
        seed: The noise seed.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Returns:
        The number of parts in the folder now, and that of the complete folder.

    Raises:
        ArtifactError: If `out` holds other scores, or a score is NaN.
        DataError: If the score takes images and the split holds texts.
        ValueError: If there is no such shard, or the score is not computed in parts.
    """
    score, seed = _map(parse_score(score) if isinstance(score, str) else score), check_seed(seed)
    check_split(split)
    score.check(split)
    return score_parts(Path(out), split, score, seed, _job(split, device, progress, shard))


def record(
    split: Split,
    scores: Sequence[FoldScore | str],
    proxy: Recipe = PROXY,
    *,
    seed: int = 0,
    out: Path | None = None,
    features: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> list[Scores]:
    """The scores, in order, of a training split by several fold scores, which watch the same proxies in training.

    Under `torchrun` or `accelerate launch` the processes share each training.

    Arguments:
        split: The training split.
        scores: The fold scores, or their names as `drd_plugin.methods.parse_score` reads them.
        proxy: The recipe for the proxies, in epochs.
        seed: Determines the proxies' seeds (see `drd_plugin.scoring.recording.proxy_seed`).
        out: The folder for a folder of each score, with the score's name; finished scores are read, and a killed pass
            goes on. Nothing is written by default.
        features: Whether to store the penultimate features of the first proxy too, in `out/features.safetensors`.
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.

    Raises:
        ArtifactError: If a score is NaN, or `out` holds other scores.
        FloatingPointError: If a training diverges; the message names the example and the epoch.
        ValueError: If the recipe is measured in steps, since these scores count epochs, or is too short for a score; if
            a score watches no proxy; if there are no scores; or if features are to be stored without a folder.
    """
    folds, seed = [parse_fold(score) if isinstance(score, str) else score for score in scores], check_seed(seed)
    job = _job(split, device, progress)
    if out is None:
        if features:
            raise ValueError("features are kept in a folder: give `out`.")
        return record_folds(split, folds, proxy, seed, job)
    names = [score if isinstance(score, str) else _folder(score) for score in scores]
    file = "features.safetensors" if features else None
    recorded = record_into(Path(out), split, dict(zip(names, folds, strict=True)), proxy, seed, job, file)
    return [recorded[name] for name in names]


def _folder(score: FoldScore) -> str:
    """The name of a score's folder: that of its class, with a digest of the settings unless all are the defaults."""
    name = type(score).__name__
    return name if score == type(score)() else f"{name}-{digest(score)}"


def _map(score: Score) -> MapScore:
    if not isinstance(score, MapScore):
        watches = isinstance(score, FoldScore)
        raise ValueError(
            f"{type(score).__name__} watches a proxy's training, which is not cut into shards."
            if watches
            else f"expected a score or its name, got {score!r}."
        )
    return score


def _job(split: Split, device: str, progress: bool, shard: tuple[int, int] = (0, 1)) -> Job:
    check_split(split)
    return Job(device, progress, team=join_team(resolve_device(device), shard))
