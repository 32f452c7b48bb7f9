"""A `Job`: how and where work is done, which never changes the results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .device import resolve_device
from .team import ALONE, Team

if TYPE_CHECKING:
    import torch

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """How and where work is done.

    Arguments:
        device: `auto`, or a torch device.
        progress: Whether to show progress bars.
        folder: Where intermediate results and choices (timesteps, say) are kept, so that a killed job can resume; None
            keeps nothing.
        team: The processes that share the work and the folder.
    """

    device: str = "auto"
    progress: bool = True
    folder: Path | None = None
    team: Team = ALONE

    @property
    def torch_device(self) -> torch.device:
        """The device on which this process computes.

        Raises:
            ValueError: If the device is unknown.
        """
        return self.team.device or resolve_device(self.device)

    def inside(self, folder: Path | None) -> Job:
        """The same job with another folder."""
        return replace(self, folder=folder)

    def path(self, name: str) -> Path | None:
        """A file or folder in the job's folder; None where it has none."""
        return None if self.folder is None else self.folder / name
