"""`score()`: from a split and a score to `Scores`, with one recorded run for all folds and resumable parts for maps.

A map score's work is cut into chunks on a grid that depends on n alone. Each finished chunk is a Parquet part that
appears whole or not at all; a run that was killed goes on with the parts that are missing. The folder's `plan.json`
tells what is being computed, and a run with other settings is refused.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .artifacts import ArtifactError, Scores, part_path, write_aside, write_part
from .data import check_split, scaled
from .methods import parse_score
from .processes import ALONE, Team, team
from .provenance import describe, environment
from .rng import check_seed
from .scores import FoldScore, MapScore, Proxy, Score

if TYPE_CHECKING:
    import torch

    from .data import Split
    from .training.recipe import Recipe

__all__ = ["proxy_seeds", "record", "score", "score_shard"]

CHUNK = 1024
"""Examples in a part."""

BATCH = 256
"""The most examples that are handed to a map score at once, fewer where they are large; it cuts them further."""


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
        plan = _plan(split, what, seed) | {"recipe": describe(recipe), "proxies": proxies}
        if out is not None and _begin(Path(out), plan):
            return Scores.load(out)
        [scores] = record(split, [what], recipe, proxy_seeds(seed, proxies), device, progress)
        if out is not None:
            scores.save(out)
        return scores
    if not isinstance(what, MapScore):
        raise ValueError(f"expected a score or its name, got {what!r}.")
    if out is None:
        scorer = _Scorer(split, what, seed, _plan(split, what, seed), resolve_device(device), progress)
        return Scores.joined([scorer.of(chunk) for chunk in _chunks(split)])
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
            provenance=_plan(split, fold, seeds[0] // len(seeds)) | shared,
        )
        for fold, column in zip(folds, estimates, strict=True)
    ]


def proxy_seeds(seed: int, proxies: int) -> range:
    """The seeds of the proxies that belong to one seed; no two seeds share a proxy."""
    return range(seed * proxies, (seed + 1) * proxies)


def _plan(split: Split, what: Score, seed: int) -> dict[str, Any]:
    """What decides the values, as it stands before anything is computed."""
    return {
        "score": describe(what),
        "inputs": dict(what.inputs(split)),
        "seed": seed,
        "dataset": split.name,
        "fingerprint": split.fingerprint,
    }


def _begin(out: Path, plan: dict[str, Any]) -> bool:
    """Makes sure that the folder is for this plan; whether all its parts are there.

    A plan of which nothing was computed gives way.

    Raises:
        ArtifactError: If it is for another plan.
    """
    path, text = out / "plan.json", json.dumps(plan, indent=2, sort_keys=True) + "\n"
    others = [file for file in out.glob("*") if file != path and not file.name.startswith(".")]
    if path.exists() and others:
        if path.read_text() != text:
            raise ArtifactError(
                f"{out} holds scores made with other settings (see {path}): give another folder, or remove this one."
            )
    elif others:
        raise ArtifactError(
            f"{out} holds {others[0].name} but no plan.json, so nobody knows with which settings it was made: give "
            "another folder."
        )
    else:
        with write_aside(path) as aside:
            aside.write_text(text)
    n = len(list(out.glob("part-*.parquet")))
    return n > 0 and n == int(next(out.glob("part-*.parquet")).stem.split("-of-")[1])


def score_shard(
    split: Split,
    what: MapScore | str,
    shard: tuple[int, int],
    *,
    out: Path,
    seed: int = 0,
    device: str = "auto",
    progress: bool = True,
) -> tuple[int, int]:
    """Scores one shard of a training split into a folder that all shards share.

    Under `torchrun` or `accelerate launch` the processes share the shard.

    Arguments:
        split: The training split.
        what: A map score, or its name.
        shard: (i, N): the parts whose number is i modulo N, with i in 0..N - 1.
        out: The folder to write to.
        seed: The noise seed.
        device: `auto`, or a torch device.
        progress: Whether to show a progress bar.

    Returns:
        The parts that are in the folder now, and how many there will be.

    Raises:
        ArtifactError: If `out` holds other scores, or a score comes out NaN.
        ValueError: If there is no such shard, or the score is not computed in parts.
    """
    from .training.loader import resolve_device

    wanted = parse_score(what) if isinstance(what, str) else what
    if not isinstance(wanted, MapScore):
        raise ValueError(f"{type(wanted).__name__} watches a proxy's training, which is not cut into shards.")
    plan, chunks, on = _plan(split, wanted, seed), _chunks(split), resolve_device(device)
    us = team(on, shard)
    with us.first_alone():
        complete = _begin(Path(out), plan)
    us.wait()
    if not complete:
        scorer = _Scorer(split, wanted, seed, plan, us.device or on, progress, Path(out), us)
        for part in range(us.index, len(chunks), us.count):
            if not part_path(out, part, len(chunks)).exists():
                write_part(out, part, len(chunks), chunks[part], scorer.of(chunks[part]), len(split))
    us.wait()
    return len(list(Path(out).glob("part-*.parquet"))), len(chunks)


def _chunks(split: Split) -> list[np.ndarray]:
    """The positions in each part; the cuts depend on n alone."""
    return np.array_split(np.arange(len(split)), -(-len(split) // CHUNK))


class _Scorer:
    """A map score made ready, and its scores of chunks."""

    def __init__(
        self,
        split: Split,
        what: MapScore,
        seed: int,
        plan: Mapping[str, Any],
        device: torch.device,
        progress: bool,
        cache: Path | None = None,
        us: Team = ALONE,
    ) -> None:
        from tqdm.auto import tqdm

        self.split, self.seen, self.what, self.device = split, what.sees(split), what, device
        self.start = time.perf_counter()
        self.scorer = what.prepare(self.seen, seed, device, cache=cache, progress=progress, team=us)
        self.provenance = {
            **plan,
            "settings": dict(self.scorer.settings),
            "environment": environment(str(device)),
        }
        self.bar = tqdm(desc=type(what).__name__, unit="image", disable=not progress, mininterval=1)

    def of(self, chunk: np.ndarray) -> Scores:
        """The scores of the examples at these positions."""
        import torch

        labels, values = torch.from_numpy(self.split.labels), []
        for index in torch.from_numpy(chunk).split(max(1, min(BATCH, 2**23 // math.prod(self.seen.shape)))):
            images = scaled(self.seen.images[index].to(self.device))
            with torch.inference_mode():
                scored = self.scorer(images, labels[index].to(self.device), index).float().cpu()
            broken = (~scored.isfinite().all(1)).nonzero().flatten().tolist()
            if broken:
                raise ArtifactError(
                    f"{type(self.what).__name__} of example {int(index[broken[0]])} is NaN or infinite: look at this "
                    "image, and at the denoiser's precision. Its part is not written."
                )
            values.append(scored.numpy())
            self.bar.update(len(index))
        seconds, self.start = round(time.perf_counter() - self.start, 3), time.perf_counter()
        return Scores(
            name=type(self.what).__name__,
            estimates=np.concatenate(values),
            labels=self.split.labels[chunk],
            higher_is_harder=self.what.higher_is_harder,
            fingerprint=self.split.fingerprint,
            provenance=self.provenance | {"seconds": seconds},
        )
