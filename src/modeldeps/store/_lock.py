"""A lock that dies with its owner. It is a hint that saves work; nothing is right only because of it."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.store._holder import Holder
from modeldeps.store._mounts import is_network

if TYPE_CHECKING:
    from pathlib import Path

_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
_PLAIN |= getattr(os, "O_BINARY", 0)
_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_KEEPING: dict[int, bool] = {}
"""By the number of a file system: a lock there keeps others out."""
PULSE = 5.0
"""Seconds between two signs of life."""
_BYTE = 1 << 30
"""The byte that Windows locks; it lies far behind the words, since nobody else can read a locked one."""

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> bool:
        os.lseek(handle, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(handle, 0, os.SEEK_SET)
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
    opened: os.stat_result
    """What its handle was opened on."""

    def release(self) -> None:
        """Let others in; the file goes first, so that whoever waited for it looks again."""
        try:
            if os.name != "nt" and _is(self.path, self.opened):
                with suppress(OSError):  # such as another user's, left by a process that was killed
                    self.path.unlink(missing_ok=True)
        finally:
            with suppress(OSError):
                os.close(self.handle)


class Pulse:
    """Shows those who wait for a lock that its holder is at work, though nothing else tells."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0

    def __call__(self) -> None:
        """Touch the lock file, now and then."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PULSE
            with suppress(OSError, NotImplementedError):  # it was another user's, or is gone
                os.utime(self._path)


def acquire(path: Path) -> Lock | None:
    """
    Take a lock without waiting; None where somebody else has it. Raises OSError.

    The file then tells who holds it (`holder`).
    """
    handle, is_new = _open(path)
    try:
        opened = os.fstat(handle)
        if is_new:
            _let_all_wait(handle, opened)
        if _take(handle) and _is(path, opened):
            Holder.this().write(handle, opened)
            return Lock(path, handle, _keeps_out(path, opened.st_dev), opened)
    except BaseException as error:
        if isinstance(error, OSError) and _is(path, os.fstat(handle)):  # nobody can lock it here
            with suppress(OSError):
                path.unlink()
        os.close(handle)
        raise
    os.close(handle)
    return None


def holder(path: Path) -> Holder | None:
    """Return who took a lock last, as its file tells, or None. Nobody vouches for the words."""
    try:
        handle = os.open(path, os.O_RDONLY | _PLAIN)
    except OSError:
        return None
    try:
        return Holder.read(handle)
    finally:
        os.close(handle)


def _open(path: Path) -> tuple[int, bool]:
    """
    Open a lock file, another user's too, or make it; tell if it was made.

    It is not opened with O_CREAT where it is there: in sticky folders Linux refuses that for files
    of others (proc_sys_fs(5), protected_regular). A handle that only reads can lock as well.
    """
    for _ in range(100):
        for flags in (os.O_RDWR | os.O_CREAT | os.O_EXCL, os.O_RDWR, os.O_RDONLY):
            try:
                return os.open(path, flags | _PLAIN, 0o666), bool(flags & os.O_CREAT)
            except PermissionError:  # noqa: PERF203 - three tries
                if flags == os.O_RDONLY:
                    raise
            except (FileNotFoundError, FileExistsError):
                continue  # it is not there, or no longer, or by now
    raise FileNotFoundError(2, "is made and removed all the time", str(path))


def _let_all_wait(handle: int, opened: os.stat_result) -> None:
    """Let other users read a new lock file, whatever the umask says: reading is enough to wait for it."""
    mode = stat.S_IMODE(opened.st_mode)
    if mode & _READ != _READ and hasattr(os, "fchmod"):
        with suppress(OSError):
            os.fchmod(handle, mode | _READ)


def _is(path: Path, opened: os.stat_result) -> bool:
    """Tell whether a path still means the file that was opened."""
    try:
        return os.path.samestat(os.lstat(path), opened)
    except OSError:
        return False


def _keeps_out(path: Path, device: int) -> bool:
    """Tell whether a lock on this file system does keep others out; found out once for each."""
    if device not in _KEEPING:
        _KEEPING[device] = _refused_twice(path) and not is_network(path)
    return _KEEPING[device]


def _refused_twice(path: Path) -> bool:
    """Tell whether a second request is refused; on some network file systems a lock does nothing."""
    handle = os.open(path, os.O_RDONLY | _PLAIN)
    try:
        return not _take(handle)
    finally:
        os.close(handle)
