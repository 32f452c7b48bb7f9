"""Adds this library's methods and data sets to DeepCore, whether it is imported already or later."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import ModuleType

__all__ = ["method_names", "register_datasets", "register_methods", "watch"]


def watch() -> None:
    """Registers everything as soon as DeepCore is imported, and at once where it is already."""
    from wrapt import register_post_import_hook

    register_post_import_hook(_warn_of_impostor, "deepcore")
    register_post_import_hook(register_methods, "deepcore.methods")
    register_post_import_hook(register_datasets, "deepcore.datasets")


def register_methods(module: ModuleType) -> None:
    """Adds a class for each method to `deepcore.methods`; names that it has already stay as they are."""
    from .methods import method_class

    for name in method_names():
        vars(module).setdefault(name, method_class(name, module.CoresetMethod))


def register_datasets(module: ModuleType) -> None:
    """Adds the data sets that DeepCore lacks to `deepcore.datasets`; names that it has already stay as they are."""
    from . import datasets

    for name in datasets.__all__:
        vars(module).setdefault(name, getattr(datasets, name))


def method_names() -> Iterator[str]:
    """The names of the published methods, and of all pairs of a score and a strategy."""
    from ..methods.published import OWN_STRATEGIES, PUBLISHED
    from ..scores import SCORES
    from ..strategies import STRATEGIES

    yield from PUBLISHED
    for score in dict.fromkeys([*PUBLISHED, *SCORES]):
        for strategy in dict.fromkeys([*OWN_STRATEGIES, *STRATEGIES]):
            yield f"{score}+{strategy}"


def _warn_of_impostor(module: ModuleType) -> None:
    from .host import available, impostor

    if not available():
        warnings.warn(f"{impostor()} No method was added to it.", stacklevel=2)
