r"""BWS: slide a window over the ranking within each class, and keep the window from which the whole training set is
learned best.

Windows start at 0, 5, 10, ... % of each class. One of two selectors chooses the best:

- `ridge` (BWS): accuracy on the reference of a one-vs-all ridge regression (lambda = 1, with a bias column) on the
  features of a network that was trained for 20 epochs on a random subset of the same size (see
  `drd_plugin.strategies.ridge`);
- `train` (DRD): accuracy on the reference of the benchmark's network, trained on each window.

Start 0 is the hardest end for BWS and the easiest (the lowest deviation) for DRD; `origin` says which.

References:
    BWS: Best Window Selection Based on Sample Scores for Data Pruning across Broad Ranges (Choi et al., 2024),
    https://arxiv.org/abs/2406.03057 https://github.com/NohyunKi/BWS
    Diffusion Reconstruction-based Data Likelihood Estimation for Core-Set Selection (Chen et al., 2026),
    https://arxiv.org/abs/2511.19274

Differences: the official BWS finds a window's ends by thresholds on scores that it jitters anew for each window; here
ties are broken once, at random, and every window has exactly the budget of its class (but for `heldout`, where the
windows that are compared have the same share of what is left). It draws the random subset class by class and shows it
with replacement. Its own count of forgetting is the variant `bws` of that score; the paper names Toneva's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from ..core.registry import check_least
from .base import Selection, Strategy, Workbench, by_hardness, class_budgets, grouped
from .ridge import best_by_ridge

__all__ = ["BestWindow", "window_at"]


@dataclass(frozen=True)
class BestWindow(Strategy):
    """Keeps the best of the class-wise windows.

    Arguments:
        selector: `ridge` (BWS) or `train` (DRD).
        origin: The end of the ranking at which start 0 lies: `hardest` (BWS) or `easiest` (DRD: the lowest deviation).
        max_start: The last start to try, as a share of a class; never beyond 1 - fraction. BWS tries all, DRD stops at
            0.5.
        step: The distance between starts, as a share of a class.
        reference: The examples on which accuracy is measured: `train`, the whole training set, the window included
            (both papers), or `heldout`, a fifth of every class that is in no window while they are compared.
        proxy_epochs: The epochs for which the ridge selector's network is trained.
        ridge: The ridge penalty lambda.
    """

    trains = True

    selector: Literal["ridge", "train"] = "ridge"
    origin: Literal["hardest", "easiest"] = "hardest"
    max_start: float = 1.0
    step: float = 0.05
    reference: Literal["train", "heldout"] = "train"
    proxy_epochs: int = 20
    ridge: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "proxy_epochs")
        if not self.ridge > 0:
            raise ValueError(f"the ridge penalty is positive, got {self.ridge}.")
        if not 0 < self.step <= 1 or not 0 <= self.max_start <= 1:
            raise ValueError(
                f"expected step in (0, 1] and max_start in [0, 1], got step={self.step} and max_start={self.max_start}."
            )

    @property
    @override
    def classwise(self) -> bool:
        return True

    def starts(self, k: int, n: int) -> np.ndarray:
        """The starts to try if k of n examples are kept, as shares of a class, float64; a start that is beyond the last
        one only because k is rounded counts.
        """
        last = min(self.max_start, 1 - (k - 0.5) / n)
        return self.step * np.arange(int(last / self.step + 1e-9) + 1)

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """`chosen` holds the best start and the accuracy of each start (for `ridge` and a reference of more than 65,536
        examples, estimates for the windows that are clearly not the best).

        Raises:
            ValueError: If there is no workbench, or a class would get no example.
        """
        if workbench is None:
            raise ValueError(
                "BestWindow compares windows by training networks: give it a workbench (on the command line, the data "
                "set)."
            )
        budgets = class_budgets(scores.labels, k)
        total = int(budgets.sum())
        ranks = self.rankings(scores, rng)
        heldout = self._heldout(ranks, rng)
        starts = self.starts(total, len(scores))
        compared = [np.setdiff1d(r, heldout, assume_unique=True) if len(heldout) else r for r in ranks]
        sizes = np.array([max(1, round(total / len(scores) * len(r))) for r in compared]) if len(heldout) else budgets
        windows = [window_at(compared, sizes, start) for start in starts]
        best, accuracies = self._judge(windows, scores.labels, total, rng, workbench, heldout)
        chosen = {
            "start": round(float(starts[best]), 4),
            "origin": self.origin,
            "starts": [round(float(s), 4) for s in starts],
            "accuracies": [round(float(a), 3) for a in accuracies],
        }
        return Selection(window_at(ranks, budgets, float(starts[best])), chosen)

    def rankings(self, scores: Scores, rng: np.random.Generator) -> list[np.ndarray]:
        """The positions of each class in order of hardness, from the end that `origin` names."""
        order = by_hardness(scores, rng)
        if self.origin == "hardest":
            order = order[::-1]
        return grouped(order, scores.labels[order], int(scores.labels.max()) + 1)

    def _heldout(self, ranks: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        if self.reference == "train":
            return np.empty(0, np.int64)
        return np.concatenate([rng.choice(r, len(r) // 5, replace=False) for r in ranks if len(r)])

    def _judge(
        self,
        windows: list[np.ndarray],
        labels: np.ndarray,
        k: int,
        rng: np.random.Generator,
        workbench: Workbench,
        heldout: np.ndarray,
    ) -> tuple[int, np.ndarray]:
        """The best window's number, and the accuracy of each in percent, float64[W]."""
        reference = heldout if len(heldout) else np.arange(len(labels))
        if self.selector == "train":
            predictions = (workbench.predictions(window)[reference] for window in windows)
            accuracies = np.array([100 * np.mean(predicted == labels[reference]) for predicted in predictions])
            return int(accuracies.argmax()), accuracies
        pool = np.setdiff1d(np.arange(len(labels)), heldout)
        features = workbench.features_after(rng.choice(pool, min(k, len(pool)), replace=False), self.proxy_epochs)
        return best_by_ridge(features, labels, windows, reference, rng, self.ridge)


def window_at(ranks: list[np.ndarray], budgets: np.ndarray, start: float) -> np.ndarray:
    """The positions in the windows that begin at the share `start` of each class's ranking, int64[k]; a window that
    would reach beyond the end begins earlier.
    """
    firsts = [min(len(r) - round((1 - start) * len(r)), len(r) - b) for r, b in zip(ranks, budgets, strict=True)]
    return np.concatenate([r[f : f + b] for r, f, b in zip(ranks, firsts, budgets, strict=True)])
