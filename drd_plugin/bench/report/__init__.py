"""One HTML page of an experiment's results, which needs nothing but itself."""

from .page import report_page

__all__ = ["report_page"]
