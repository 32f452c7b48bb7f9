"""`Workers`: where a study works, and in how many processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits
from tqdm.auto import tqdm

from ..core.device import resolve_device

__all__ = ["Workers"]

T = TypeVar("T")
R = TypeVar("R")

MOST = 8
"""The most processes that are started unasked; each holds the data set."""


@dataclass(frozen=True)
class Workers:
    """Where a study works.

    Arguments:
        out: The folder of its results.
        scores: The folder of the scores, which studies of the same data can share; `out/scores` by default.
        device: `auto`, or a torch device.
        workers: How many trainings run side by side, each in a process of its own; by default one on a GPU, and one for
            each core, up to 8, on a CPU. They share the cores: whatever is timed has as many threads as a worker has.
        progress: Whether to show progress bars.

    Raises:
        ValueError: If the device is unknown, or there are no workers.
    """

    out: Path
    scores: Path | None = None
    device: str = "auto"
    workers: int | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        resolve_device(self.device)
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"expected at least one worker, got {self.workers}.")

    @property
    def scores_folder(self) -> Path:
        """The folder of the scores."""
        return Path(self.scores or Path(self.out) / "scores")

    @cached_property
    def processes(self) -> int:
        """How many workers there are."""
        if self.workers is not None:
            return self.workers
        return 1 if resolve_device(self.device).type == "cuda" else min(MOST, cpu_count())

    @cached_property
    def threads(self) -> int:
        """How many threads a worker has."""
        return max(1, cpu_count() // self.processes)

    @contextmanager
    def as_a_worker(self) -> Iterator[None]:
        """For work in this process, which gets no more threads than a worker has, so that its seconds compare."""
        threads = torch.get_num_threads()
        torch.set_num_threads(min(threads, self.threads))
        try:
            with threadpool_limits(min(threads, self.threads)):
                yield
        finally:
            torch.set_num_threads(threads)

    def each(
        self, do: Callable[[T], R], items: Sequence[T], unit: str, finished: int = 0, long: bool = False
    ) -> Iterator[tuple[T, R]]:
        """Does something with each item, and gives the items with the results as they come, which is in order only
        where there is one worker.

        Arguments:
            do: Must be picklable, and its results too.
            items: What it is done with.
            unit: What an item is called, for the progress bar.
            finished: How many were finished before.
            long: Whether an item is worth a process of its own, which takes seconds to start; else two are.
        """
        total, most = len(items) + finished, min(self.processes, len(items) if long else len(items) // 2)
        hidden = not self.progress or not items
        with tqdm(total=total, desc=f"{unit}s", unit=unit, initial=finished, disable=hidden) as bar:
            if most <= 1:
                results: Iterator[tuple[T, R]] = map(partial(self._in_this_process, do), items)
            else:
                with parallel_config("loky", inner_max_num_threads=self.threads):
                    results = Parallel(most, return_as="generator_unordered", batch_size=1, pre_dispatch=2 * most)(
                        delayed(_in_a_worker)(do, item, sys.path) for item in items
                    )
            for item, result in results:
                bar.set_postfix_str(str(item))
                yield item, result
                bar.update()

    def _in_this_process(self, do: Callable[[T], R], item: T) -> tuple[T, R]:
        with self.as_a_worker():
            return item, do(item)


def _in_a_worker(do: Callable[[T], R], item: T, path: list[str]) -> tuple[T, R]:
    """In a worker, which imports modules from where its parent does."""
    sys.path[:] = path
    return item, do(item)
