r"""D2 pruning: difficulty and diversity by passing messages over a graph of nearest neighbours.

With x_i the importance of example i and N(i) its neighbours (the k nearest by Euclidean distance d in feature space,
and those whose k nearest it is among):

- forward: u_i = x_i + sum_{j in N(i)} exp(-d_ij) x_j, so that examples in hard regions gain;
- backward, until the budget is met: the example s with the largest u is kept, and each of its neighbours loses
  exp(-gamma d_sj) u_s, so that near-duplicates of kept examples come later.

References:
    D2 Pruning: Message Passing for Balancing Diversity and Difficulty in Data Pruning (Maharana et al., 2024),
    https://arxiv.org/abs/2310.07931
    https://github.com/adymaharana/d2pruning (`core/data/sampling.py`, `GraphDensitySampler`, modes sum and weighted)

Differences: the official code holds an n x n matrix; here neighbours are found in blocks, and the graph is sparse. Its
forward kernel has no gamma, and so has ours. Of equal u it takes the first in the data set; here a random one. It drops
0.4 of CIFAR-10 for 10 % kept, and other shares for other budgets; the default here is CCS's cut-off. Its Forgetting is
the variant `ccs`; the paper names Toneva's. Importance is hardness here, whatever the score, shifted to start at 0
where it is negative; the official code takes AUM as it is in its graph and class modes, so that easy examples count as
important there. Neighbours that are read from files make a directed graph there; here an edge always goes both ways.
"""

from __future__ import annotations

import heapq
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from typing_extensions import override

from ..artifacts import Scores
from ..core.registry import check_least
from .base import Selection, Strategy, Workbench, grouped
from .cutoff import check_cutoff, cut_off
from .strata import allocate

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["D2", "neighbour_graph", "select_by_messages"]

LEAST = 1e-7
"""The least importance that an example passes to its neighbours, as in the official code."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class D2(Strategy):
    """Keeps examples that are hard, in hard regions, and not close to examples that are kept already.

    Arguments:
        neighbors: k, the number of neighbours of each example.
        gamma: How fast the penalty on a kept example's neighbours falls with their distance.
        graph: `class`, a graph for each class and budgets as equal as the class sizes allow (CIFAR in the official
            code), or `global`, one graph (ImageNet there).
        cutoff: The share of the data set that is dropped as too hard, in [0, 1 - fraction]; by default that of CCS.
        cutoff_score: The score by which the hardest are found. Empty: the score itself.
    """

    neighbors: int = 5
    gamma: float = 0.1
    graph: Literal["class", "global"] = "class"
    cutoff: float | None = None
    cutoff_score: str = "AUM"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, 1, "neighbors")
        check_least(self, 0, "gamma")
        check_cutoff(self.cutoff)

    @property
    @override
    def needs_features(self) -> bool:
        return True

    @property
    @override
    def needs_scores(self) -> tuple[str, ...]:
        return (self.cutoff_score,) if self.cutoff_score and self.cutoff != 0 else ()

    @property
    @override
    def classwise(self) -> bool:
        return self.graph == "class"

    @override
    def select(
        self, scores: Scores, k: int | np.ndarray, rng: np.random.Generator, workbench: Workbench | None = None
    ) -> Selection:
        """`chosen` holds the cut-off and the number of pools that were too small for a graph.

        Raises:
            ValueError: If there is no workbench, or the cut-off leaves too few examples, in all or of a class.
        """
        if workbench is None:
            raise ValueError(
                "D2 looks for neighbours in the proxy's feature space: give it a workbench (on the command line, "
                "--features)."
            )
        easy, cutoff = cut_off(scores, int(np.sum(k)), self.cutoff, self.cutoff_score, rng, workbench)
        features = workbench.features().values
        importance = scores.hardness - min(0.0, float(scores.hardness.min()))
        easy = rng.permutation(easy)
        classes = int(scores.labels.max()) + 1
        pools = [easy] if self.graph == "global" else grouped(easy, scores.labels[easy], classes)
        sizes = np.array([len(pool) for pool in pools])
        budgets = k if isinstance(k, np.ndarray) else allocate(sizes, k)
        if (budgets > sizes).any():
            c = int((budgets > sizes).argmax())
            raise ValueError(
                f"the cut-off of {cutoff} leaves {sizes[c]} examples of class {c}, of which {budgets[c]} are to be "
                "kept: lower the cut-off."
            )
        parts = [
            pool[select_by_messages(features[pool], importance[pool], int(budget), self.neighbors, self.gamma)]
            for pool, budget in zip(pools, budgets, strict=True)
            if budget
        ]
        small = int(((sizes <= self.neighbors) & (budgets > 0)).sum())
        if small:
            log.warning(
                "D2 keeps the hardest of %d pools of at most %d examples, too few for a graph", small, self.neighbors
            )
        return Selection(np.concatenate(parts), {"cutoff": cutoff, **({"without_graph": small} if small else {})})


def select_by_messages(
    features: np.ndarray, importance: np.ndarray, budget: int, neighbors: int, gamma: float
) -> np.ndarray:
    """The positions of the examples of a pool that are kept, int64[budget]; of equal ones the first. From a pool of at
    most `neighbors` examples the most important are kept, without messages.

    Arguments:
        features: float[m, d].
        importance: x, non-negative, float[m].
        budget: The number of examples to keep, at most m.
        neighbors: k.
        gamma: As in `D2`.
    """
    if len(features) <= max(neighbors, budget):
        return np.argsort(-importance, kind="stable")[:budget]
    graph = neighbour_graph(features, neighbors)
    forward = graph.copy()
    forward.data = np.exp(-graph.data)
    return _backward(graph, importance + forward @ np.maximum(importance, LEAST), gamma, budget)


def neighbour_graph(features: np.ndarray, neighbors: int) -> csr_array:
    """The distances between neighbours, a sparse float64[n, n] with an entry for each pair of which one is among the k
    nearest of the other. They are computed in blocks of rows.

    Arguments:
        features: float[n, d], n > k.
        neighbors: k.
    """
    from scipy.sparse import coo_array
    from sklearn.neighbors import NearestNeighbors

    n = len(features)
    distances, nearest = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(features).kneighbors()
    one, other = np.repeat(np.arange(n), neighbors), nearest.ravel()
    pairs, first = np.unique(np.minimum(one, other) * n + np.maximum(one, other), return_index=True)
    low, high, distance = pairs // n, pairs % n, distances.ravel()[first]
    ends = np.concatenate([low, high]), np.concatenate([high, low])
    return coo_array((np.concatenate([distance, distance]), ends), shape=(n, n)).tocsr()


def _backward(graph: csr_array, u: np.ndarray, gamma: float, budget: int) -> np.ndarray:
    """The positions of the kept examples in the order of the backward pass, int64[budget]; of equal u, the first."""
    queue = [(-value, i) for i, value in enumerate(u.tolist())]
    heapq.heapify(queue)
    selected: list[int] = []
    is_selected = np.zeros(len(u), bool)
    while len(selected) < budget:
        value, s = heapq.heappop(queue)
        if is_selected[s] or -value != u[s]:
            continue
        is_selected[s] = True
        selected.append(s)
        row = slice(graph.indptr[s], graph.indptr[s + 1])
        beside = graph.indices[row]
        u[beside] -= np.exp(-gamma * graph.data[row]) * u[s]
        for j in beside[~is_selected[beside]].tolist():
            heapq.heappush(queue, (-float(u[j]), j))
    return np.array(selected)
