"""One self-contained HTML page of an experiment's results."""

from .page import report_page

__all__ = ["report_page"]
