"""The flags that name a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data import DATASETS, Dataset, load

__all__ = ["Data"]


@dataclass(frozen=True)
class Data:
    """The name, the place and the settings of a data set.

    Arguments:
        dataset: A name that `drd-plugin list` shows, or hf:NAME.
        root: Where the data lie, for those that are neither embedded nor downloaded.
        size: Height and width in pixels to resize the images of a folder to; texts have none.
        label: The column of labels of hf:NAME, where there are several.
        image: The column of images of hf:NAME, where there are several.
        split: The part of hf:NAME to train on; train by default.
        mode: rgb or grey, for the images of a folder or of hf:NAME.
        background: The colour behind transparent pixels, white or #7f7f7f.
    """

    dataset: str
    root: Path | None = None
    size: int | None = None
    label: str | None = None
    image: str | None = None
    split: str | None = None
    mode: str | None = None
    background: str | None = None

    def check(self) -> None:
        """Raises UnknownName unless the data set is known; nothing is loaded."""
        DATASETS.check(self.dataset)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that are not left to their defaults."""
        settings = {key: getattr(self, key) for key in ("label", "image", "split", "mode", "background")}
        return {key: value for key, value in settings.items() if value is not None}

    def load(self) -> Dataset:
        """The data set."""
        return load(self.dataset, self.root, self.size, **self.settings)
