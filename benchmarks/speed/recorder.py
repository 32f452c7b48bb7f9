"""What a recorded pass costs: all fold scores of a proxy, to the last value, against the same training unwatched.

    python benchmarks/speed/recorder.py [EXPERIMENT] [--rounds 15]

The experiment's data set and proxy recipe are taken, and all fold scores watch that fit it, and TDDS; EL2N's
evaluation pass and Moderate's features are in the time. Prints the seconds of both and the ratios, of the fastest runs,
which the machine disturbed least, and pair by pair; and what one training for each method would cost against the one
that all watch.
"""

import statistics
import time
from typing import Annotated

import torch
import tyro

from drd_plugin import load, record, train
from drd_plugin.bench import find_experiment
from drd_plugin.core.device import resolve_device
from drd_plugin.core.provenance import processor
from drd_plugin.scores import TDDS, Confidence
from drd_plugin.scoring import fitting_folds


def main(experiment: Annotated[str, tyro.conf.Positional] = "main", rounds: int = 15) -> None:
    """Measures and prints.

    Arguments:
        experiment: The name of an experiment, or a TOML file; its first size is taken.
        rounds: Pairs of trainings, after one that is not counted.
    """
    grid, device = find_experiment(experiment).grid, resolve_device()
    split, recipe = load(grid.dataset["name"]).train, grid.proxy
    folds = [*fitting_folds(recipe).values(), TDDS()]

    def passes(*groups: list) -> float:
        start = time.perf_counter()
        for group in groups:
            record(split, group, proxy=recipe, progress=False)
        return time.perf_counter() - start

    def seconds(watched: bool) -> float:
        start = time.perf_counter()
        passes(folds) if watched else train(split, recipe)
        return time.perf_counter() - start

    seconds(True), seconds(False)
    pairs = []
    for turn in range(rounds):  # either comes first in turn
        first = seconds(turn % 2 == 0)
        second = seconds(turn % 2 == 1)
        pairs.append((first, second) if turn % 2 == 0 else (second, first))
    recorded, plain = (min(column) for column in zip(*pairs, strict=True))
    ratios = sorted(a / b for a, b in pairs)
    setting = f"{recipe.net}, {recipe.epochs} epochs of {len(split)} examples, {rounds} rounds"
    print(f"{experiment}: {setting}, {device} ({processor()}), torch {torch.__version__}")
    print(f"fastest: {len(folds)} scores recorded {recorded:.2f} s, plain {plain:.2f} s, ratio {recorded / plain:.3f}")
    print(f"pair by pair: median {statistics.median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}")
    methods = [fold for fold in folds if not isinstance(fold, Confidence)]
    together, alone = passes(folds), passes(*([fold] for fold in methods))
    print(f"one pass for all {together:.1f} s, one for each {alone:.1f} s: {alone / together:.2f} x")


if __name__ == "__main__":
    tyro.cli(main)
