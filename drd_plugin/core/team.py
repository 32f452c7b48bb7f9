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
Value = TypeVar("Value", bool, float)


@dataclass(frozen=True)
class Team:
    """One process among those that share a job.

    Arguments:
        index: This process's number, from 0.
        count: The number of processes in all shards.
        device: The device of this process; None for the device of the job.
        state: accelerate's `PartialState` of the processes of this shard; None for a process that is alone.
    """

    index: int = 0
    count: int = 1
    device: torch.device | None = None
    state: Any = None

    @property
    def rank(self) -> int:
        """The number of this process within its shard, from 0."""
        return 0 if self.state is None else self.state.process_index

    @property
    def processes(self) -> int:
        """The number of processes of this shard."""
        return 1 if self.state is None else self.state.num_processes

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes the results of its shard."""
        return self.state is None or self.state.is_main_process

    def shared(self, net: Net) -> Net:
        """The network, wrapped so that its gradients are averaged over the processes of the shard."""
        if self.state is None:
            return net
        from torch import nn

        if self.state.device.type == "cuda":
            net = nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return nn.parallel.DistributedDataParallel(net)  # type: ignore[return-value]

    def part(self, index: Tensor) -> Tensor:
        """The part of a batch that this process computes, int64[B].

        Raises:
            ValueError: If there are fewer examples than processes.
        """
        if self.state is None:
            return index
        if len(index) < self.processes:
            raise ValueError(
                f"{self.processes} processes share a batch of {len(index)} examples: take a larger batch or "
                "fewer processes."
            )
        return index.tensor_split(self.processes)[self.rank]

    def synchronise(self, tensors: Iterable[Tensor]) -> None:
        """Copies the first process's values into the tensors of all processes of the shard, in place."""
        if self.state is not None:
            from accelerate.utils import broadcast

            for tensor in tensors:
                tensor.copy_(broadcast(tensor.clone()))

    def broadcast(self, value: Value) -> Value:
        """The first process's value, for all processes of the shard, which may each have another (the time, say)."""
        if self.state is None:
            return value
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([value])[0]

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Lets the first process of the shard run the block before the others do."""
        if self.state is None:
            yield
        else:
            with self.state.main_process_first():
                yield

    def parts(self, total: int) -> list[int]:
        """The order in which this process works on the parts 0..total - 1: first its own, then, so that it never waits
        while there is work, those of the other processes of its shard, from the last.
        """
        own, first = range(self.index, total, self.count), self.index - self.rank
        shard = [part for part in range(total) if 0 <= part % self.count - first < self.processes]
        return [*own, *(part for part in reversed(shard) if part not in own)]

    def gather(self, *columns: Tensor) -> tuple[Tensor, ...]:
        """The rows of all processes of the shard, in the order of the processes; the same for all.

        Arguments:
            columns: Tensors of equal length; the number of rows, perhaps none, may differ between processes.
        """
        if self.state is None:
            return columns
        import torch
        from accelerate.utils import gather, pad_across_processes

        sizes = gather(torch.tensor([len(columns[0])], device=columns[0].device)).tolist()
        rows = [i * max(sizes) + j for i, size in enumerate(sizes) for j in range(size)]
        return tuple(gather(pad_across_processes(column))[rows] for column in columns)

    def wait(self) -> None:
        """Waits until all processes of the shard have come this far."""
        if self.state is not None:
            self.state.wait_for_everyone()


PATIENCE = timedelta(days=30)
"""How long a process waits for the others, one of which may be computing its last part."""

ALONE = Team()


def is_main_process() -> bool:
    """Whether this is the first of the processes that share a job, which alone prints."""
    return os.environ.get("RANK", "0") == "0"


def join_team(device: torch.device, shard: tuple[int, int] = (0, 1)) -> Team:
    """The current process among those of the shard (i, N) of a job; each has its own GPU, or all share the CPU.

    Raises:
        ValueError: If there is no such shard.
    """
    if not 0 <= shard[0] < shard[1]:
        raise ValueError(f"expected a shard i/N with i in 0..N - 1, got {shard[0]}/{shard[1]}.")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Team(*shard)
    from accelerate import PartialState

    state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    index = shard[0] * state.num_processes + state.process_index
    return Team(index, shard[1] * state.num_processes, state.device, state)


def current_team() -> Team:
    """The current process among those of `torch.distributed` if that is initialised, in whatever way; else one alone.

    Raises:
        ValueError: If accelerate's state was made before, for another number of processes.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    from accelerate import PartialState

    variables = {"RANK": dist.get_rank(), "WORLD_SIZE": dist.get_world_size()}
    if "LOCAL_RANK" not in os.environ:  # not begun by a launcher
        variables |= {"LOCAL_RANK": _local_rank(), "LOCAL_WORLD_SIZE": dist.get_world_size()}
    with _in_environment(variables):
        state = PartialState(cpu=dist.get_backend() == "gloo")
    if state.num_processes != dist.get_world_size():
        raise ValueError(
            f"torch.distributed has {dist.get_world_size()} processes, and accelerate's state, which was made before, "
            f"{state.num_processes}: initialise torch.distributed first."
        )
    return Team(state.process_index, state.num_processes, state.device, state)


def _local_rank() -> int:
    """The number of this process on its machine, if no launcher gives it: that of its GPU, or else its rank."""
    import torch

    return torch.cuda.current_device() if torch.cuda.is_available() else torch.distributed.get_rank()


@contextmanager
def _in_environment(numbers: Mapping[str, int]) -> Iterator[None]:
    """Sets environment variables, by which accelerate knows of several processes, inside the block."""
    before = {key: os.environ.get(key) for key in numbers}
    os.environ.update({key: str(number) for key, number in numbers.items()})
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
