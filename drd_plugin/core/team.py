"""The processes that share a job: one alone, several under `torchrun` or `accelerate launch`, and those of a job array.

References:
    https://huggingface.co/docs/accelerate/package_reference/state (`PartialState`)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["ALONE", "Team", "current_team", "is_main_process", "join_team"]

Net = TypeVar("Net", bound="torch.nn.Module")
Answer = TypeVar("Answer", bool, float)


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

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes what all of the shard have."""
        return self.state is None or self.state.is_main_process

    def shared(self, net: Net) -> Net:
        """A network whose gradients are averaged over the processes of the shard."""
        if self.state is None:
            return net
        from torch import nn

        if self.state.device.type == "cuda":
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return nn.parallel.DistributedDataParallel(net)  # type: ignore[return-value]

    def part(self, index: Tensor) -> Tensor:
        """The part of a batch int64[B] that this process looks after.

        Raises:
            ValueError: If there are fewer examples than processes.
        """
        if self.state is None:
            return index
        if len(index) < self.state.num_processes:
            raise ValueError(
                f"{self.state.num_processes} processes share a batch of {len(index)} examples: take a larger batch or "
                "fewer processes."
            )
        return index.tensor_split(self.state.num_processes)[self.state.process_index]

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Gives all processes of the shard the first one's values, in place."""
        if self.state is not None:
            from accelerate.utils import broadcast

            for tensor in tensors:
                tensor.copy_(broadcast(tensor.clone()))

    def same(self, answer: Answer) -> Answer:
        """The first process's answer to a question that each might answer otherwise (what time it is, say)."""
        if self.state is None:
            return answer
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([answer])[0]

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

    def together(self, *columns: Tensor) -> tuple[Tensor, ...]:
        """The rows of all processes of the shard, of which each brings some or none; the same rows to all, in the order
        of the processes.

        Arguments:
            columns: Tensors of equal length.
        """
        if self.state is None:
            return columns
        import torch
        from accelerate.utils import gather, pad_across_processes

        sizes = gather(torch.tensor([len(columns[0])], device=columns[0].device)).tolist()
        rows = [i * max(sizes) + j for i, size in enumerate(sizes) for j in range(size)]
        return tuple(gather(pad_across_processes(column))[rows] for column in columns)

    def wait(self) -> None:
        """For all processes of the shard to come here."""
        if self.state is not None:
            self.state.wait_for_everyone()


PATIENCE = timedelta(days=30)
"""How long a process waits for the others, one of which may be computing its last part."""

ALONE = Team()


def is_main_process() -> bool:
    """Whether this process is the one of those that share a job that prints."""
    return os.environ.get("RANK", "0") == "0"


def join_team(device: torch.device, shard: tuple[int, int] = (0, 1)) -> Team:
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


def current_team() -> Team:
    """The processes of `torch.distributed` where it is initialised already, however that was done, else one alone.

    Raises:
        ValueError: If accelerate was told of another number of processes.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    from accelerate import PartialState

    here = {"RANK": dist.get_rank(), "WORLD_SIZE": dist.get_world_size()}
    if "LOCAL_RANK" not in os.environ:  # not begun by a launcher
        here |= {"LOCAL_RANK": _local_rank(), "LOCAL_WORLD_SIZE": dist.get_world_size()}
    with _in_environment(here):
        state = PartialState(cpu=dist.get_backend() == "gloo")
    if state.num_processes != dist.get_world_size():
        raise ValueError(
            f"torch.distributed has {dist.get_world_size()} processes, and accelerate's state, which was made before, "
            f"{state.num_processes}: initialise torch.distributed first."
        )
    return Team(state.process_index, state.num_processes, state.device, state)


def _local_rank() -> int:
    """The number of this process on its machine, where no launcher says it: that of its GPU."""
    import torch

    return torch.cuda.current_device() if torch.cuda.is_available() else torch.distributed.get_rank()


@contextmanager
def _in_environment(numbers: Mapping[str, int]) -> Iterator[None]:
    """With these variables, from which accelerate learns that there are several processes."""
    before = {key: os.environ.get(key) for key in numbers}
    os.environ.update({key: str(number) for key, number in numbers.items()})
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
