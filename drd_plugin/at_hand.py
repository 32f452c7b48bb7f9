"""`AtHand`: a workbench for strategies that train nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .artifacts import ArtifactError, Features, Scores, check_fingerprint
from .methods import is_of, parse_score

__all__ = ["AtHand"]


@dataclass(frozen=True, eq=False)
class AtHand:
    """A workbench that trains nothing: it knows scores and features that are at hand. See
    `drd_plugin.strategies.Workbench`.

    Arguments:
        of: The scores that order the examples.
        others: Further scores.
        known_features: The features of a proxy.

    Raises:
        ArtifactError: If a score or the features are of another data set than `of`.
    """

    of: Scores
    others: Sequence[Scores] = ()
    known_features: Features | None = None

    def __post_init__(self) -> None:
        for scores in self.others:
            check_fingerprint(scores.fingerprint, self.of.fingerprint, f"the {scores.name} score")
        if self.known_features is not None:
            self.known_features.check(len(self.of), self.of.fingerprint)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing is trained."""
        return {}

    def scores(self, name: str) -> Scores:
        """See `Workbench`.

        Raises:
            ArtifactError: If they are not at hand, made with these settings, or several are.
        """
        wanted = parse_score(name)
        found = [scores for scores in (self.of, *self.others) if is_of(scores, wanted)]
        if len(found) > 1:
            raise ArtifactError(f"{len(found)} of the given scores are {wanted!r}: give one of them.")
        if not found:
            known = ", ".join(
                str(scores.provenance.get("score")) if scores.name == type(wanted).__name__ else scores.name
                for scores in (self.of, *self.others)
            )
            raise ArtifactError(
                f"the strategy asks for the {name} score too, made as {wanted!r}: give its folder with --other-scores, "
                f"or let the strategy's settings name another (cutoff_score, mean_score). At hand: {known}."
            )
        return found[0]

    def proxy_features(self) -> Features:
        """See `Workbench`.

        Raises:
            ArtifactError: If there are none.
        """
        if self.known_features is None:
            raise ArtifactError(
                "the strategy asks for the features of a proxy: give the file that `drd-plugin record --features` "
                "writes, or a .npy file, with --features."
            )
        return self.known_features

    def predictions(self, indices: np.ndarray) -> np.ndarray:
        """See `Workbench`; refused."""
        raise ValueError("this workbench trains no networks.")

    def features(self, indices: np.ndarray, epochs: int) -> np.ndarray:
        """See `Workbench`; refused."""
        raise ValueError("this workbench trains no networks.")
