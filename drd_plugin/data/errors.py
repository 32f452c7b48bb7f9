"""The error of this room."""

__all__ = ["DataError"]


class DataError(ValueError):
    """Data that cannot be used: missing, unreadable, wrongly labelled, or of the wrong shape."""
