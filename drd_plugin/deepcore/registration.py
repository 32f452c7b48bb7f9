"""Telling DeepCore of this library's methods and data sets, before or after it is imported."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import ModuleType

__all__ = ["add", "method_names", "register_datasets", "register_methods", "watch"]


def watch() -> None:
    """Registers everything as soon as DeepCore is imported, and at once where it is already."""
    from wrapt import register_post_import_hook

    register_post_import_hook(_warn_of_impostor, "deepcore")
    register_post_import_hook(register_methods, "deepcore.methods")
    register_post_import_hook(register_datasets, "deepcore.datasets")


def register_methods(module: ModuleType) -> None:
    """Adds a class for each method to `deepcore.methods`; names that are taken stay as they are."""
    from .methods import method_class

    for name in method_names():
        add(module, name, method_class(name, module.CoresetMethod))


def register_datasets(module: ModuleType) -> None:
    """Adds the data sets that DeepCore lacks to `deepcore.datasets`; names that are taken stay as they are."""
    from . import datasets

    for name in datasets.__all__:
        add(module, name, getattr(datasets, name))


def method_names() -> Iterator[str]:
    """The published methods, and all pairs of a score and a strategy."""
    from ..methods.published import PUBLISHED
    from ..scores import SCORES
    from ..strategies import STRATEGIES, Hardest

    yield from PUBLISHED
    own = [name for name, method in PUBLISHED.items() if method.strategy != Hardest()]
    for left in dict.fromkeys([*PUBLISHED, *SCORES]):
        for right in dict.fromkeys([*own, *STRATEGIES]):
            yield f"{left}+{right}"


def add(module: ModuleType, name: str, thing: object) -> None:
    """Adds a name to a module unless it is taken."""
    vars(module).setdefault(name, thing)


def _warn_of_impostor(module: ModuleType) -> None:
    from .host import available, impostor

    if not available():
        warnings.warn(f"{impostor()} No method was added to it.", stacklevel=2)
