"""`select` and `train`: from scores to a subset, and from a subset to an accuracy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import selection, training
from ..artifacts import ArtifactError, Features, Scores, Subset, check_fingerprint, check_writable, claim
from ..core.job import Job
from ..core.provenance import digest, identity_of
from ..core.registry import check_fraction
from ..core.seeds import Seeds, check_seed
from ..methods import parse_strategy
from ..methods.budgets import check_budget
from ..strategies import PerClass
from ..strategies.apply import apply_strategy, settings_of
from ..training.names import NETS
from ..training.recipe import PROXY, Recipe
from .data import Data

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
        recipe: How strategies that train networks train them.
        seed: Determines the order of ties, and random draws.
        per_class: Apply the strategy within each class.
        other_scores: Folders of further scores that the strategy asks for (CCS and D2: AUM; DUAL:
            Confidence[early=true]).
        features: The features that `drd-plugin record --features` wrote, or a .npy file of numbers[n, d], for D2.
        dataset: The data set, for strategies that train networks; the one that was scored by default.
        root: Where the data lie.
        size: Size of a folder's images.
        device: auto, or a torch device.
    """
    parsed = parse_strategy(strategy)
    parsed = PerClass(parsed) if per_class else parsed
    NETS.check(recipe.net)
    check_fraction(fraction)
    check_seed(seed, "--seed")
    ordering = Scores.load(scores)
    check_budget(parsed, ordering.labels, fraction)
    check_writable(out, folder=False)
    others = [Scores.load(folder) for folder in other_scores]
    data = Data(dataset or ordering.provenance["dataset"], root, size)
    networks = _networks(data, ordering, recipe, seed, device) if parsed.trains else None
    proxy_features = None if features is None else Features.load(features)
    workbench = selection.ScoresWorkbench(ordering, others, proxy_features, networks)
    settings = settings_of(parsed, ordering, fraction, seed, workbench)
    name = f"{ordering.name}+PerClass[inner={strategy}]" if per_class else f"{ordering.name}+{strategy}"
    further = [identity_of(each.provenance) for each in others]
    further += [] if proxy_features is None else [identity_of(proxy_features.provenance)]
    with claim(out, digest([_identity(settings), further])):
        stored = Subset.load(out) if out.exists() else None
        if stored is not None:
            _check_same(out, stored, settings)  # before long trainings
        subset = apply_strategy(parsed, ordering, fraction, seed, workbench, name)
        if stored is not None:
            _check_same(out, stored, {"further": {}, **subset.provenance})
        subset.save(out)
    print(f"{len(subset)} of {subset.n} examples by {subset.method}, {_short(subset.chosen)}in {out}")


def _networks(data: Data, ordering: Scores, recipe: Recipe, seed: int, device: str) -> "selection.Networks":
    """The trainings of a strategy, on the data that were scored.

    Raises:
        ArtifactError: If the data are not those that were scored.
    """
    split = data.load().train
    check_fingerprint(ordering.fingerprint, split.fingerprint, f"the {ordering.name} score")
    return selection.Networks(split, recipe, PROXY, Seeds.all(seed), Job(device))


def _check_same(out: Path, stored: Subset, provenance: Mapping[str, Any]) -> None:
    """Raises ArtifactError unless a stored subset has these entries in its provenance; when and where the scores and
    features were computed does not matter.
    """
    other = {key: stored.provenance.get(key) for key in provenance}
    if "score" not in stored.provenance or digest(_identity(other)) != digest(_identity(provenance)):
        raise ArtifactError(f"{out} holds another subset, by {stored.method}: give another --out, or remove it.")


def _identity(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a subset without the times and machines of its score and of further scores and features."""
    score, further = provenance["score"], provenance.get("further") or {}
    return {
        **provenance,
        "score": {**score, "provenance": identity_of(score["provenance"])},
        "further": {name: identity_of(request) for name, request in further.items()},
    }


def _short(chosen: Any) -> str:
    """What a strategy chose, NAME VALUE, ..., without lists."""
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
    data.check()
    NETS.check(recipe.net)
    if seeds < 1:
        raise ValueError(f"the number of trainings must be at least 1, got --seeds {seeds}.")
    dataset = data.load()
    chosen = None if subset is None else Subset.load(subset)
    accuracies = []
    for seed in range(seeds):
        trained = training.train(
            dataset.train, recipe, seed_init=seed, seed_order=seed, subset=chosen,
            test=dataset.test, device=device, label=f"seed {seed}",
        )  # fmt: skip
        accuracies.append(trained.acc_last)
        print(
            f"seed {seed}: {trained.acc_last:.2f} % after {trained.steps} steps (best {trained.acc_best:.2f} %), "
            f"{trained.seconds:.1f} s"
        )
    n, method = len(dataset.train), "Full" if chosen is None else chosen.method
    over = f" ± {np.std(accuracies, ddof=1):.2f} % over {seeds} seeds" if seeds > 1 else " % with one seed"
    print(f"{method}, {n if chosen is None else len(chosen)} of {n} examples: {np.mean(accuracies):.2f}{over}")
