"""`claim()`: what is written to a place is written by one process at a time, or by several that make the same.

A claim is a lock of the operating system on a hidden file beside the place. It ends with its process, however that
ends, so that a killed one is in nobody's way. Shards on several machines share the claim to their folder. On file
systems without such locks, and on Windows, nothing is claimed.

References:
    https://man7.org/linux/man-pages/man2/flock.2.html
"""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .files import ArtifactError, reason_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["claim"]

ALONE, TOGETHER = (fcntl.LOCK_EX, fcntl.LOCK_SH) if fcntl else (0, 0)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
"""The errors of file systems without locks."""

HELD: set[IO[str]] = set()
"""The open files of the locks of this process."""


def _close_in_child() -> None:
    """Closes what a forked process inherits, so that a lock does not outlive the process that holds it."""
    while HELD:
        HELD.pop().close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)

PATIENCE = 1.0
"""Seconds to wait for a process that is just beginning or ending."""


@contextmanager
def claim(path: Path, identity: str = "") -> Iterator[None]:
    """A context in which no other process writes to a place, but for those with the same identity.

    Arguments:
        path: The file or folder that is written; its parents are made.
        identity: A digest of all that determines the content; "" to admit no other process at all.

    Raises:
        ArtifactError: If another process writes there, or the place cannot be written.
    """
    place = Path(os.path.abspath(path))
    lock = place.with_name(f".{place.name}.lock")
    file = _locked(lock, path, identity)
    HELD.add(file)
    try:
        yield
    finally:
        HELD.discard(file)
        with suppress(OSError):
            if _take(file, ALONE):
                lock.unlink()
        file.close()


def _locked(lock: Path, path: Path, identity: str) -> IO[str]:
    """The open file of the lock."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o666), "r+")
            if _join(file, identity):
                return file
            owner = _note(file)
            file.close()
        except OSError as error:
            raise ArtifactError(
                f"{path} cannot be written ({reason_of(error)}): give another place to write to."
            ) from error
        if time.monotonic() > end:
            settings = " with other settings" if identity and owner.get("identity") != identity else ""
            raise ArtifactError(
                f"another process ({owner.get('pid')} on {owner.get('host')}) is writing {path}{settings}: wait until "
                "it has ended, or give another place to write to."
            )
        time.sleep(0.02)


def _join(file: IO[str], identity: str) -> bool:
    """Whether this process holds the lock from now on: alone, or with others of the same identity."""
    if _take(file, ALONE):
        file.seek(0)
        file.truncate()
        json.dump({"identity": identity, "pid": os.getpid(), "host": platform.node()}, file)
        file.flush()
        joined = not identity or _take(file, TOGETHER)
    else:
        joined = bool(identity) and _take(file, TOGETHER)
    removed = os.fstat(file.fileno()).st_nlink == 0  # by the process that held it before
    return joined and not removed and _note(file).get("identity") == identity


def _take(file: IO[str], kind: int) -> bool:
    """Takes a lock, or changes its kind, unless another process is in the way; whether it did."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return True


def _note(file: IO[str]) -> dict[str, Any]:
    """The note of the process that holds a lock; empty while it is being written."""
    file.seek(0)
    try:
        return json.load(file)
    except ValueError:
        return {}
