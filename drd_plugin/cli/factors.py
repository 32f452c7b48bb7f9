"""`factors`: the factors of a data set, found by a sparse autoencoder."""

from pathlib import Path

import numpy as np
import tyro
from tabulate import tabulate

from .. import factors as room
from ..factors.autoencoder import Autoencoder
from ..training.names import NETS
from ..training.recipe import PROXY, Recipe
from .data import Data
from .early import check_early

__all__ = ["factors", "table_of_factors"]


def factors(
    data: tyro.conf.OmitArgPrefixes[Data],
    out: Path,
    features: str = "proxy",
    autoencoder: tyro.conf.OmitArgPrefixes[Autoencoder] = Autoencoder(),
    proxy: Recipe = PROXY,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Find the factors of a data set: the units of a sparse autoencoder of its features, how frequent each is, and how
    representative and how rare they make each example.

    Arguments:
        out: The folder to write to; finished factors in it are read, not computed again.
        features: proxy, torchvision:NAME, timm:NAME, minilm (for texts), or a .npy or safetensors file of numbers
            [n, d].
        proxy: How the proxy that gives the features is trained, in epochs.
        seed: Determines the proxy, the autoencoder's first directions and the order of the examples.
        device: auto, or a torch device.
    """
    check_early(data, out, seed)
    NETS.check(proxy.net)
    source = room.find_source(features, proxy)
    split = data.load().train
    result = room.factors_into(out, split, source, autoencoder, seed, device)
    print(table_of_factors(result))
    units, texts = room.pick_units(result, split), getattr(split, "texts", None)
    sheet = out / ("factors.png" if texts is None else "factors.md")
    if texts is None:
        room.draw_sheet(units, split, sheet)
    else:
        room.write_table(units, texts, sheet)
    print(f"What the units look like: {sheet}")


def table_of_factors(factors: "room.Factors") -> str:
    """A text table of the autoencoder's quality and of how frequent its units are."""
    quality, settled, p = factors.provenance["quality"], factors.provenance["settled"], factors.frequency
    low, *middle, high = (f"{100 * q:.3g}" for q in np.quantile(p[p > 0], [0, 0.1, 0.5, 0.9, 1]))
    rows = [
        ("examples", f"{len(factors)} of {factors.fingerprint}"),
        ("units", f"{settled['units']}, {settled['k']} active at most"),
        ("explained variance", f"{100 * quality['explained_variance']:.1f} %"),
        ("active units (L0)", f"{quality['l0']:g} on average, none for {100 * quality['without_factors']:.2g} %"),
        ("dead units", f"{100 * quality['dead']:.1f} %"),
        ("share of a living unit", f"{low} to {high} % of the examples; deciles 1, 5 and 9: {', '.join(middle)} %"),
        ("seconds", ", ".join(f"{stage} {spent:.1f}" for stage, spent in factors.provenance["seconds"].items())),
    ]
    return tabulate(rows, tablefmt="plain")
