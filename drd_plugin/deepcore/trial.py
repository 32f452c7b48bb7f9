"""Trials of DeepCore's methods on a few random images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import URLError

import numpy as np

from ..data import Split, from_arrays

__all__ = ["failure", "random_split"]


def random_split(shape: tuple[int, int, int] = (1, 28, 28)) -> Split:
    """Forty random images of this size in four classes."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(np.uint8)
    return from_arrays("made_up", pixels, np.arange(40) % 4)


def failure(attempt: Callable[[], Any]) -> str:
    """The error of an attempt, in a line; empty if it succeeds."""
    try:
        attempt()
    except Exception as error:
        if isinstance(error, URLError):
            return f"a download failed: {error.reason}"
        first, *_ = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {first[:120]}"
    return ""
