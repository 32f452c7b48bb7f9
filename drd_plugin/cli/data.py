"""The flags that name a data set."""

from dataclasses import dataclass
from pathlib import Path

from ..data import DATASETS, Dataset, load

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

    def check(self) -> None:
        """Raises UnknownName unless the data set is known; nothing is loaded."""
        DATASETS.check(self.dataset)

    def load(self) -> Dataset:
        """The data set."""
        return load(self.dataset, self.root, self.size)
