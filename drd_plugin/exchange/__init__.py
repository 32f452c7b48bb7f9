"""From other tools: score files that were made elsewhere."""

from .importing import import_scores

__all__ = ["import_scores"]
