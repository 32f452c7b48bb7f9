"""Digests that identify files, or contents in memory, by their sizes and three blocks of each."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from .split import DataError

__all__ = ["digest_of_content", "digests_of_files", "text_of"]

BLOCK = 1024
"""The bytes of a block; there is one at the beginning, one in the middle and one at the end."""

SLOW = 2e-4
"""The seconds that one file takes where the disk is waited for, so that threads help."""


def digests_of_files(paths: Sequence[str]) -> list[bytes]:
    """The digest of each file, 16 bytes.

    Raises:
        DataError: If a file cannot be read.
    """
    start, first = time.perf_counter(), [_of_file(path) for path in paths[:200]]
    if time.perf_counter() - start < 200 * SLOW:
        return [*first, *map(_of_file, paths[200:])]
    with ThreadPoolExecutor(32) as pool:
        return [*first, *pool.map(_of_file, paths[200:])]


def digest_of_content(content: Any) -> bytes:
    """The digest that a file with this content has; `content` has the buffer protocol."""
    view = memoryview(content)
    return _digest(len(view), lambda length, place: view[place : place + length])


def text_of(path: Path | str) -> str:
    """A path as text for messages; what is no UTF-8 in it is escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _of_file(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it is no regular file")
            return _digest(status.st_size, partial(_read, file))
        finally:
            os.close(file)
    except OSError as error:
        reason = "a link to a file that is not there" if os.path.islink(path) else str(error)
        raise DataError(f"{text_of(path)} cannot be read ({reason}): restore the file, or remove it.") from error


def _read(file: int, length: int, place: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(file, length, place)
    os.lseek(file, place, os.SEEK_SET)  # on Windows
    return os.read(file, length)


def _digest(size: int, read: Callable[[int, int], bytes | memoryview]) -> bytes:
    """The digest of a content of this size, of which `read` reads a number of bytes from a place on."""
    sha = hashlib.blake2b(size.to_bytes(8, "big"), digest_size=16)
    if size <= 3 * BLOCK:
        sha.update(read(size, 0))
    else:
        for place in (0, (size - BLOCK) // 2, size - BLOCK):
            sha.update(read(BLOCK, place))
    return sha.digest()
