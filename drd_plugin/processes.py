"""One process among those that share a job: alone, or one of several under `torchrun` or `accelerate launch`.

References:
    https://huggingface.co/docs/accelerate/package_reference/state (`PartialState`)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["Processes", "processes"]


class Processes:
    """Which process this is, and how they wait for each other.

    Arguments:
        state: accelerate's `PartialState`; None for a process that is alone.
        device: The device that was asked for.
    """

    def __init__(self, state: Any, device: torch.device) -> None:
        self.state = state
        self.index: int = 0 if state is None else state.process_index
        self.count: int = 1 if state is None else state.num_processes
        self.device: torch.device = device if state is None else state.device

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes through the block before the others do."""
        if self.state is None:
            yield
        else:
            with self.state.main_process_first():
                yield

    def wait(self) -> None:
        """For all processes to come here."""
        if self.state is not None:
            self.state.wait_for_everyone()


def processes(device: torch.device) -> Processes:
    """The processes of this job; each has its own GPU, or all share the CPU."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes(None, device)
    from accelerate import PartialState

    return Processes(PartialState(cpu=device.type == "cpu"), device)
