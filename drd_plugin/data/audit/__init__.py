"""The audit of a data set before the hours of work: what makes results wrong, and what one should know."""

from .check import audit
from .contents import Contents, Part
from .findings import Audit, Example, Finding, Share
from .listing import contents_of, list_contents
from .page import in_words
from .sheet import in_pictures

__all__ = [
    "Audit",
    "Contents",
    "Example",
    "Finding",
    "Part",
    "Share",
    "audit",
    "contents_of",
    "in_pictures",
    "in_words",
    "list_contents",
]
