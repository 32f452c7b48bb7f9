"""`import-scores` and `export-subset`: to and from other tools."""

from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from .. import exchange
from ..artifacts import ArtifactError, Subset
from .data import Data
from .score import print_scores

__all__ = ["export_subset", "import_scores"]


def import_scores(
    file: Annotated[Path, tyro.conf.Positional],
    data: Data,
    name: str,
    out: Path,
    harder: Literal["higher", "lower"] | None = None,
    column: str = "score",
    index: str | None = None,
    key: str | None = None,
    labels: str | None = None,
    ranks: bool = False,
    order: bool = False,
) -> None:
    """Make a folder of scores from a file of another tool: a CSV, an array (.npy), or a dictionary (.pt, .npz, .json)
    of CCS or D2 pruning, say.

    Arguments:
        file: The file; its ending says the format.
        name: What the score is called: AUM, Forgetting, ..., or a new name.
        out: The folder to write the scores to, empty or absent.
        harder: Which values are hard; those of a registered score by default.
        column: The column of a CSV with the scores.
        index: The column or entry with the positions in the data set, from 0, or with the names of a folder's images;
            of a .npy file, another one with the positions of its values. By default index, or an entry indices.
        key: The entry of a dictionary; by default what CCS calls the score.
        labels: The column or entry with the labels; by default each that is called label, target, class or the like.
        ranks: A permutation of 0..n-1 is the rank of each example, and is taken as the score.
        order: The file lists the examples from the lowest score to the highest; the scores are their ranks.
    """
    data.check()
    exchange.check_empty(out)
    higher = None if harder is None else harder == "higher"
    settings: dict[str, Any] = {"name": name, "higher_is_harder": higher, "column": column, "index": index, "key": key}
    settings |= {"labels": labels, "ranks": ranks, "order": order}
    exchange.check_import(file, **settings)
    scores = exchange.import_scores(file, data.load().train, **settings)
    scores.save(out)
    print_scores(scores, out)


def export_subset(
    subset: Annotated[Path, tyro.conf.Positional],
    to: Literal["json", "npy", "list", "links"],
    out: Path,
    dataset: str | None = None,
    root: Path | None = None,
    size: int | None = None,
    mode: str | None = None,
    background: str | None = None,
) -> None:
    """Write a subset for another tool.

    Arguments:
        subset: The JSON file that `drd-plugin select` wrote.
        to: The indices as a JSON list or an array (npy), the paths of the images as a list, or a folder of links to
            them.
        out: The file, or the folder of links, to write.
        dataset: The data set, for list and links; the one that was scored by default.
        root: Where the data lie.
        size: Size of a folder's images, as they were scored.
        mode: rgb or grey, as they were scored.
        background: The colour behind their transparent pixels, as they were scored.
    """
    chosen = Subset.load(subset)
    if out.exists() and out.samefile(subset):
        raise ArtifactError(f"{out} is the subset itself, which says where it came from: give another file to write.")
    split = None
    if to in ("list", "links"):
        split = Data(dataset or _dataset(chosen), root, size, mode=mode, background=background).load().train
    exchange.export_subset(chosen, out, to, split)
    print(f"{len(chosen)} of {chosen.n} examples by {chosen.method}, in {out}")
    if chosen.weights is not None and to != "npy":
        print(f"Their weights stay in {subset}; --to npy writes weights too.")


def _dataset(subset: Subset) -> str:
    """The name of the data set that was scored."""
    provenance = (subset.provenance.get("score") or {}).get("provenance") or {}
    if "dataset" not in provenance:
        raise ArtifactError("the subset does not say which data set it was selected from: give it with --dataset.")
    return provenance["dataset"]
