"""Exchange with other tools: imported score files, and exported subsets."""

from .exporting import as_hf, as_torch, check_empty, export_subset
from .importing import check_import, import_scores

__all__ = ["as_hf", "as_torch", "check_empty", "check_import", "export_subset", "import_scores"]
