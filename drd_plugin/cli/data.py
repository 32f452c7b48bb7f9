"""The flags that say which data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..data import Dataset

__all__ = ["Data"]


@dataclass(frozen=True)
class Data:
    """Which data.

    Arguments:
        dataset: A name that `drd-plugin list` shows, or hf:NAME.
        root: Where the data lie, for those that are neither embedded nor downloaded.
        size: Height and width in pixels to resize the images of a folder to; texts have none.
    """

    dataset: str
    root: Path | None = None
    size: int | None = None

    def load(self) -> "Dataset":
        """The data set."""
        from ..data import load

        return load(self.dataset, self.root, self.size)
