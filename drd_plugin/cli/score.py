"""`score`, with a subcommand for each score of the registry; `merge` and `verify`, for what it wrote in parts."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from tabulate import tabulate

from .. import scoring
from ..artifacts import ArtifactError, Scores
from ..artifacts.reliability import verdict
from ..core.device import resolve_device
from ..core.registry import first_sentence
from ..core.team import is_main_process
from ..methods import parse_score
from ..scores import SCORES, FoldScore
from ..scores.diffusion import DiffusionScore
from ..training.names import NETS
from ..training.recipe import PROXY, Recipe
from .data import Data
from .early import check_early

__all__ = ["merge", "print_scores", "record", "score_command", "verify"]


def score_command() -> Callable[..., None]:
    """The command `score`, with a subcommand for each registered score."""
    kinds = [Annotated[Any, tyro.conf.subcommand(name, constructor=_command(kind))] for name, kind in SCORES.items()]

    def score(finished: Union[tuple(kinds)]) -> None:  # type: ignore[valid-type]  # noqa: UP007
        """Score the training examples of a data set."""

    return score


def _command(kind: Any) -> Callable[..., None]:
    """The command for one score; only fold scores have a proxy's flags."""
    if issubclass(kind, FoldScore):
        command = _fold_command(kind)
    else:
        command = _diffusion_command(kind) if issubclass(kind, DiffusionScore) else _map_command(kind)
    command.__doc__ = f"""{first_sentence(kind)}

    Arguments:
        out: The folder to write the scores to; an unfinished one is continued.
        seed: The proxy's or the noise's seed.
        device: auto, or a torch device.
        shard: i/N: score every N-th part alone, from part i on, for a job array; the folder is shared, or merged later.
        dry_run: Time a few batches, say what scoring would cost, and write nothing.
    """
    return command


def _fold_command(kind: Any) -> Callable[..., None]:
    def fold(
        score: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        recipe: Recipe = PROXY,
    ) -> None:
        check_early(data, out, seed)
        NETS.check(recipe.net)
        scores = scoring.score(data.load().train, score, seed=seed, out=out, proxy=recipe, device=device)
        if is_main_process():
            print_scores(scores, out)

    return fold


def _map_command(kind: Any) -> Callable[..., None]:
    def map_(
        score: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        shard: str = "0/1",
    ) -> None:
        _score_shard(score, data, out, seed, device, shard)

    return map_


def _diffusion_command(kind: Any) -> Callable[..., None]:
    def diffusion(
        score: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        device: str = "auto",
        shard: str = "0/1",
        dry_run: bool = False,
    ) -> None:
        if dry_run:
            check_early(data, seed=seed)
            costs = scoring.forecast(data.load().train, score, resolve_device(device))
            print(tabulate(costs.rows(), tablefmt="plain"))
        else:
            _score_shard(score, data, out, seed, device, shard)

    return diffusion


def _score_shard(score: Any, data: Data, out: Path, seed: int, device: str, shard: str) -> None:
    check_early(data, out, seed)
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if match is None:
        raise ValueError(f"expected a shard as i/N, 0/8 for one, got {shard!r}.")
    part = int(match[1]), int(match[2])
    finished, parts = scoring.score_shard(data.load().train, score, part, out=out, seed=seed, device=device)
    if not is_main_process():
        return
    if finished == parts:
        print_scores(Scores.load(out), out)
    else:
        print(f"{finished} of {parts} parts are in {out}; the other shards make the rest.")


def print_scores(scores: Scores, out: Path) -> None:
    """Prints a summary of scores in a line or two, with their folder."""
    low, high, distinct = scores.values.min(), scores.values.max(), len(set(scores.values.tolist()))
    print(
        f"{scores.name} of {len(scores)} examples of {scores.fingerprint}, {low:.4g} to {high:.4g} "
        f"({distinct} distinct values), in {out}"
    )
    if scores.estimates.shape[1] > 1 or scores.unit != "proxies":
        print(f"reliability {verdict(scores.reliability, scores.estimates.shape[1], scores.unit)}")


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
            "AUM[proxies=3]"; by default every score that fits in the proxy's epochs. TDDS needs room for n x C numbers,
            so ask for it by name.
        features: Keep the features of the first proxy too, for D2.
        seed: The proxies' seed.
        device: auto, or a torch device.
        recipe: How the proxies are trained.
    """
    check_early(data, out, seed)
    NETS.check(recipe.net)
    for name in scores:
        parse_score(name)  # wrong names are refused before anything heavy is imported
    names = [*scores] or [*scoring.fitting_folds(recipe)]
    split = data.load().train
    recorded = scoring.record(split, names, proxy=recipe, seed=seed, out=out, features=features, device=device)
    if is_main_process():
        for name, values in zip(names, recorded, strict=True):
            print_scores(values, out / name)


def merge(folders: Annotated[tuple[Path, ...], tyro.conf.Positional], out: Path) -> None:
    """Bring the parts of one run, which machines without a common disk have scored, into one folder.

    Arguments:
        folders: Folders that `score --shard` wrote.
        out: The folder to write to.
    """
    if not folders:
        raise ValueError("give the folders whose parts belong together.")
    print(f"{len(scoring.merge(folders, out))} scores in {out}")


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
    data.check()
    result = scoring.verify(data.load().train, scores, rows, device)
    text = f"{len(result.index)} examples differ by at most {result.gap:.2g} standard deviations of all scores"
    if result.gap > tolerance:
        raise ArtifactError(
            f"{text} (example {result.worst}), more than {tolerance}: {scores} was made by another device or version, "
            "or is damaged."
        )
    print(text)
