r"""How representative and how rare the factors of each example are: shared by many examples, or by few.

    p_j  = the share of examples for which unit j is active
    a_ij = activation_ij / sum_j activation_ij
    r_i  = sum_j p_j a_ij               representativeness, in [0, 1]
    v_i  = sum_j -log(p_j) a_ij         rarity, in nats, at least 0

An example for which no unit is active gets 0 for both.

References:
    Rethinking Representativeness and Diversity in Dynamic Data Selection (Zhou et al., 2026),
    https://arxiv.org/abs/2603.04981

Differences: unknown. The paper's formulae and code are not public; this is an independent reading of its abstract,
which scores "coverage of dataset-level common or high-frequency feature factors" by "sparse unit activations" and asks
for "complementary rare factors".
"""

from __future__ import annotations

import numpy as np

from .codes import Codes

__all__ = ["frequencies", "rarity", "representativeness", "standardised"]


def frequencies(codes: Codes) -> np.ndarray:
    """p_j, float64[m] in [0, 1]; 0 for a dead unit."""
    return np.bincount(codes.index[codes.value > 0], minlength=codes.units) / len(codes)


def representativeness(codes: Codes) -> np.ndarray:
    """r_i, float32[n] in [0, 1]: the mean frequency of an example's units, weighted by their activations."""
    return _weighted(codes, frequencies(codes))


def rarity(codes: Codes) -> np.ndarray:
    """v_i, float32[n], at least 0: the mean surprise of an example's units, weighted by their activations."""
    p = frequencies(codes)
    return _weighted(codes, -np.log(p, out=np.zeros_like(p), where=p > 0))


def _weighted(codes: Codes, of_unit: np.ndarray) -> np.ndarray:
    return (codes.shares * of_unit[codes.index]).sum(axis=1).astype(np.float32)


def standardised(values: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Ranks spread evenly over [0, 1], float32[n]: 0 for the smallest value and 1 for the largest; ties share the mean
    of their ranks, and a value without others to compare with gets 1/2.

    Arguments:
        values: float[n].
        labels: The class of each example, int64[n], to rank within classes; all are ranked together by default.
    """
    import pandas as pd

    groups = pd.Series(values).groupby(np.zeros(len(values), np.int64) if labels is None else labels)
    ranks, sizes = groups.rank().to_numpy(), groups.transform("size").to_numpy()
    return np.where(sizes > 1, (ranks - 1) / np.maximum(sizes - 1, 1), 0.5).astype(np.float32)
