"""`Workers`: the folders, the device and the processes of a study."""

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

PLURALS = {"proxy": "proxies"}

MOST = 8
"""The most processes by default; each holds the data set."""


@dataclass(frozen=True)
class Workers:
    """The folders, the device and the processes of a study.

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
        """The number of workers."""
        if self.workers is not None:
            return self.workers
        return 1 if resolve_device(self.device).type == "cuda" else min(MOST, cpu_count())

    @cached_property
    def threads(self) -> int:
        """The number of threads of a worker."""
        return max(1, cpu_count() // self.processes)

    @contextmanager
    def as_a_worker(self) -> Iterator[None]:
        """A context in which this process has no more threads than a worker, so that seconds can be compared."""
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
        """Each item with the result of `do`, as the workers finish them: in order only where there is one worker.

        Arguments:
            do: What to do with an item; it must be picklable, and its results too.
            items: The items.
            unit: The name of an item in the progress bar.
            finished: How many items were finished before.
            long: Whether one item is worth starting a process, which takes seconds; otherwise it takes two.
        """
        total, most = len(items) + finished, min(self.processes, len(items) if long else len(items) // 2)
        hidden = not self.progress or not items
        with tqdm(total=total, desc=PLURALS.get(unit, f"{unit}s"), unit=unit, initial=finished, disable=hidden) as bar:
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
    """The item with its result, computed in a worker that imports modules from its parent's paths."""
    sys.path[:] = path
    return item, do(item)
