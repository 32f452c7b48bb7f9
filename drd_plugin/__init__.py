"""Core-set selection for deep learning: DRD and its baselines on one harness.

    import drd_plugin as drd

    data = drd.load("digits")
    subset = drd.select(data.train, "DRD", fraction=0.1, seed=0)
    result = drd.train(data.train, drd.Recipe(), seed_init=0, seed_order=0, indices=subset.indices, test=data.test)

Nothing heavy is imported until a name is used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "artifacts": ("Scores", "Subset"),
    "bench.grid": ("find_grid",),
    "bench.plots": ("plot_accuracy",),
    "bench.run": ("run_grid",),
    "bench.table": ("table",),
    "data": ("DATASETS", "Split", "from_arrays", "load"),
    "engine": ("score",),
    "methods": ("METHODS", "parse"),
    "scores": ("SCORES",),
    "strategies": ("STRATEGIES",),
    "training.loop": ("train",),
    "training.recipe": ("Recipe",),
    "selection": ("select",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__]
