"""D2's graph of nearest neighbours without an n x n matrix: seconds and peak memory.

    python benchmarks/speed/neighbours.py [--n 200000] [--width 128] [--neighbors 5]

A matrix of all distances would take 8 n^2 bytes: 320 GB for 200,000 examples.
"""

import resource
import time

import numpy as np
import tyro

from drd_plugin.core.provenance import processor, versions
from drd_plugin.strategies.d2 import neighbour_graph


def main(n: int = 200_000, width: int = 128, neighbors: int = 5) -> None:
    """Measures and prints.

    Arguments:
        n: The examples.
        width: The features of each.
        neighbors: The neighbours that each looks for.
    """
    features = np.random.default_rng(0).normal(size=(n, width)).astype(np.float32)
    neighbour_graph(features[:1000], neighbors)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    graph = neighbour_graph(features, neighbors)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{n} examples of {width} features, {neighbors} neighbours: {seconds:.0f} s, {graph.nnz} edges")
    print(f"peak memory {peak:.2f} GiB, {before:.2f} GiB before ({features.nbytes / 2**30:.2f} GiB of features)")
    print(f"{processor()}, scikit-learn {versions()['scikit-learn']}, numpy {versions()['numpy']}")


if __name__ == "__main__":
    tyro.cli(main)
