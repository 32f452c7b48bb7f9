"""Strategies: each turns scores and a budget into a subset."""

from ..registry import Registry
from .base import Selection, Strategy, Workbench, class_budgets, kept
from .best_window import BestWindow
from .beta import BetaSampling
from .d2 import D2
from .hardest import Hardest
from .per_class import PerClass
from .quotas import ClassQuotas
from .strata import Strata
from .window import Window

__all__ = [
    "D2",
    "STRATEGIES",
    "BestWindow",
    "BetaSampling",
    "ClassQuotas",
    "Hardest",
    "PerClass",
    "Selection",
    "Strata",
    "Strategy",
    "Window",
    "Workbench",
    "class_budgets",
    "kept",
]

STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    "drd_plugin.strategies",
    {c.__name__: c for c in (Hardest, Strata, Window, BestWindow, D2, BetaSampling, PerClass, ClassQuotas)},
)
