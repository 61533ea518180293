"""One landing of a blob, however many processes ask for it."""

from __future__ import annotations

import os
import secrets
import stat
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modeldeps.progress import Reporter
from modeldeps.store import _lock, _trust
from modeldeps.store._landing import Landing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.store._layout import Layout

PATIENCE = 120.0
"""Seconds without a new byte after which the work of another process is not waited for any longer."""
_PAUSE = 0.05
"""Seconds between two looks at what another process does."""
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_SAFE = getattr(os, "O_NOFOLLOW", 0)


def land(  # noqa: PLR0913 - each has its name
    layout: Layout,
    file: File,
    fill: Callable[[Landing], None],
    *,
    landed: Callable[[], bool],
    stamps: _trust.Stamps,
    reporter: Reporter | None = None,
) -> None:
    """
    Make a blob out of what `fill` writes and proves, or wait for another process that is at it.

    `landed` tells whether the blob is there. Raises what `fill` raises, and OSError.
    """
    layout.prepare()
    with _turn(layout, file, landed, reporter or Reporter()) as lock:
        if landed():
            return
        shared = lock is not None and lock.proven
        path, handle = _open(layout.partial, file.sha256, shared=shared)
        landing = Landing(file, path, handle)
        try:
            landing.resume()
            fill(landing)
            landing.publish(layout.blob(file.sha256), stamps)
        finally:
            _leave(landing, keep=shared)


def _leave(landing: Landing, *, keep: bool) -> None:
    """Close a part file; one that nobody could go on with is removed."""
    empty = landing.kept == 0
    landing.close()
    if not keep or empty:
        landing.path.unlink(missing_ok=True)


@contextmanager
def _turn(
    layout: Layout, file: File, landed: Callable[[], bool], reporter: Reporter
) -> Iterator[_lock.Lock | None]:
    """Hold the lock of a blob; go on without one where it can't be had in time, or not at all."""
    path = layout.partial / f"{file.sha256}.lock"
    watch = _Watch(layout.partial / file.sha256, reporter)
    lock = None
    try:
        while (lock := _lock.acquire(path)) is None and not landed() and watch.patient():
            time.sleep(_PAUSE)
    except OSError:
        lock = None  # no locks here, or another user's lock file: the part file will be one of our own
    finally:
        watch.end()
    try:
        yield lock
    finally:
        if lock is not None:
            lock.release()


class _Watch:
    """Look on while another process fetches, and show its progress."""

    def __init__(self, part: Path, reporter: Reporter) -> None:
        self._part = part
        self._reporter = reporter
        self._shown = 0
        self._since = 0.0

    def patient(self) -> bool:
        """Tell whether the other process still gets on."""
        now = time.monotonic()
        if not self._since:
            self._since = now
            self._reporter.note("another process is fetching the same file; waiting for it")
        size = self._size()
        if size != self._shown:
            self._reporter.advance(size - self._shown)
            self._shown, self._since = size, now
        return now - self._since < PATIENCE

    def _size(self) -> int:
        """Return the bytes of all part files of the blob."""
        parts = self._part.parent.glob(f"{self._part.name}*")
        try:
            return sum(one.lstat().st_size for one in parts)
        except OSError:
            return self._shown  # one was just renamed

    def end(self) -> None:
        """Take back what was shown: whoever goes on counts for himself."""
        self._reporter.advance(-self._shown)


def _open(folder: Path, digest: str, *, shared: bool) -> tuple[Path, int]:
    """Open the part file of a blob: the one that an earlier run left, or a new one that nobody else knows."""
    if shared:
        path = folder / digest
        if _mine(path):
            return path, os.open(path, _FLAGS | _SAFE, 0o644)
        path.unlink(missing_ok=True)
        return path, os.open(path, _FLAGS | _SAFE | os.O_EXCL, 0o644)  # not one that was put there since
    path = folder / f"{digest}.{os.getpid()}-{secrets.token_hex(8)}"
    return path, os.open(path, _FLAGS | _SAFE | os.O_EXCL, 0o644)


def _mine(path: Path) -> bool:
    """Tell whether a part file can be gone on with: it has one name, and is this user's own."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != _trust.user():
        return False
    if not status.st_mode & stat.S_IWUSR:
        path.chmod(0o644)  # a run was killed between the seal and the name
    return True
