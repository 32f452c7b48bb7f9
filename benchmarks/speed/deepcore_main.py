"""What a training costs in DeepCore's main.py and in this harness: the same subset of Fashion-MNIST, network, batch,
epochs, optimiser, schedule and test interval, in turn.

    python benchmarks/speed/deepcore_main.py PATH/DeepCore [--net LeNet --fraction 1.0 --epochs 5 --rounds 3]

Each round has its seed. DeepCore's side is an unmodified main.py in a process of its own, which reads the subset
through `--resume`; its clock runs from the line that it prints before it builds the network to that of the best
accuracy. This harness's clock runs over the whole of `train()`. Both test after each `--test-interval` epochs. The
learning rate is constant, since DeepCore's cosine starts an epoch early (its `last_epoch` is -len(loader)).
"""

import gzip
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import tyro

from drd_plugin import Recipe, Subset, load, select, train
from drd_plugin.core.provenance import processor, versions
from drd_plugin.data.catalog import DEBIAN_FASHION_MNIST
from drd_plugin.deepcore import export_checkpoint


def main(
    checkout: Annotated[Path, tyro.conf.Positional],
    net: str = "LeNet",
    fraction: float = 1.0,
    epochs: int = 5,
    test_interval: int = 1,
    lr: float = 0.01,
    rounds: int = 3,
    workers: int = os.cpu_count() or 1,
) -> None:
    """Measures and prints.

    Arguments:
        checkout: A checkout of DeepCore.
        net: DeepCore's name of the network, which both train.
        fraction: The share of the training set, drawn at random.
        epochs: Passes over the subset.
        test_interval: Epochs between tests.
        lr: The learning rate.
        rounds: Trainings on each side.
        workers: DeepCore's processes that read images; this harness has none.
    """
    sys.path.insert(0, str(checkout))
    data = load("fashion_mnist")
    recipe = Recipe(
        net=f"deepcore:{net}", epochs=epochs, batch_size=256, lr=lr, schedule="constant", warmup=0.0, decay_all=True,
        evaluations=epochs // test_interval,
    )  # fmt: skip
    rows = []
    for seed in range(rounds):
        subset = select(data.train, "Random", fraction, seed=seed)
        ours = train(data.train, recipe, subset=subset, test=data.test, seed_init=seed, seed_order=seed)
        theirs = deepcore_training(checkout, recipe, subset, test_interval, seed, workers)
        rows.append((ours.seconds / epochs, theirs[0] / epochs, ours.acc_best, theirs[1]))
        print("seconds an epoch {:.2f} and {:.2f}, best accuracy {:.2f} and {:.2f}".format(*rows[-1]), flush=True)
    ours, theirs, acc_ours, acc_theirs = (list(column) for column in zip(*rows, strict=True))
    ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    print(f"\n{net}, {len(subset)} images, {epochs} epochs, {rounds} rounds, {workers} workers in DeepCore")
    print(f"seconds an epoch: {statistics.median(ours):.2f} here, {statistics.median(theirs):.2f} in DeepCore")
    print(f"ratio {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
    for name, accuracies in (("here", acc_ours), ("in DeepCore", acc_theirs)):
        spread = statistics.stdev(accuracies) if rounds > 1 else 0.0
        print(f"best test accuracy {name}: {statistics.mean(accuracies):.2f} +- {spread:.2f} %")
    print(f"{processor()}, {json.dumps(versions())}")


def deepcore_training(
    checkout: Path, recipe: Recipe, subset: Subset, test_interval: int, seed: int, workers: int
) -> tuple[float, float]:
    """The seconds of main.py's training, and its best test accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "data", "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        for packed in DEBIAN_FASHION_MNIST.glob("*.gz"):  # where Debian has none, DeepCore downloads them
            (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
        export_checkpoint(subset, Path(folder, "subset.ckpt"))
        command = [
            sys.executable, "-u", str(checkout / "main.py"), "--dataset", "FashionMNIST", "--num_exp", "1",
            "--model", recipe.net.removeprefix("deepcore:"), "--resume", "subset.ckpt", "--seed", str(seed),
            "--epochs", str(recipe.epochs), "--batch", str(recipe.batch_size), "--lr", str(recipe.lr),
            "--scheduler", "StepLR", "--step_size", "1000", "--momentum", str(recipe.momentum),
            "--weight_decay", str(recipe.weight_decay), "--test_interval", str(test_interval),
            "--workers", str(workers),
        ]  # fmt: skip
        running = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        start = stop = best = 0.0
        for line in running.stdout:
            if line.strip() == str(len(subset)):
                start = time.perf_counter()
            elif match := re.match(r"\| Best accuracy:\s+([\d.]+)", line):
                stop, best = time.perf_counter(), float(match[1])
        if running.wait() or not start or not stop:
            raise SystemExit(f"{' '.join(command)} failed with exit code {running.returncode}.")
    return stop - start, best


if __name__ == "__main__":
    tyro.cli(main)
