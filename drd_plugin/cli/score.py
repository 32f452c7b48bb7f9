"""`score`, with a subcommand for each score of the registry."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from ..artifacts import Scores
from ..scores import SCORES, FoldScore
from ..training.recipe import PROXY, Recipe
from .data import Data
from .listing import first_sentence

__all__ = ["score_command"]


def score_command() -> Callable[..., None]:
    """The command, made from the scores that are registered now."""
    kinds = [Annotated[Any, tyro.conf.subcommand(name, constructor=_of_kind(kind))] for name, kind in SCORES.items()]

    def score(done: Union[tuple(kinds)]) -> None:  # type: ignore[valid-type]  # noqa: UP007
        """Score the training examples of a data set."""

    return score


def _of_kind(kind: Any) -> Callable[..., None]:
    """The command for one score; only fold scores have a proxy's flags."""
    from ..engine import score

    def finish(scores: Scores, out: Path) -> None:
        low, high, distinct = scores.values.min(), scores.values.max(), len(set(scores.values.tolist()))
        print(
            f"{scores.name} of {len(scores)} examples of {scores.fingerprint}, {low:.4g} to {high:.4g} "
            f"({distinct} distinct values), in {out}"
        )

    def fold(
        what: tyro.conf.OmitArgPrefixes[kind],
        data: Data,
        out: Path,
        seed: int = 0,
        proxies: int = 1,
        device: str = "auto",
        recipe: Recipe = PROXY,
    ) -> None:
        finish(score(data.load().train, what, seed=seed, out=out, recipe=recipe, proxies=proxies, device=device), out)

    def map_(what: tyro.conf.OmitArgPrefixes[kind], data: Data, out: Path, seed: int = 0, device: str = "auto") -> None:
        finish(score(data.load().train, what, seed=seed, out=out, device=device), out)

    command = fold if issubclass(kind, FoldScore) else map_
    command.__doc__ = f"""{first_sentence(kind)}

    Arguments:
        out: The folder to write the scores to; an unfinished one is continued (by DRD and ELBO).
        seed: The proxy's or the noise's seed.
        proxies: How many proxies are averaged.
        device: auto, or a torch device.
    """
    return command
