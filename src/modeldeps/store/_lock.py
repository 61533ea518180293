"""A lock that dies with its owner. It is a hint that saves work; nothing is right only because of it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.store._mounts import is_network

if TYPE_CHECKING:
    from pathlib import Path

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True)
class Lock:
    """A lock file that this process holds."""

    path: Path
    """The file; removed when the lock is released."""
    handle: int
    """Its open handle; the lock lives as long as it."""
    proven: bool
    """A second request for it was refused, on a file system of this machine: it does keep others out."""

    def release(self) -> None:
        """Let others in; the file goes first, so that whoever waited for it looks again."""
        try:
            if os.name != "nt" and _is(self.path, self.handle):
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self.handle)


def acquire(path: Path) -> Lock | None:
    """Take a lock without waiting; None where somebody else has it. Raises OSError."""
    handle = os.open(path, _FLAGS, 0o666)
    try:
        if _take(handle) and _is(path, handle):
            return Lock(path, handle, proven=_refused_twice(path) and not is_network(path))
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _is(path: Path, handle: int) -> bool:
    """Tell whether a path still means the file that was opened."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(handle))
    except OSError:
        return False


def _refused_twice(path: Path) -> bool:
    """Tell whether a second request is refused; on some network file systems a lock does nothing."""
    handle = os.open(path, _FLAGS, 0o666)
    try:
        return not _take(handle)
    finally:
        os.close(handle)
