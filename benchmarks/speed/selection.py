"""Selection at ImageNet's size: seconds and peak memory of each strategy, beside the public code of CCS and BWS.

    python benchmarks/speed/selection.py [--checkouts FOLDER] [--n 1281167] [--classes 1000]

Each case runs in a process of its own, on random scores of 1,281,167 examples in 1,000 classes, 10 % kept; its memory
is what its peak exceeds that of a process by that only holds the scores (for the ridge, the 2.6 GB of features count
too). The features are made so that harder examples are noisier, which gives the windows different accuracies. With
FOLDER, clones of Coverage-centric-coreset-selection and BWS (see benchmarks/conformance) select from the same input;
BWS's ridge regression inverts a matrix for each class, so it is compared at 50,000 examples of 10 classes.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import tyro

from drd_plugin.artifacts import Scores
from drd_plugin.core.provenance import processor, versions
from drd_plugin.strategies import BestWindow, BetaSampling, Hardest, PerClass, Strata, Strategy, Window, budget_of
from drd_plugin.strategies.best_window import window_at
from drd_plugin.strategies.ridge import best_by_ridge

sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))

FRACTION, WIDTH = 0.1, 512
OURS: dict[str, Strategy] = {
    "hardest": Hardest(),
    "window": Window(),
    "window within classes": Window(ranking="class"),
    "strata (CCS)": Strata(cutoff=0.3, cutoff_score=""),
    "strata of each class (CCS, drd)": Strata("drd"),
    "per class: hardest": PerClass(),
    "per class: strata": PerClass(Strata(cutoff=0.0)),
}


def scores_of(n: int, classes: int) -> Scores:
    """Random scores, as of AUM."""
    rng = np.random.default_rng(0)
    return Scores("AUM", rng.normal(size=(n, 1)).astype(np.float32), rng.integers(0, classes, n), False, "made:up")


def features_of(scores: Scores) -> np.ndarray:
    """float32[n, 512]: a direction for each class, and more noise the harder the example."""
    rng, labels = np.random.default_rng(1), scores.labels
    centres = rng.normal(size=(labels.max() + 1, WIDTH)).astype(np.float32)
    rank = (scores.hardness.argsort().argsort() / len(scores)).astype(np.float32)
    features = np.empty((len(scores), WIDTH), np.float32)
    for part in np.array_split(np.arange(len(scores)), max(1, len(scores) // 20_000)):
        noise = rng.standard_normal((len(part), WIDTH), np.float32)
        features[part] = np.maximum(0, centres[labels[part]] * (1 - 0.9 * rank[part, None]) + 2.5 * noise)
    return features


def windows_of(scores: Scores, starts: int) -> list[np.ndarray]:
    """The first windows of BWS, hardest first."""
    ranks = BestWindow().rankings(scores, np.random.default_rng(0))
    budgets = np.array([round(FRACTION * len(rank)) for rank in ranks])
    return [window_at(ranks, budgets, 0.05 * start) for start in range(starts)]


def ours(case: str, n: int, classes: int) -> Callable[[], Any]:
    """What is timed: a selection by this library."""
    scores = scores_of(n, classes)
    if case == "ridge":
        features, windows = features_of(scores), windows_of(scores, 11)
        rng, everything = np.random.default_rng(0), np.arange(n)
        return lambda: best_by_ridge(features, scores.labels, windows, everything, rng)[0]
    if case == "windows of BWS":
        return lambda: len(windows_of(scores, 1)[0])
    if case == "Beta sampling (DUAL)":
        mean = np.random.default_rng(1).random((n, 1)).astype(np.float32)
        workbench: Any = SimpleNamespace(scores=lambda _: Scores("Confidence", mean, scores.labels, False, "made:up"))
        strategy, k = BetaSampling(), budget_of(FRACTION, n)
        return lambda: len(strategy.select(scores, k, np.random.default_rng(0), workbench).indices)
    if case == "nothing":
        return lambda: float(scores.hardness[0])
    return lambda: len(OURS[case].select(scores, budget_of(FRACTION, n), np.random.default_rng(0)).indices)


def theirs(case: str, n: int, classes: int, checkouts: Path) -> Callable[[], Any]:
    """What is timed: the same by public code."""
    import torch
    from borrow import borrowed, folder

    scores = scores_of(n, classes)
    if case == "strata (CCS)":
        script = folder(checkouts, "Coverage-centric-coreset-selection") / "core/data/Coreset.py"
        selection = borrowed(script, "CoresetSelection", print=lambda *_: None).CoresetSelection

        def ccs() -> int:
            data = {"accumulated_margin": torch.from_numpy(scores.values)}
            data, _ = selection.mislabel_mask(data, "accumulated_margin", int(0.3 * n), False, "accumulated_margin")
            return len(selection.stratified_sampling(data, "accumulated_margin", int(FRACTION * n))[0])

        return ccs
    from of_strategies import bws_of

    bws = bws_of(scores.labels, -scores.values.astype(np.float64) * 1e4, FRACTION, checkouts)
    if case == "windows of BWS":
        return lambda: len(bws.window(0.2))
    x = torch.from_numpy(np.concatenate([np.ones((n, 1), np.float32), features_of(scores)], axis=1))
    labels, windows = torch.from_numpy(scores.labels), windows_of(scores, 11)
    return lambda: int(np.argmax([bws.accuracy(bws.fit(x[w], labels[w]), x, labels) for w in windows]))


def one(case: str, n: int, classes: int, checkouts: Path | None) -> None:
    """Runs a case in this process."""
    run = ours(case, n, classes) if checkouts is None else theirs(case, n, classes, checkouts)
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "peak": peak, "result": result}))


def measured(case: str, n: int, classes: int, checkouts: Path | None = None) -> dict[str, float]:
    """Runs a case in a process of its own."""
    flags = ["--case", case, "--n", str(n), "--classes", str(classes)]
    flags += [] if checkouts is None else ["--checkouts", str(checkouts)]
    done = subprocess.run([sys.executable, __file__, *flags], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(n: int = 1_281_167, classes: int = 1000, checkouts: Path | None = None, case: str = "") -> None:
    """Measures and prints.

    Arguments:
        n: The examples.
        classes: The classes.
        checkouts: The folder with the clones of CCS and BWS.
        case: One case, in this process.
    """
    if case:
        one(case, n, classes, checkouts)
        return
    packages = versions()
    print(f"{n} examples, {classes} classes, {FRACTION:.0%} kept; {processor()}, numpy {packages['numpy']}")
    base = measured("nothing", n, classes)["peak"]
    for name in [*OURS, "Beta sampling (DUAL)", "ridge"]:
        result = measured(name, n, classes)
        best = f" of 11 windows with {WIDTH} features, start {5 * result['result']} % is best"
        note = best if name == "ridge" else ""
        print(f"{name}{note}: {result['seconds']:.2f} s, {result['peak'] - base:.2f} GiB")
    if checkouts is not None:
        _against("strata (CCS)", n, classes, checkouts)
        _against("windows of BWS", n, classes, checkouts)
        _against("ridge", 50_000, 10, checkouts)


def _against(case: str, n: int, classes: int, checkouts: Path) -> None:
    """Prints the public code's time, and how many of ours it is."""
    public, own = measured(case, n, classes, checkouts), measured(case, n, classes)
    same = ", the same window" if case == "ridge" and public["result"] == own["result"] else ""
    print(
        f"{case} at {n} examples in {classes} classes: public code {public['seconds']:.2f} s, ours "
        f"{own['seconds']:.2f} s: {public['seconds'] / own['seconds']:.1f} x{same}"
    )


if __name__ == "__main__":
    tyro.cli(main)
