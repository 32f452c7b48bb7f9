"""What watching costs: proxy trainings with every fold score recorded against the same trainings without, in turn.

    python benchmarks/speed/recorder.py [GRID] [--rounds 15]

The grid's data set and proxy recipe are taken. Prints the median seconds of both and the median of the ratios, pair by
pair. Forgetting, EL2N (its evaluation pass included), AUM and Moderate watch; Moderate's features are computed after
training and are not in the recorder's time.
"""

import statistics
from typing import Annotated

import torch
import tyro

from drd_plugin import find_grid, load, train
from drd_plugin.scores import AUM, EL2N, Forgetting, Moderate
from drd_plugin.training.loader import resolve_device
from drd_plugin.training.recorder import Recorder


def main(grid: Annotated[str, tyro.conf.Positional] = "digits", rounds: int = 15) -> None:
    """Measures and prints.

    Arguments:
        grid: The grid's name or file.
        rounds: Pairs of trainings, after one that is not counted.
    """
    wanted, device = find_grid(grid), resolve_device()
    split, recipe = load(wanted.dataset["name"]).train, wanted.proxy
    folds = [Forgetting(), EL2N(), AUM(), Moderate()]

    def seconds(watched: bool) -> float:
        recorder = Recorder(folds, len(split), split.num_classes, recipe.epochs, device) if watched else None
        return train(split, recipe, recorder=recorder).seconds

    seconds(True), seconds(False)
    pairs = []
    for turn in range(rounds):  # either comes first in turn
        first = seconds(turn % 2 == 0)
        second = seconds(turn % 2 == 1)
        pairs.append((first, second) if turn % 2 == 0 else (second, first))
    recorded, plain = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    print(f"{grid}: {recipe.net}, {recipe.epochs} epochs, {rounds} rounds, {device}, torch {torch.__version__}")
    print(f"recorded {recorded:.2f} s, plain {plain:.2f} s")
    print(f"ratio {statistics.median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f})")


if __name__ == "__main__":
    tyro.cli(main)
