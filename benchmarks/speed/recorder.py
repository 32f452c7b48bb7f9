"""What watching costs: proxy trainings with every fold score recorded against the same trainings without, in turn.

    python benchmarks/speed/recorder.py [--dataset digits] [--epochs 30] [--rounds 25]

Prints the median seconds of both and the median of the ratios, pair by pair. Forgetting, EL2N (its evaluation pass
included), AUM and Moderate watch; Moderate's features are computed after training and are not in the recorder's time.
"""

import statistics

import torch
import tyro

from drd_plugin.data import load
from drd_plugin.scores import AUM, EL2N, Forgetting, Moderate
from drd_plugin.training.loader import resolve_device
from drd_plugin.training.loop import train
from drd_plugin.training.recipe import Recipe
from drd_plugin.training.recorder import Recorder


def main(dataset: str = "digits", net: str = "convnet_small", epochs: int = 30, rounds: int = 25) -> None:
    """Measures and prints.

    Arguments:
        dataset: The data set's name.
        net: The proxy's network.
        epochs: The proxy's epochs.
        rounds: Pairs of trainings, after one that is not counted.
    """
    split, recipe, device = load(dataset).train, Recipe(net=net, epochs=epochs), resolve_device()
    folds = [Forgetting(), EL2N(), AUM(), Moderate()]

    def seconds(watched: bool) -> float:
        recorder = Recorder(folds, len(split), split.num_classes, epochs, device) if watched else None
        return train(split, recipe, seed_init=0, seed_order=0, recorder=recorder).seconds

    seconds(True), seconds(False)
    pairs = []
    for turn in range(rounds):  # either comes first in turn
        first = seconds(turn % 2 == 0)
        second = seconds(turn % 2 == 1)
        pairs.append((first, second) if turn % 2 == 0 else (second, first))
    with_, without = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    print(f"{dataset}, {net}, {epochs} epochs, {rounds} rounds, {device}, torch {torch.__version__}")
    print(f"recorded {with_:.2f} s, plain {without:.2f} s")
    print(f"ratio {statistics.median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    tyro.cli(main)
