"""Map scores in parts: chunks on a grid that depends on n alone, shared by processes, machines and job arrays.

Each finished chunk is a Parquet part that appears whole or not at all; what is missing is what is done next.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .artifacts import ArtifactError, Scores, part_path, write_part
from .data import check_split, scaled
from .methods import parse_score
from .plan import begin, plan_of
from .processes import ALONE, Team, speaks, team
from .provenance import environment
from .rng import check_seed
from .scores import MapScore

if TYPE_CHECKING:
    import torch

    from .data import Split

__all__ = ["ChunkScorer", "chunks_of", "images_at_once", "score_shard"]

CHUNK = 256
"""Examples in a part."""

BATCH = 256
"""The most examples that are handed to a map score at once; it cuts them further."""


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
        DataError: If the score takes images and the split holds texts.
        ValueError: If there is no such shard, or the score is not computed in parts.
    """
    from .training.loader import resolve_device

    wanted = parse_score(what) if isinstance(what, str) else what
    if not isinstance(wanted, MapScore):
        raise ValueError(f"{type(wanted).__name__} watches a proxy's training, which is not cut into shards.")
    check_split(split)
    wanted.check(split)
    check_seed(seed)
    chunks, on = chunks_of(split), resolve_device(device)
    us = team(on, shard)
    with us.first_alone():
        complete = begin(Path(out), plan_of(split, wanted, seed))
    us.wait()
    if not complete:
        paths = [part_path(out, part, len(chunks)) for part in range(len(chunks))]
        missing = sum(len(chunks[part]) for part in range(us.index, len(chunks), us.count) if not paths[part].exists())
        scorer = ChunkScorer(split, wanted, seed, us.device or on, progress and speaks(), Path(out), us, missing)
        for part in us.parts(len(chunks)):
            if not paths[part].exists():
                write_part(out, part, len(chunks), chunks[part], scorer.of(chunks[part]), len(split))
    us.wait()
    return len(list(Path(out).glob("part-*.parquet"))), len(chunks)


def images_at_once(shape: tuple[int, ...]) -> int:
    """How many images of this shape are handed to a map score at once: at most `BATCH`, and at most 2^23 values."""
    return max(1, min(BATCH, 2**23 // math.prod(shape)))


def chunks_of(split: Split) -> list[np.ndarray]:
    """The positions in each part; the cuts depend on n alone."""
    return np.array_split(np.arange(len(split)), -(-len(split) // CHUNK))


class ChunkScorer:
    """A map score made ready for chunks of a split.

    Arguments:
        split: The training split.
        what: The score.
        seed: The noise seed.
        device: Where to compute.
        progress: Whether to show progress bars.
        cache: A folder in which settled things are kept.
        us: The processes that share the folder.
        total: How many examples the progress bar expects; all by default.

    Raises:
        DataError: If the score takes images and the split holds texts.
    """

    def __init__(
        self,
        split: Split,
        what: MapScore,
        seed: int,
        device: torch.device,
        progress: bool = True,
        cache: Path | None = None,
        us: Team = ALONE,
        total: int | None = None,
    ) -> None:
        from tqdm.auto import tqdm

        what.check(split)
        self.split, self.seen, self.what, self.device = split, what.sees(split), what, device
        self.start = time.perf_counter()
        self.scorer = what.prepare(self.seen, seed, device, cache=cache, progress=progress, team=us)
        self.provenance = {
            **plan_of(split, what, seed),
            "settings": dict(self.scorer.settings),
            "environment": environment(str(device)),
        }
        expected = len(split) if total is None else total
        self.bar = tqdm(total=expected, desc=type(what).__name__, unit="example", disable=not progress, mininterval=1)

    def of(self, chunk: np.ndarray) -> Scores:
        """The scores of the examples at these positions."""
        import torch

        labels, values = torch.from_numpy(self.split.labels), []
        for index in torch.from_numpy(chunk).split(images_at_once(self.seen.shape)):
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
            self.bar.total = max(self.bar.total, self.bar.n + len(index))  # it helped another process
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
