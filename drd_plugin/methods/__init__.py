"""Methods: a score and a strategy under one name, and names to methods."""

from .published import (
    METHODS,
    OWN_STRATEGIES,
    PUBLISHED,
    Method,
    configure,
    matches,
    parse,
    parse_score,
    parse_strategy,
)
from .selector import Selector

__all__ = [
    "METHODS",
    "OWN_STRATEGIES",
    "PUBLISHED",
    "Method",
    "Selector",
    "configure",
    "matches",
    "parse",
    "parse_score",
    "parse_strategy",
]
