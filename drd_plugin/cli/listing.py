"""`list`: the names that other commands take."""

from tabulate import tabulate

from .. import bench
from ..core.registry import Registry
from ..data import DATASETS
from ..dynamic.names import DYNAMIC
from ..factors.sources import FEATURES
from ..methods import METHODS, OWN_STRATEGIES
from ..scores import SCORES
from ..strategies import STRATEGIES
from ..training.names import NETS

__all__ = ["list_"]

FAMILIES = {
    "data sets": [("hf:NAME", "Labelled images or texts of the Hugging Face hub, or saved by its `datasets` package.")],
    "strategies": [
        (name, f"What the method has: {s}.") for name, s in OWN_STRATEGIES.items() if name not in STRATEGIES
    ],
    "feature spaces": [
        *((f"{name}:NAME", f"A pretrained network of {name}.") for name in ("torchvision", "timm")),
        ("PATH", "A .npy or safetensors file of numbers [n, d], by index."),
    ],
}
"""Names that are no entries of a registry, with what they are, by the title of their list."""


def list_() -> None:
    """Show what can be named: data sets, scores, strategies, nets, feature spaces, methods of both kinds and grids."""
    registries: dict[str, Registry] = {
        "data sets": DATASETS,
        "scores": SCORES,
        "strategies": STRATEGIES,
        "nets": NETS,
        "feature spaces": FEATURES,
        "dynamic methods (settings in brackets: UCB[c=2])": DYNAMIC,
    }
    for title, registry in registries.items():
        print(title)
        rows = [(name, registry.about(name)) for name in registry] + FAMILIES.get(title, [])
        print(tabulate(rows, tablefmt="plain", maxcolwidths=[None, 100]), end="\n\n")
    print("methods (any SCORE+STRATEGY is one too; settings in brackets: DRD[draws=16])")
    methods = [(name, *map(repr, method.spec)) for name, method in METHODS.items()]
    print(tabulate(methods, tablefmt="plain", maxcolwidths=[None, 60, 60]))
    print("\nexperiments (`drd-plugin bench --list` says what each costs)")
    experiments = [(file.path.stem, file.about) for file in bench.experiments()]
    print(tabulate(experiments, tablefmt="plain", maxcolwidths=[None, 100]))
