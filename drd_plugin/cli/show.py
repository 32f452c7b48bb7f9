"""`show`: what an artefact is and where it came from."""

from collections.abc import Mapping
from pathlib import Path
from pprint import pformat
from typing import Annotated, Any

import numpy as np
import tyro
from tabulate import tabulate

from .. import bench, factors
from ..artifacts import ArtifactError, Scores, Subset, read_json
from ..artifacts.reliability import verdict
from .deepcore import SOURCE, show_imported
from .factors import table_of_factors

__all__ = ["show"]


def show(path: Annotated[Path, tyro.conf.Positional], provenance: bool = False) -> None:
    """Show what an artefact is and where it came from: scores, a subset, factors, the results of a grid, or a denoiser.

    Arguments:
        path: The folder or file.
        provenance: Show all that is known of how scores, a subset or factors were made.
    """
    if path.suffix == ".json" and path.is_file():
        _show_subset(Subset.load(path), provenance)
    elif (path / "grid.json").exists():
        store = bench.RunStore(path)
        if store.grid == SOURCE:
            show_imported(store)
        else:
            print(bench.read_results(path).text)
    elif (path / "card.json").exists():
        _show_denoiser(read_json(path / "card.json", "put back a copy of it, or fit the denoiser again"))
    elif (path / "factors.json").exists():
        loaded = factors.Factors.load(path)
        print(table_of_factors(loaded))
        _details(loaded.provenance, provenance)
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


def _show_scores(scores: Scores, details: bool) -> None:
    provenance = scores.provenance
    quartiles = np.quantile(scores.values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    rows = [
        ("scores", scores.name),
        ("examples", len(scores)),
        ("made for", scores.fingerprint),
        ("harder is", "higher" if scores.higher_is_harder else "lower"),
        ("estimates each", scores.estimates.shape[1]),
        ("min, quartiles, max", [float(f"{q:.5g}") for q in quartiles]),
        ("distinct values", len(set(scores.values.tolist()))),
        ("mean standard error", "-" if scores.stderr is None else f"{scores.stderr.mean():.4g}"),
        ("reliability", verdict(scores.reliability, scores.estimates.shape[1], scores.unit)),
        ("made with", _short(provenance.get("score"))),
        *((name, _short(value)) for name, value in provenance.get("settings", {}).items()),
        ("seed", provenance.get("seed")),
        ("seconds", provenance.get("seconds")),
    ]
    print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]))
    _details(provenance, details)


def _show_denoiser(card: Mapping[str, Any]) -> None:
    rows = [(name.replace("_", " "), _short(value)) for name, value in card.items()]
    print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100], disable_numparse=True))


def _short(value: Any) -> str:
    """A value in a line or a few."""
    if isinstance(value, Mapping):
        inside = (f"{key}={_short(inner)}" for key, inner in value.items() if key != "name")
        return f"{value.get('name', '')}({', '.join(inside)})"
    return str(value)


def _details(content: Mapping[str, Any], details: bool) -> None:
    if not details:
        print("All that is known of how it was made: show it with --provenance.")
        return
    print(pformat(dict(content), width=120, compact=True, sort_dicts=False))
