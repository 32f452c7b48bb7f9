"""Strategies: each selects a subset from scores and a budget."""

from ..core.registry import Registry
from .base import Selection, Strategy, budget_of, class_budgets
from .best_window import BestWindow
from .beta_sampling import BetaSampling
from .class_quotas import ClassQuotas
from .d2 import D2
from .hardest import Hardest
from .per_class import PerClass
from .strata import Strata
from .window import Window
from .workbench import Workbench

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
    "budget_of",
    "class_budgets",
]

STRATEGIES: Registry[type[Strategy]] = Registry(
    "strategy",
    "drd_plugin.strategies",
    {c.__name__: c for c in (Hardest, Strata, Window, BestWindow, D2, BetaSampling, PerClass, ClassQuotas)},
)
