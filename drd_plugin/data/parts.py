"""The two parts of a data set that has no test split."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .errors import DataError

__all__ = ["TEST_NAMES", "stratified"]

TEST_NAMES = ("test", "val", "valid", "validation")
"""The names of the part that is the test split, the first of them that there is."""


def stratified(
    labels: np.ndarray, share: float, seed: int = 0, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """The positions of all but a share of the examples, and of that share, both ascending, with class shares as equal
    as they can be where both parts have an example of each class.

    Arguments:
        labels: int64[n].
        share: The share of the second part, in (0, 1).
        seed: Determines the parts.
        classes: The class names, for the message.

    Raises:
        DataError: If a class has one example alone.
    """
    from sklearn.model_selection import train_test_split

    present, sizes = np.unique(labels, return_counts=True)
    single = present[sizes == 1]
    if len(single):
        of_name = classes[single[0]] if len(classes) else single[0]
        raise DataError(
            f"the class {of_name} has one example, which cannot be in both parts of a split ({len(single)} such "
            "classes): add examples of it, leave it out, or give a test split (test/ or val/)."
        )
    least, n = len(present), len(labels)
    size = min(max(math.ceil(share * n), least), n - least)
    rest, part = train_test_split(np.arange(n), test_size=size, stratify=labels, random_state=seed)
    _exchange(rest, part, labels)
    _exchange(part, rest, labels)
    return np.sort(rest), np.sort(part)


def _exchange(source: np.ndarray, target: np.ndarray, labels: np.ndarray) -> None:
    """Gives the target an example of each class that it lacks, for one of its largest class; in place."""
    for label in np.setdiff1d(labels, labels[target]):
        largest = np.bincount(labels[target]).argmax()
        one, other = (int(np.flatnonzero(labels[part] == c)[0]) for part, c in ((source, label), (target, largest)))
        source[one], target[other] = target[other], source[one]
