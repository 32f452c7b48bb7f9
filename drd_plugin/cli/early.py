"""What commands check before they load anything."""

from pathlib import Path

from ..artifacts import check_writable
from ..core.seeds import check_seed
from .data import Data

__all__ = ["check_early"]


def check_early(data: Data, out: Path | None = None, seed: int = 0) -> None:
    """Checks the flags that most commands have.

    Arguments:
        data: The data.
        out: A folder to write to.
        seed: The seed.

    Raises:
        ArtifactError: If the folder cannot be made.
        UnknownName: If the data set is not known.
        ValueError: If the seed is none.
    """
    data.check()
    check_seed(seed, "--seed")
    if out is not None:
        check_writable(out, existing=False)
