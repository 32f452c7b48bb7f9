"""What dynamic samplers cost: the choice of an epoch, the list of its positions, and what is told of it.

python benchmarks/speed/sampler.py
python benchmarks/speed/sampler.py --n 60000 --classes 10 --dataset fashion_mnist

Each epoch has 30 % of the examples (InfoBatch decides itself); random losses are told in batches of 256, whose tensors
are made outside of the clock. With a data set, training is timed beside it in the same run, and the share is given that
the sampler takes of an epoch as long.
"""

import time
from typing import Any

import numpy as np
import pandas as pd
import torch
import tyro

from drd_plugin.data import load
from drd_plugin.dynamic import DYNAMIC, DynamicSampler, Examples, Plan
from drd_plugin.training import Goal, Recipe, train


def main(
    n: int = 1_281_167,
    classes: int = 1000,
    epochs: int = 22,
    fraction: float = 0.3,
    dataset: str = "",
    net: str = "lenet",
) -> None:
    """Times and prints.

    Arguments:
        n: The number of examples.
        classes: The number of classes.
        epochs: How many epochs each method chooses; the first two are not counted.
        fraction: The share of an epoch.
        dataset: A data set to train on beside it; its size and classes are taken.
        net: The network that is trained.
    """
    rng = np.random.default_rng(0)
    labels = load(dataset).train.labels if dataset else rng.integers(0, classes, n)
    values = {name: rng.random(len(labels)) for name in ("representativeness", "rarity")}
    examples = Examples(labels, int(labels.max()) + 1, "", values)
    training = _epoch(dataset, net, fraction) if dataset else np.nan
    rows = [_row(name, examples, epochs, fraction, training) for name in DYNAMIC]
    print(f"{len(labels)} examples, {examples.num_classes} classes, {fraction:.0%} an epoch")
    print(pd.DataFrame(rows).dropna(axis=1).to_markdown(index=False, floatfmt=".3f"))


def _row(name: str, examples: Examples, epochs: int, fraction: float, training: float) -> dict[str, Any]:
    sampler = DynamicSampler(DYNAMIC[name](), examples, Plan(fraction), epochs=epochs)
    took = []
    for epoch in range(epochs):
        start = time.perf_counter()
        sampler.set_epoch(epoch)
        positions = list(sampler)
        chosen = time.perf_counter()
        batches = [(index, torch.rand(len(index))) for index in torch.tensor(positions).split(256)]
        begun = time.perf_counter()
        for index, losses in batches:
            sampler.update(index, losses)
        sampler.state_dict()
        took.append(time.perf_counter() - begun + chosen - start)
    seconds = float(np.median(took[2:]))
    share = len(positions) / (fraction * len(examples))
    return {"method": name, "seconds an epoch": seconds, "share of the epoch in %": 100 * seconds / training / share}


def _epoch(dataset: str, net: str, fraction: float) -> float:
    """The seconds of an epoch of training: the second half of ten, so that what comes once is left out."""
    split = load(dataset).train
    seconds = [
        train(split, Recipe(net=net, batch_size=128), goal=Goal("samples", epochs * fraction * len(split))).seconds
        for epochs in (2, 6)
    ]
    return (seconds[1] - seconds[0]) / 4


if __name__ == "__main__":
    tyro.cli(main)
