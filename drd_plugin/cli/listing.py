"""`list` and `show`: what can be named, and what an artefact is."""

import json
import re
from collections.abc import Mapping, Sequence
from inspect import getdoc
from pathlib import Path
from pprint import pformat
from typing import Annotated, Any

import tyro

from ..artifacts import ArtifactError, Scores, Subset
from ..artifacts.reliability import verdict
from ..data import DATASETS
from ..methods import METHODS, OWN_STRATEGIES
from ..scores import SCORES
from ..strategies import STRATEGIES
from .deepcore import SOURCE, show_imported

__all__ = ["first_sentence", "list_", "show"]


def list_() -> None:
    """Show what can be named: data sets, scores, strategies, nets, feature spaces, methods of both kinds and grids."""
    from tabulate import tabulate

    from ..bench.experiment import experiments
    from ..dynamic import DYNAMIC
    from ..dynamic.factors import FEATURES
    from ..training.nets import NETS

    kinds: list[tuple[str, Any]] = [
        ("data sets", DATASETS),
        ("scores", SCORES),
        ("strategies", STRATEGIES),
        ("nets", NETS),
        ("feature spaces", FEATURES),
        ("dynamic methods (settings in brackets: UCB[c=2])", DYNAMIC),
    ]
    for title, registry in kinds:
        print(title)
        rows = [(name, first_sentence(thing)) for name, thing in registry.items()]
        if registry is DATASETS:
            rows.append(
                ("hf:NAME", "Labelled images or texts of the Hugging Face hub, or saved by its `datasets` package.")
            )
        if registry is STRATEGIES:
            rows += [
                (name, f"What the method has: {of}.") for name, of in OWN_STRATEGIES.items() if name not in STRATEGIES
            ]
        if registry is FEATURES:
            rows += [(f"{name}:NAME", f"A pretrained network of {name}.") for name in ("torchvision", "timm")]
            rows.append(("PATH", "A .npy or safetensors file of numbers [n, d], by index."))
        print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]), end="\n\n")
    print("methods (any SCORE+STRATEGY is one too; settings in brackets: DRD[draws=16])")
    print(
        tabulate(
            [(name, *map(repr, m.definition)) for name, m in METHODS.items()],
            tablefmt="plain",
            maxcolwidths=[None, 60, 60],
        )
    )
    print("\nexperiments (`drd-plugin bench --list` says what each costs)")
    print(tabulate([(name, about) for name, about, _ in experiments()], tablefmt="plain", maxcolwidths=[None, 100]))


def show(path: Annotated[Path, tyro.conf.Positional], provenance: bool = False) -> None:
    """Show what an artefact is and where it came from: scores, a subset, factors, the results of a grid, or a denoiser.

    Arguments:
        path: The folder or file.
        provenance: Show all that is known of how scores, a subset or factors were made.
    """
    if path.suffix == ".json" and path.is_file():
        _show_subset(Subset.load(path), provenance)
    elif (path / "grid.json").exists():
        from ..bench.results import read_results
        from ..bench.store import RunStore

        if json.loads((path / "grid.json").read_text()) == SOURCE:
            show_imported(RunStore(path))
            return
        print(read_results(path).text)
    elif (path / "card.json").exists():
        _show_denoiser(json.loads((path / "card.json").read_text()))
    elif (path / "factors.json").exists():
        from ..dynamic.factors import Factors
        from .factors import table_of_factors

        found = Factors.load(path)
        print(table_of_factors(found))
        _details(found.provenance, provenance)
    elif list(path.glob("part-*.parquet")):
        _show_scores(Scores.load(path), provenance)
    elif not path.exists():
        raise ArtifactError(f"there is no {path}.")
    elif (path / "plan.json").exists():
        raise ArtifactError(f"{path} holds scores that are not finished: run the command that began them again.")
    elif inside := sorted({part.parent for part in path.glob("*/part-*.parquet")}):
        raise ArtifactError(f"{path} holds folders of scores, show one of them: {', '.join(map(str, inside))}.")
    else:
        raise ArtifactError(
            f"{path} holds nothing to show: expected a folder of scores, of factors, of a grid's results or of a "
            "denoiser, or a subset's JSON file."
        )


def _show_subset(subset: Subset, provenance: bool) -> None:
    from tabulate import tabulate

    rows = [
        ("subset by", subset.method),
        ("examples", f"{len(subset)} of {subset.n}"),
        ("made for", subset.fingerprint),
        *((name, _short(value)) for name, value in subset.chosen.items()),
        ("strategy", _short(subset.provenance.get("strategy"))),
        ("seed", subset.provenance.get("seed")),
    ]
    print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]))
    _details(subset.provenance, provenance)


def _show_scores(scores: Scores, provenance: bool) -> None:
    from tabulate import tabulate

    made = scores.provenance
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
        ("made with", _short(made.get("score"))),
        *((name, _short(value)) for name, value in made.get("settings", {}).items()),
        ("seed", made.get("seed")),
        ("seconds", made.get("seconds")),
    ]
    print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]))
    _details(made, provenance)


def _show_denoiser(card: Mapping[str, Any]) -> None:
    from tabulate import tabulate

    rows = [(name.replace("_", " "), _short(value)) for name, value in card.items()]
    print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100], disable_numparse=True))


def _short(value: Any) -> str:
    """A value in a line or a few."""
    if isinstance(value, Mapping):
        inside = (f"{key}={_short(of)}" for key, of in value.items() if key != "name")
        return f"{value.get('name', '')}({', '.join(inside)})"
    return str(value)


def _details(content: Mapping[str, Any], wanted: bool = True) -> None:
    if not wanted:
        print("All that is known of how it was made: show it with --provenance.")
        return
    print(pformat(dict(content), width=120, compact=True, sort_dicts=False))


def _quantiles(scores: Scores) -> Sequence[float]:
    import numpy as np

    return np.quantile(scores.values, [0, 0.25, 0.5, 0.75, 1]).tolist()


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring."""
    paragraph = " ".join((getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=[.]) ", paragraph)[0]
