"""`select` and `train`: from scores to a subset, and from a subset to an accuracy."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..artifacts import ArtifactError, Features, Scores, Subset, check_fingerprint
from ..at_hand import AtHand
from ..methods import parse_strategy
from ..provenance import digest
from ..rng import Seeds
from ..strategies import PerClass, Workbench
from ..subsets import decided_by, select_by
from ..training.recipe import PROXY, Recipe
from .data import Data

if TYPE_CHECKING:
    from ..selection import TrainingWorkbench

__all__ = ["select", "train"]


def select(
    scores: Path,
    strategy: str,
    fraction: float,
    out: Path,
    recipe: Recipe,
    seed: int = 0,
    per_class: bool = False,
    other_scores: tuple[Path, ...] = (),
    features: Path | None = None,
    dataset: str | None = None,
    root: Path | None = None,
    size: int | None = None,
    device: str = "auto",
) -> None:
    """Select a subset from scores.

    Arguments:
        scores: The folder that `drd-plugin score` wrote.
        strategy: A strategy or method with settings in brackets: Hardest, CCS, "BestWindow[selector=train]".
        fraction: The share of the examples that is kept, in (0, 1].
        out: The JSON file to write.
        recipe: How strategies that train do it.
        seed: Breaks ties and draws.
        per_class: Apply the strategy within each class.
        other_scores: Folders of further scores that the strategy asks for (CCS and D2: AUM; DUAL:
            Confidence[early=true]).
        features: The features that `drd-plugin record --features` wrote, or a .npy file of numbers[n, d], for D2.
        dataset: The data set, for strategies that train networks; the one that was scored by default.
        root: Where the data lie.
        size: Size of a folder's images.
        device: auto, or a torch device.
    """
    of = Scores.load(scores)
    others = [Scores.load(folder) for folder in other_scores]
    how = parse_strategy(strategy)
    how = PerClass(how) if per_class else how
    at_hand = AtHand(of, others, None if features is None else Features.load(features))
    workbench: Workbench = at_hand
    if how.trains:
        data = Data(dataset or of.provenance["dataset"], root, size)
        workbench = _workbench(at_hand, data, Seeds.all(seed), recipe, device)
    made = decided_by(how, of, fraction, seed, workbench)
    there = Subset.load(out) if out.exists() else None
    if there is not None and digest({key: there.provenance.get(key) for key in made}) != digest(made):
        raise ArtifactError(f"{out} holds another subset, by {there.method}: give another --out, or remove it.")
    name = f"{of.name}+PerClass[inner={strategy}]" if per_class else f"{of.name}+{strategy}"
    subset = select_by(how, of, fraction, seed, workbench, name)
    subset.save(out)
    print(f"{len(subset)} of {subset.n} examples by {subset.method}, {_short(subset.chosen)}in {out}")


def _workbench(at_hand: AtHand, data: Data, seeds: Seeds, recipe: Recipe, device: str) -> "TrainingWorkbench":
    from ..selection import TrainingWorkbench

    train = data.load().train
    check_fingerprint(at_hand.of.fingerprint, train.fingerprint, f"the {at_hand.of.name} score")
    return TrainingWorkbench(train, recipe, PROXY, seeds, at_hand.scores, at_hand.proxy_features, device)


def _short(chosen: Any) -> str:
    plain = {key: value for key, value in chosen.items() if isinstance(value, (str, int, float))}
    return "".join(f"{key} {value}, " for key, value in plain.items())


def train(data: Data, recipe: Recipe, subset: Path | None = None, seeds: int = 1, device: str = "auto") -> None:
    """Train on a subset, or on the whole training set, and test.

    Arguments:
        recipe: How to train.
        subset: The JSON file that `drd-plugin select` wrote; the whole training set by default.
        seeds: The number of trainings, with the seeds 0, 1, ...
        device: auto, or a torch device.
    """
    import numpy as np

    from ..training.loop import train

    if seeds < 1:
        raise ValueError(f"the number of trainings must be at least 1, got --seeds {seeds}.")
    dataset = data.load()
    chosen = None if subset is None else Subset.load(subset)
    results = []
    for seed in range(seeds):
        done = train(
            dataset.train, recipe, seed_init=seed, seed_order=seed, subset=chosen,
            test=dataset.test, device=device, progress=f"seed {seed}",
        )  # fmt: skip
        results.append(done.acc_last)
        print(
            f"seed {seed}: {done.acc_last:.2f} % after {done.steps} steps (best {done.acc_best:.2f} %), "
            f"{done.seconds:.1f} s"
        )
    n, method = len(dataset.train), "Full" if chosen is None else chosen.method
    over = f" ± {np.std(results, ddof=1):.2f} % over {seeds} seeds" if seeds > 1 else " % with one seed"
    print(f"{method}, {n if chosen is None else len(chosen)} of {n} examples: {np.mean(results):.2f}{over}")
