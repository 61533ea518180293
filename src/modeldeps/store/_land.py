"""Who may land a blob, however many processes ask for it."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from modeldeps._frozen import dataclass
from modeldeps.digest import BLOCK
from modeldeps.errors import DigestError
from modeldeps.store import _known, _lock, _trust
from modeldeps.store._landing import Landing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.progress import Reporter
    from modeldeps.store._layout import Layout

PATIENCE = 120.0
"""Seconds without a new byte or a sign of life after which another process is not waited for any longer."""
PAUSE = 0.05
"""Seconds between two looks at what another process does."""
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_SAFE = getattr(os, "O_NOFOLLOW", 0)


class Berth:
    """The right to land one blob: its part file, and the lock that keeps others away from it."""

    def __init__(self, layout: Layout, landing: Landing, lock: _lock.Lock | None, *, shared: bool) -> None:
        self.landing = landing
        """What takes the bytes."""
        self._layout = layout
        self._lock = lock
        self._shared = shared

    def publish(self, stamps: _trust.Stamps) -> list[Path]:
        """Give the blob its name; return the folders to flush before anybody is told. Raises OSError."""
        file = self.landing.file
        folders = self.landing.publish(self._layout.blob(file.sha256), stamps)
        _known.remember(self._layout.chunks, file)
        return folders

    def leave(self) -> None:
        """
        Let others in, as soon as nobody writes any more. A part file that nobody could go on with is removed.

        One that nobody looked at yet stays: it is what an earlier run left.
        """
        keep = self._shared and (self.landing.kept > 0 or self._may_hold_more())
        self.landing.close(lambda: self._let_in(keep=keep))

    def _may_hold_more(self) -> bool:
        with suppress(OSError):
            return not self.landing.is_known and present(self.landing.path) > 0
        return False

    def _let_in(self, *, keep: bool) -> None:
        try:
            if not keep:
                with suppress(OSError):  # it is a leftover for who frees space
                    self.landing.path.unlink(missing_ok=True)
        finally:
            if self._lock is not None:
                lock, self._lock = self._lock, None
                lock.release()


@dataclass(frozen=True)
class Busy:
    """Another process is at it."""

    words: str
    """Who, as far as its lock file tells."""


def claim(
    layout: Layout,
    file: File,
    *,
    landed: Callable[[], bool],
    advance: Callable[[int], None] | None = None,
    alone: bool = False,
) -> Berth | Busy | None:
    """
    Return the right to land a blob, who has it, or None where the blob is there by now.

    `alone` asks nobody: the part file is one of our own. Raises OSError.
    """
    lock = None
    if not alone:
        path = layout.lock(file.sha256)
        try:
            lock = _lock.acquire(path)
        except OSError:
            alone = True  # no locks here, or another user's lock file: the part file will be one of our own
        if lock is None and not alone:
            return None if landed() else Busy(str(_lock.holder(path) or "another process"))
    try:
        if not landed():
            return _open(layout, file, lock, advance)
    except BaseException:
        _free(lock)
        raise
    _free(lock)  # here, so that an interrupt within can't free it twice
    return None


def _free(lock: _lock.Lock | None) -> None:
    if lock is not None:
        lock.release()


def _open(
    layout: Layout, file: File, lock: _lock.Lock | None, advance: Callable[[int], None] | None
) -> Berth:
    shared = lock is not None and lock.proven
    path, handle, is_new = _part(layout.partial, file.sha256, shared=shared)
    pulse = _lock.Pulse(lock.path) if lock is not None else None
    landing = Landing(file, path, handle, is_new=is_new, advance=advance, pulse=pulse)
    return Berth(layout, landing, lock, shared=shared)


def land(
    berth: Callable[[bool], Berth | Busy | None], fill: Callable[[Landing], None], watch: Watch
) -> Berth | None:
    """
    Return a berth with the bytes that `fill` wrote and proved, to be published and left.

    None where another process, which is waited for, made the blob. Raises what they raise.
    """
    while isinstance(found := berth(not watch.patient()), Busy):
        watch.tell(found)
        time.sleep(PAUSE)
    watch.end()
    if found is None:
        return None
    try:
        found.landing.resume()
        fill(found.landing)
    except BaseException:
        found.leave()
        raise
    return found


def copy_in(stream: BinaryIO, landing: Landing, source: str) -> None:
    """Fill a landing from an open file. Raises DigestError."""
    landing.restart()
    file = landing.file
    claims = landing.take_all()
    try:
        for claim in claims:
            claim.source = source
            while not claim.is_done and (block := stream.read(BLOCK)):
                claim.write(block)
    finally:
        for claim in claims:
            claim.release()
    if not landing.is_full or stream.read(1):
        landing.restart()
        raise DigestError(source, file.path, expected=file.sha256, found=f"of other than {file.size} bytes")
    if not landing.prove():
        raise DigestError(source, file.path, expected=file.sha256, found="another one")


class Watch:
    """Look on while another process lands a blob, and show its progress."""

    def __init__(self, parts: Sequence[Path], lock: Path, reporter: Reporter) -> None:
        self._parts = parts
        self._lock = lock
        self._reporter = reporter
        self._shown = 0
        self._pulse = 0
        self._since = time.monotonic()
        self._told = ""

    def patient(self) -> bool:
        """Tell whether the other process still gets on."""
        now, size, pulse = time.monotonic(), self._size(), _changed(self._lock)
        if (size, pulse) != (self._shown, self._pulse):
            if self._told:
                self._reporter.advance(size - self._shown)
            self._shown, self._pulse, self._since = size, pulse, now
        return now - self._since < PATIENCE

    def tell(self, busy: Busy) -> None:
        """Say whom is waited for, once for each."""
        if self._told != busy.words:
            if not self._told:
                self._reporter.advance(self._shown)
            self._told = busy.words
            self._reporter.note(f"{busy.words} is fetching the same file; waiting for it")

    def _size(self) -> int:
        """Return the bytes of all part files of the blob."""
        try:
            return sum(map(_all_present, self._parts))
        except OSError:
            return self._shown  # one was just renamed

    def end(self) -> None:
        """Take back what was shown: whoever goes on counts for himself."""
        if self._told:
            self._reporter.advance(-self._shown)
        self._shown, self._told = 0, ""


def _changed(path: Path) -> int:
    """Return when a file was changed, in nanoseconds by its own clock; 0 where nobody knows."""
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _all_present(part: Path) -> int:
    """
    Return the bytes of the part files of a blob. Raises OSError.

    The folder, which may be long, is only listed where there is none under the common name.
    """
    with suppress(FileNotFoundError):
        return present(part)
    return sum(present(one) for one in part.parent.glob(f"{part.name}.*"))


def present(part: Path) -> int:
    """Return about how many bytes of a part file are on disk; holes don't count. Raises OSError."""
    status = part.lstat()
    return min(status.st_size, getattr(status, "st_blocks", status.st_size) * 512)


def _part(folder: Path, digest: str, *, shared: bool) -> tuple[Path, int, bool]:
    """Open the part file of a blob: the one that an earlier run left, or a new one; tell if it is new."""
    if shared:
        path = folder / digest
        with suppress(FileExistsError):
            return path, os.open(path, _FLAGS | _SAFE | os.O_EXCL, 0o644), True
        if _mine(path):
            return path, os.open(path, _FLAGS | _SAFE, 0o644), False
        path.unlink(missing_ok=True)
        return path, os.open(path, _FLAGS | _SAFE | os.O_EXCL, 0o644), True  # none that was put there since
    path = folder / f"{digest}.{os.getpid()}-{os.urandom(8).hex()}"
    return path, os.open(path, _FLAGS | _SAFE | os.O_EXCL, 0o644), True


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
