"""`score`, with a subcommand for each score of the registry; `merge` and `verify`, for what it wrote in parts."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union

import numpy as np
import tyro

from ..artifacts import ArtifactError, Scores
from ..artifacts.reliability import verdict
from ..processes import speaks
from ..scores import SCORES, FoldScore
from ..scores.diffused import DiffusionScore
from ..training.recipe import PROXY, Recipe
from .data import Data
from .listing import first_sentence

__all__ = ["merge", "record", "say", "score_command", "verify"]


def score_command() -> Callable[..., None]:
    """The command, made from the scores that are registered now."""
    kinds = [Annotated[Any, tyro.conf.subcommand(name, constructor=_of_kind(kind))] for name, kind in SCORES.items()]

    def score(done: Union[tuple(kinds)]) -> None:  # type: ignore[valid-type]  # noqa: UP007
        """Score the training examples of a data set."""

    return score


def _of_kind(kind: Any) -> Callable[..., None]:
    """The command for one score; only fold scores have a proxy's flags."""
    from ..engine import score
    from ..parts import score_shard

    def fold(
        what: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        recipe: Recipe = PROXY,
    ) -> None:
        score(data.load().train, what, seed=seed, out=out, recipe=recipe, device=device)
        if speaks():
            say(Scores.load(out), out)

    def map_(
        what: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        shard: str = "0/1",
    ) -> None:
        there, parts = score_shard(data.load().train, what, _shard(shard), out=out, seed=seed, device=device)
        if not speaks():
            return
        if there == parts:
            say(Scores.load(out), out)
        else:
            print(f"{there} of {parts} parts are in {out}; the other shards make the rest.")

    def diffused(
        what: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        shard: str = "0/1",
        dry_run: bool = False,
    ) -> None:
        if dry_run:
            from tabulate import tabulate

            from ..forecast import forecast
            from ..training.loader import resolve_device

            print(tabulate(forecast(data.load().train, what, resolve_device(device)).rows(), tablefmt="plain"))
        else:
            map_(what, data, out, seed, device, shard)

    command = fold if issubclass(kind, FoldScore) else diffused if issubclass(kind, DiffusionScore) else map_
    command.__doc__ = f"""{first_sentence(kind)}

    Arguments:
        out: The folder to write the scores to; an unfinished one is continued.
        seed: The proxy's or the noise's seed.
        device: auto, or a torch device.
        shard: i/N: score every N-th part alone, from part i on, for a job array; the folder is shared, or merged later.
        dry_run: Time a few batches, say what scoring would cost, and write nothing.
    """
    return command


def say(scores: Scores, out: Path) -> None:
    """Prints in a line or two what scores are, and which folder they are in."""
    low, high, distinct = scores.values.min(), scores.values.max(), len(set(scores.values.tolist()))
    print(
        f"{scores.name} of {len(scores)} examples of {scores.fingerprint}, {low:.4g} to {high:.4g} "
        f"({distinct} distinct values), in {out}"
    )
    if scores.estimates.shape[1] > 1 or scores.name in ("DRD", "ELBO"):
        print(f"reliability {verdict(scores.reliability, scores.estimates.shape[1], scores.drawn)}")


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise ValueError(f"expected a shard as i/N, 0/8 for one, got {text!r}.")
    return int(match[1]), int(match[2])


def record(
    data: Data,
    out: Path,
    scores: tuple[str, ...] = (),
    features: bool = False,
    seed: int = 0,
    device: str = "auto",
    recipe: Recipe = PROXY,
) -> None:
    """Train proxies once, and record all scores that watch them.

    Arguments:
        out: The folder for a folder of each score; a pass that was killed goes on.
        scores: The scores, with settings in brackets: Forgetting, "EL2N[first_epochs=10, outputs=train]",
            "AUM[proxies=3]"; by default all those that watch no longer than the proxy trains, but TDDS, which needs
            room for n x C numbers.
        features: Keep the features of the first proxy too, for D2.
        seed: The proxies' seed.
        device: auto, or a torch device.
        recipe: How the proxies are trained.
    """
    from ..recording import fitting_folds, fold_of, record_into

    folds = {name: fold_of(name) for name in scores} or fitting_folds(recipe)
    found = record_into(
        out,
        data.load().train,
        folds,
        recipe,
        seed=seed,
        features="features.safetensors" if features else None,
        device=device,
    )
    if speaks():
        for name, of in found.items():
            say(of, out / name)


def merge(folders: Annotated[tuple[Path, ...], tyro.conf.Positional], out: Path) -> None:
    """Bring the parts of one run, which machines without a common disk have scored, into one folder.

    Arguments:
        folders: Folders that `score --shard` wrote.
        out: The folder to write to.
    """
    from ..artifacts import merge

    if not folders:
        raise ValueError("give the folders whose parts belong together.")
    print(f"{len(merge(folders, out))} scores in {out}")


def verify(
    scores: Annotated[Path, tyro.conf.Positional],
    data: Data,
    rows: int = 32,
    tolerance: float = 0.01,
    device: str = "auto",
) -> None:
    """Score a few examples of a folder again, and compare.

    Arguments:
        scores: The folder of DRD's or ELBO's scores.
        rows: The number of examples.
        tolerance: The greatest difference, in standard deviations of all scores, that is no error.
        device: auto, or a torch device.
    """
    from ..verify import verify

    found = verify(data.load().train, scores, rows, device)
    said = f"{len(found.index)} examples differ by at most {found.apart:.2g} standard deviations of all scores"
    if found.apart > tolerance:
        worst = int(found.index[np.abs(found.kept - found.again).argmax()])
        raise ArtifactError(
            f"{said} (example {worst}), more than {tolerance}: {scores} was made by another device or version, "
            "or is damaged."
        )
    print(said)
