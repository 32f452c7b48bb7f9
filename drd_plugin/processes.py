"""The processes that share a job: one alone, several under `torchrun` or `accelerate launch`, and those of a job array.

References:
    https://huggingface.co/docs/accelerate/package_reference/state (`PartialState`)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["ALONE", "Team", "speaks", "team"]


@dataclass(frozen=True)
class Team:
    """One process among those that share a job.

    Arguments:
        index: This process's number, from 0.
        count: How many there are, in all shards.
        device: Where this one computes; None for the device that was asked for.
        state: accelerate's `PartialState` of the processes of this shard; None for a process that is alone.
    """

    index: int = 0
    count: int = 1
    device: torch.device | None = None
    state: Any = None

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process of the shard goes through the block before the others do."""
        if self.state is None:
            yield
        else:
            with self.state.main_process_first():
                yield

    def parts(self, total: int) -> list[int]:
        """The parts 0..total - 1 that this process looks after: first its own, then those of the other processes of its
        shard, from the last, lest it should wait while there is work.
        """
        own = list(range(self.index, total, self.count))
        if self.state is None:
            return own
        first = self.index - self.state.process_index
        shard = [part for part in range(total) if 0 <= part % self.count - first < self.state.num_processes]
        return [*own, *(part for part in reversed(shard) if part not in own)]

    def wait(self) -> None:
        """For all processes of the shard to come here."""
        if self.state is not None:
            self.state.wait_for_everyone()


PATIENCE = timedelta(days=30)
"""How long a process waits for the others, one of which may be computing its last part."""

ALONE = Team()


def speaks() -> bool:
    """Whether this process is the one of those that share a job that prints."""
    return os.environ.get("RANK", "0") == "0"


def team(device: torch.device, shard: tuple[int, int] = (0, 1)) -> Team:
    """The processes of this shard (i, N) of a job; each has its own GPU, or all share the CPU.

    Raises:
        ValueError: If there is no such shard.
    """
    if not 0 <= shard[0] < shard[1]:
        raise ValueError(f"expected a shard i/N with i in 0..N - 1, got {shard[0]}/{shard[1]}.")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Team(*shard)
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    here = shard[0] * state.num_processes + state.process_index
    return Team(here, shard[1] * state.num_processes, state.device, state)
