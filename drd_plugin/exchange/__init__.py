"""To and from other tools: score files that were made elsewhere, and what a subset becomes outside."""

from .exporting import as_hf, as_torch, check_empty, export_subset
from .importing import import_scores

__all__ = ["as_hf", "as_torch", "check_empty", "export_subset", "import_scores"]
