"""A lock among publishers that dies with its owner. It saves work; what is right never depends on it."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modeldeps.progress import Reporter

PATIENCE = 30.0
"""Seconds after which a publisher goes on without the lock: its owner may be stopped, or on a dead host."""
_STEP = 0.02
_TELL_AFTER = 1.0


@contextmanager
def publisher_lock(file: Path, reporter: Reporter, *, patience: float = PATIENCE) -> Iterator[bool]:
    """
    Hold the lock for a while; yield whether it was got.

    Where the file system has no locks, the file belongs to somebody else, or another publisher keeps
    it for longer than `patience` seconds, the caller goes on without. Raises OSError when the
    file can't be made.
    """
    try:
        opened = file.open("ab")
    except PermissionError:
        yield False
        return
    with opened as stream:
        got = _wait(stream, reporter, patience)
        try:
            yield got
        finally:
            if got:
                _release(stream)


def _wait(stream: IO[bytes], reporter: Reporter, patience: float) -> bool:
    start = time.monotonic()
    told = False
    while not (got := _try(stream)):
        waited = time.monotonic() - start
        if got is None or waited > patience:
            return False
        if waited > _TELL_AFTER and not told:
            reporter.note("waiting for another publisher of this channel")
            told = True
        time.sleep(_STEP)
    return True


if sys.platform == "win32":
    import msvcrt

    def _try(stream: IO[bytes]) -> bool | None:
        """Return whether the lock was got; None where it never can be."""
        try:
            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _release(stream: IO[bytes]) -> None:
        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try(stream: IO[bytes]) -> bool | None:
        """Return whether the lock was got; None where it never can be."""
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None
        return True

    def _release(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_UN)
