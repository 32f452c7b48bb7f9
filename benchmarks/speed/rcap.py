"""RCAP by this library against RCAP by its authors' package DataCull: the same task, network, budget and machine.

    pip install datacull
    python benchmarks/speed/rcap.py --seeds 0 1 2

Both train the same network from the same initial weights on Fashion-MNIST, for as many epochs of the same share, with
the same optimiser, learning rates by step, batch size, temperature and clipping. DataCull goes through its own data
loader, logger and importance as its read-me has it, on images that are normalised tensors already. Its class shares
follow softmax weights, which is `aggregate=importance` here. Seconds are of the training with everything that belongs
to the selection; the test is not counted.
"""

import tempfile
import time

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import tyro
from datacull import DCDataset, DCLogger
from datacull.methods.RCAP import RCAPDataLoader, RCAPImportance
from torch.utils.data import TensorDataset

from drd_plugin.bench.tables.words import mean_and_std
from drd_plugin.core.provenance import processor, versions
from drd_plugin.core.team import ALONE
from drd_plugin.data import Split, load
from drd_plugin.dynamic import RCAP, DynamicSampler, Examples, Plan
from drd_plugin.training import Goal, Loader, Recipe, build, predict, train
from drd_plugin.training.progress import Progress

CPU = torch.device("cpu")


def main(
    dataset: str = "fashion_mnist",
    net: str = "lenet",
    fraction: float = 0.3,
    epochs: int = 10,
    lr: float = 0.05,
    seeds: tuple[int, ...] = (0, 1, 2),
) -> None:
    """Trains by both and prints.

    Arguments:
        dataset: The data set.
        net: The network.
        fraction: The share of an epoch.
        epochs: How many.
        lr: The peak learning rate.
        seeds: One pair of trainings each, which begin with the other one in turn.
    """
    data, recipe = load(dataset), Recipe(net=net, epochs=epochs, lr=lr, batch_size=128, evaluations=1)
    rows = []
    for place, seed in enumerate(seeds):
        for name, run in sorted({"DataCull": theirs, "drd_plugin": ours}.items(), reverse=place % 2 == 1):
            trained, seconds = run(data.train, recipe, fraction, seed)
            right = predict(trained, data.test, "cpu", data.train.statistics).argmax(1).numpy() == data.test.labels
            rows.append({"RCAP by": name, "seed": seed, "accuracy": 100 * right.mean(), "seconds": seconds})
            print(rows[-1], flush=True)
    cells = pd.DataFrame(rows).groupby("RCAP by")
    print(cells[["accuracy", "seconds"]].agg(mean_and_std).to_markdown(disable_numparse=True))
    by = pd.DataFrame(rows).pivot(index="seed", columns="RCAP by", values="seconds")
    ratio = by["DataCull"] / by["drd_plugin"]
    spread = f"median of {len(seeds)}; {ratio.min():.2f} to {ratio.max():.2f}"
    print(f"\nDataCull's seconds over ours: {ratio.median():.2f} ({spread}).")
    print(f"{fraction:.0%} of {dataset}, {epochs} epochs, {net}; {processor()}, {versions()}")


def ours(split: Split, recipe: Recipe, fraction: float, seed: int) -> tuple[torch.nn.Module, float]:
    """By the training loop and the sampler of this library."""
    start = time.perf_counter()
    examples = Examples(split.labels, split.num_classes, split.fingerprint)
    sampler = DynamicSampler(RCAP(aggregate="importance"), examples, Plan(fraction), seed=seed)
    trained = train(split, recipe, seed_init=seed, seed_order=seed, sampler=sampler, device="cpu")
    return trained.net, time.perf_counter() - start


def theirs(split: Split, recipe: Recipe, fraction: float, seed: int) -> tuple[torch.nn.Module, float]:
    """DataCull's loader, logger and importance; the network, optimiser and learning rates are the same."""
    images = torch.cat([images for _, images in Loader(split, CPU).over(Loader(split, CPU).in_order())])
    plain = TensorDataset(images, torch.from_numpy(split.labels))
    plain.targets = split.labels  # which DataCull reads
    np.random.seed(seed)  # noqa: NPY002
    start = time.perf_counter()
    data, epochs = DCDataset(plain), recipe.epochs or 0
    net = build(recipe.net, split.shape[0], split.shape[1], split.num_classes, seed)
    with tempfile.TemporaryDirectory() as folder:
        logger = DCLogger(f"{folder}/")
        importance = RCAPImportance(data, logger, beta=1.0)
        batches = RCAPDataLoader(data, fraction, batch_size=recipe.batch_size)
        progress = Progress(net, recipe, Goal("epochs", epochs), None, None, None, ALONE, start)
        for epoch in range(epochs):
            batches.resample(importance.compute_importance())
            net.train()
            for place, (inputs, labels, index) in enumerate(batches, 1):
                losses = F.cross_entropy(net(inputs), labels, reduction="none")
                progress.advance(losses.mean(), len(index), epoch + place / len(batches))
                logger.log_metric(epoch, index, losses.detach())
    return net, time.perf_counter() - start


if __name__ == "__main__":
    tyro.cli(main)
