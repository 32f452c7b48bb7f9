"""Static and dynamic selection under one budget: rows, how they are made, and their tables."""

from .cells import Budget
from .row import MixedRun
from .run import run_mixed
from .table import mixed_markdown, mixed_summary, speed_up

__all__ = ["Budget", "MixedRun", "mixed_markdown", "mixed_summary", "run_mixed", "speed_up"]
