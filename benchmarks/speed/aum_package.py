"""AUM's bookkeeping for an epoch: this library's recorder against the `aum` package, on the same logits.

    pip install aum
    python benchmarks/speed/aum_package.py [--n 50000] [--classes 10] [--rounds 5]

Both are handed the same batches; the package keeps dictionaries and a record for each example. Prints the median time
of an epoch, the ratios, and how far the values are apart after all epochs.
"""

import statistics
import tempfile
import time

import numpy as np
import torch
import tyro
from aum import AUMCalculator

from drd_plugin.core.provenance import processor
from drd_plugin.scores import AUM, Proxy
from drd_plugin.training import Recorder


def main(n: int = 50_000, classes: int = 10, batch: int = 128, rounds: int = 5) -> None:
    """Measures and prints.

    Arguments:
        n: The examples.
        classes: The classes.
        batch: The examples in a training step.
        rounds: The epochs that are counted, after one that is not.
    """
    chance = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (n,), generator=chance)
    recorder = Recorder([AUM()], n, classes, rounds + 1, torch.device("cpu"))
    package = AUMCalculator(tempfile.mkdtemp(), compressed=True)
    seconds: list[tuple[float, float]] = []
    for epoch in range(1, rounds + 2):
        logits = torch.randn(n, classes, generator=chance) * 3
        steps = torch.randperm(n, generator=chance).split(batch)
        batches = [(index, logits[index], labels[index], index.tolist()) for index in steps]
        start = time.perf_counter()
        for index, outputs, targets, _ in batches:
            recorder.step(epoch, index, outputs, targets)
        recorder.end_epoch(epoch, lambda: iter(()))
        middle = time.perf_counter()
        for _, outputs, targets, names in batches:
            package.update(outputs, targets, names)
        seconds.append((middle - start, time.perf_counter() - middle))
    ours = AUM().compute(recorder.states[0], Proxy(None, None, rounds + 1, "cpu")).numpy()  # type: ignore[arg-type]
    theirs = np.array([package.sums[i] / package.counts[i] for i in range(n)])
    ratios = sorted(b / a for a, b in seconds[1:])
    mine, other = (1000 * statistics.median(column) for column in zip(*seconds[1:], strict=True))
    print(f"{n} examples, {classes} classes, batches of {batch}; {processor()}, torch {torch.__version__}")
    print(f"an epoch: recorder {mine:.1f} ms, aum package {other:.0f} ms")
    print(f"ratio {statistics.median(ratios):.0f} (from {ratios[0]:.0f} to {ratios[-1]:.0f}, {rounds} epochs)")
    print(f"values at most {np.abs(ours - theirs).max():.1e} apart")


if __name__ == "__main__":
    tyro.cli(main)
