"""`AtHand`: a workbench for strategies that train nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .artifacts import ArtifactError, Features, Scores, check_fingerprint

__all__ = ["AtHand"]


@dataclass(frozen=True, eq=False)
class AtHand:
    """A workbench that trains nothing: it knows scores and features that are at hand. See
    `drd_plugin.strategies.Workbench`.

    Arguments:
        of: The scores that order the examples.
        others: Further scores, by name.
        features_at_hand: The features of a proxy.

    Raises:
        ArtifactError: If a score or the features are of another data set than `of`.
    """

    of: Scores
    others: Mapping[str, Scores]
    features_at_hand: Features | None = None

    def __post_init__(self) -> None:
        for scores in self.others.values():
            check_fingerprint(scores.fingerprint, self.of.fingerprint, f"the {scores.name} score")
        if self.features_at_hand is not None:
            self.features_at_hand.check(len(self.of), self.of.fingerprint)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing is trained."""
        return {}

    def scores(self, name: str) -> Scores:
        """See `Workbench`.

        Raises:
            ArtifactError: If they are not at hand.
        """
        known = {**self.others, self.of.name: self.of}
        kind = name.partition("[")[0]
        if kind not in known:
            raise ArtifactError(f"the strategy asks for the {name} score too: give its folder with --other-scores.")
        return known[kind]

    def known_features(self) -> Features:
        """The features.

        Raises:
            ArtifactError: If there are none.
        """
        if self.features_at_hand is None:
            raise ArtifactError(
                "the strategy asks for the features of a proxy: give the file that `drd-plugin record --features` "
                "writes, or a .npy file, with --features."
            )
        return self.features_at_hand

    def proxy_features(self) -> np.ndarray:
        """See `Workbench`."""
        return self.known_features().values

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """See `Workbench`; refused."""
        raise ValueError("this workbench trains no networks.")

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """See `Workbench`; refused."""
        raise ValueError("this workbench trains no networks.")
