"""The studies by name; nothing heavy is imported until one is used."""

from __future__ import annotations

from typing import Any

from ..core.registry import Deferred, Registry

__all__ = ["STUDIES"]


def _study(module: str, name: str, about: str) -> Deferred:
    return Deferred(f"{__package__}.studies.{module}:{name}", about)


STUDIES: Registry[type[Any]] = Registry(
    "study",
    "drd_plugin.studies",
    {
        "comparison": _study("comparison", "Comparison", "Tables of accuracies, of paired differences, and of costs."),
        "cross_evaluation": _study(
            "cross_evaluation", "CrossEvaluation", "Networks trained on each part of a ranking and tested on all."
        ),
        "mixed": _study("budgets", "EqualBudgets", "Trains with every method until a budget is spent."),
        "noise": _study("noise", "Noise", "Detection of planted noise, and accuracy with it."),
        "separation": _study("separation", "Separation", "How the strata of a score separate in features."),
        "stability": _study("stability", "Stability", "Compares each method's score between seeds and proxies."),
        "windows": _study("windows", "Windows", "A comparison of windows, laid out by their starts."),
    },
)
