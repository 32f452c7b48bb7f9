"""`list` and `show`: what can be named, and what an artefact is."""

import json
import re
from collections.abc import Sequence
from inspect import getdoc
from pathlib import Path
from pprint import pformat
from typing import Annotated, Any

import tyro

from ..artifacts import ArtifactError, Scores, Subset
from ..artifacts.reliability import verdict
from ..bench.grid import grid_names
from ..data import DATASETS
from ..methods import METHODS
from ..scores import SCORES
from ..strategies import STRATEGIES
from .deepcore import SOURCE, show_imported

__all__ = ["first_sentence", "list_", "show"]


def list_() -> None:
    """Show the data sets, scores, strategies, methods, nets and grids that can be named."""
    from tabulate import tabulate

    from ..training.nets import NETS

    kinds: list[tuple[str, Any]] = [
        ("data sets", DATASETS),
        ("scores", SCORES),
        ("strategies", STRATEGIES),
        ("nets", NETS),
    ]
    for title, registry in kinds:
        print(title)
        rows = [(name, first_sentence(thing)) for name, thing in registry.items()]
        if registry is DATASETS:
            rows.append(
                ("hf:NAME", "A labelled image set of the Hugging Face hub, or saved by its `datasets` package.")
            )
        print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]), end="\n\n")
    print("methods (any SCORE+STRATEGY is one too; settings in brackets: DRD[draws=16])")
    print(
        tabulate(
            [(name, *map(repr, m.definition)) for name, m in METHODS.items()],
            tablefmt="plain",
            maxcolwidths=[None, 60, 60],
        )
    )
    print("\ngrids")
    print(tabulate(list(grid_names().items()), tablefmt="plain"))


def show(path: Annotated[Path, tyro.conf.Positional]) -> None:
    """Show what an artefact is and where it came from: scores, a subset, the results of a grid, or a denoiser.

    Arguments:
        path: The folder or file.
    """
    if path.suffix == ".json" and path.is_file():
        _show_subset(Subset.load(path))
    elif (path / "grid.json").exists():
        from ..bench.store import RunStore
        from ..bench.table import markdown

        store = RunStore(path)
        if json.loads((path / "grid.json").read_text()) == SOURCE:
            show_imported(store)
            return
        print(markdown(store.latest(), store.left_out))
        _details(json.loads((path / "grid.json").read_text()))
    elif (path / "card.json").exists():
        _details(json.loads((path / "card.json").read_text()))
    elif list(path.glob("part-*.parquet")):
        _show_scores(Scores.load(path))
    else:
        raise ArtifactError(
            f"{path} holds nothing to show: expected a folder of scores, of a grid's results or of a denoiser, or a "
            "subset's JSON file."
        )


def _show_subset(subset: Subset) -> None:
    from tabulate import tabulate

    rows = [
        ("subset by", subset.method),
        ("examples", f"{len(subset)} of {subset.n}"),
        ("made for", subset.fingerprint),
    ]
    print(tabulate(rows, tablefmt="plain"))
    _details({"chosen": dict(subset.chosen), "provenance": dict(subset.provenance)})


def _show_scores(scores: Scores) -> None:
    from tabulate import tabulate

    rows = [
        ("scores", scores.name),
        ("examples", len(scores)),
        ("made for", scores.fingerprint),
        ("harder is", "higher" if scores.higher_is_harder else "lower"),
        ("estimates each", scores.estimates.shape[1]),
        ("min, quartiles, max", [float(f"{q:.5g}") for q in _quantiles(scores)]),
        ("distinct values", len(set(scores.values.tolist()))),
        ("mean standard error", "-" if scores.stderr is None else f"{scores.stderr.mean():.4g}"),
        ("reliability", verdict(scores.reliability, scores.estimates.shape[1], scores.drawn)),
    ]
    print(tabulate(rows, tablefmt="plain"))
    _details(dict(scores.provenance))


def _details(content: dict[str, Any]) -> None:
    print(pformat(content, width=120, compact=True, sort_dicts=False))


def _quantiles(scores: Scores) -> Sequence[float]:
    import numpy as np

    return np.quantile(scores.values, [0, 0.25, 0.5, 0.75, 1]).tolist()


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join((getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.]) ", paragraph)[0]
