"""Map scores in parts: chunks whose borders depend only on n, so that processes and machines can share them.

Each finished chunk is a Parquet part that appears complete or not at all; a resumed job computes the missing parts.
"""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from ..artifacts import ArtifactError, Scores, part_path, write_part
from ..core.job import Job
from ..core.provenance import environment
from ..core.team import is_main_process
from ..data import Split, scaled
from ..scores import MapScore
from .folder import claimed_folder, plan_of

__all__ = ["ChunkScorer", "images_at_once", "score_map", "score_parts"]

CHUNK = 256
"""Examples in a part."""

BATCH = 256
"""The most examples in a call of a scorer, which may divide them further."""


def score_map(split: Split, score: MapScore, seed: int, job: Job) -> Scores:
    """The scores of all examples, in memory."""
    scorer = ChunkScorer(split, score, seed, job)
    return Scores.joined([scorer.score(chunk) for chunk in _chunks(split)])


def score_parts(out: Path, split: Split, score: MapScore, seed: int, job: Job) -> tuple[int, int]:
    """Scores the parts of this process into a folder that all processes of the job share.

    Arguments:
        out: The folder.
        split: The training split.
        score: The score.
        seed: The noise seed.
        job: How and where; its team determines the parts of this process.

    Returns:
        The number of parts in the folder now, and that of the complete folder.

    Raises:
        ArtifactError: If `out` holds other scores, or a score is NaN.
    """
    team, chunks = job.team, _chunks(split)
    with ExitStack() as claims:
        with team.first_alone():
            finished = claims.enter_context(claimed_folder(out, plan_of(split, score, seed)))
        team.wait()
        if not finished:
            paths = [part_path(out, part, len(chunks)) for part in range(len(chunks))]
            own = range(team.index, len(chunks), team.count)
            missing = sum(len(chunks[part]) for part in own if not paths[part].exists())
            job = replace(job, progress=job.progress and is_main_process(), folder=out)
            scorer = ChunkScorer(split, score, seed, job, missing)
            for part in team.parts(len(chunks)):
                if not paths[part].exists():
                    write_part(out, part, len(chunks), chunks[part], scorer.score(chunks[part]), len(split))
        team.wait()
    return len(list(out.glob("part-*.parquet"))), len(chunks)


def images_at_once(shape: tuple[int, ...]) -> int:
    """The number of images of this shape in a call of a scorer: at most `BATCH`, and at most 2^23 values."""
    return max(1, min(BATCH, 2**23 // math.prod(shape)))


def _chunks(split: Split) -> list[np.ndarray]:
    """The positions in each part, which depend on n alone."""
    return np.array_split(np.arange(len(split)), -(-len(split) // CHUNK))


class ChunkScorer:
    """A map score prepared for chunks of a split, with a progress bar.

    Arguments:
        split: The training split.
        score: The score.
        seed: The noise seed.
        job: How and where; choices that are made in preparation are stored in its folder.
        total: The number of examples that the progress bar expects; all by default.

    Raises:
        DataError: If the score takes images and the split holds texts.
    """

    def __init__(self, split: Split, score: MapScore, seed: int, job: Job = Job(), total: int | None = None) -> None:
        score.check(split)
        self.split, self.resized, self.settings = split, score.resized(split), score
        self.device, self.start = job.torch_device, time.perf_counter()
        self.scorer = score.prepare(self.resized, seed, job)
        self.provenance = {
            **plan_of(split, score, seed),
            "settings": dict(self.scorer.settings),
            "environment": environment(str(self.device)),
        }
        expected = len(split) if total is None else total
        self.bar = tqdm(
            total=expected, desc=type(score).__name__, unit="example", disable=not job.progress, mininterval=1
        )

    def score(self, chunk: np.ndarray) -> Scores:
        """The scores of the examples at these positions, int64[m].

        Raises:
            ArtifactError: If a score is NaN or infinite.
        """
        labels, values = torch.from_numpy(self.split.labels), []
        for index in torch.from_numpy(chunk).split(images_at_once(self.resized.shape)):
            images = scaled(self.resized.images[index].to(self.device))
            with torch.inference_mode():
                estimates = self.scorer(images, labels[index].to(self.device), index).float().cpu()
            broken = (~estimates.isfinite().all(1)).nonzero().flatten().tolist()
            if broken:
                raise ArtifactError(
                    f"{type(self.settings).__name__} of example {int(index[broken[0]])} is NaN or infinite: look at "
                    "this image, and at the denoiser's precision. Its part is not written."
                )
            values.append(estimates.numpy())
            self.bar.total = max(self.bar.total, self.bar.n + len(index))  # this process helps another one
            self.bar.update(len(index))
        if self.bar.n == self.bar.total:
            self.bar.close()
        seconds, self.start = round(time.perf_counter() - self.start, 3), time.perf_counter()
        return Scores(
            name=type(self.settings).__name__,
            estimates=np.concatenate(values),
            labels=self.split.labels[chunk],
            higher_is_harder=self.settings.higher_is_harder,
            fingerprint=self.split.fingerprint,
            provenance=self.provenance | {"seconds": seconds},
        )
