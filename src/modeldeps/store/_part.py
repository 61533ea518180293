"""
One part file: what it holds, what an earlier run left in it, and how it becomes a blob.

Who writes what, and whether it is right, is said by the landing that is built on it.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modeldeps.files import flush_file, make_unflushed, replace
from modeldeps.store import _extents
from modeldeps.store._ebb import Ebb
from modeldeps.store._pieces import Pieces
from modeldeps.store._prefix import Prefix
from modeldeps.store._rights import Rights
from modeldeps.store._senders import Senders
from modeldeps.store._spans import Spans
from modeldeps.store._trust import Stamps, seal, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modeldeps.manifest import File


def _silent(count: int) -> None:
    """Count nothing."""
    del count


def _still() -> None:
    """Show nobody that there is somebody at work."""


class Part:
    """A part file while it is open."""

    def __init__(  # noqa: PLR0913 - each has its name
        self,
        file: File,
        path: Path,
        handle: int,
        *,
        advance: Callable[[int], None] | None = None,
        pulse: Callable[[], None] | None = None,
        is_new: bool = False,
    ) -> None:
        self.file = file
        """The file as the manifest names it."""
        self.path = path
        """The part file."""
        self.sequential = False
        """Bytes may only come in order, because nobody could tell afterwards where they are missing."""
        self._handle = handle
        self._is_new = is_new
        self._advance = advance or _silent
        self._turn = threading.RLock()
        self._ebbed = threading.Condition(self._turn)
        """Notified when a flush is over."""
        self._pieces = Pieces(handle, file.chunks, pulse or _still)
        self._written = Spans()
        self._senders = Senders()
        self._unsure = Spans()
        """What an earlier run left of a file without chunks, until the digest of the whole tells."""
        self._rights = Rights()
        self._prefix = Prefix(handle, file.size, pulse or _still)
        self._ebb = Ebb(handle, path)
        self._suspicious = False
        """The whole came out wrong once: from now on each chunk is proved when it comes."""
        self._checked: set[int] = set()
        """Offsets of chunks that are being hashed; one thread is enough for each."""
        self._users = 0
        self._closing = False
        self._over: Callable[[], None] | None = None
        self.is_known = False
        """What an earlier run left was looked at; before that, nobody knows what is here."""

    @property
    def kept(self) -> int:
        """Bytes that are written."""
        with self._turn:
            return self._written.total

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Keep the file open for the time of a with block, whoever closes it meanwhile."""
        with self._turn:
            self._users += 1
        try:
            yield
        finally:
            with self._turn:
                self._users -= 1
                if self._closing:
                    self.close()

    def resume(self) -> None:
        """
        Hash what an earlier run left, and keep what is, or may be, right.

        Raises OSError, also where it is closed meanwhile.
        """
        with self._using():
            try:
                self._resume()
            finally:
                self.is_known = not self._closing

    def _resume(self) -> None:
        size = 0 if self._is_new else os.fstat(self._handle).st_size
        if size > self.file.size:
            os.ftruncate(self._handle, 0)
            size = 0
        found = _extents.data(self._handle) if size else Spans()
        holes = _extents.spread(self._handle, self.file.size, size)
        self.sequential = not holes and not self._pieces
        if not found.total:
            return
        sure = _extents.surely(found, _extents.block(self._handle)) if holes else found
        if self._pieces:
            self._written, old = self._pieces.resume(found, sure)
        else:
            self._written = old = found if self._is_right(found) else sure
            self._unsure = Spans(old)
        self._senders = Senders(old)
        self._ebb.found(self._written.total)
        self._advance(self._written.total)
        self._follow()

    def _is_right(self, found: Spans) -> bool:
        """Tell whether an earlier run left all of the file."""
        if found.covers(0, self.file.size) and self._prefix.finish() == self.file.sha256:
            return True  # and it need not be hashed again
        self._prefix.restart()
        return False

    def _flush(self, flush: Callable[[], None]) -> None:
        """
        Bring to disk what was written. Raises OSError, and all of it is missing then.

        After a flush that failed the system takes what it could not write for written: memory would
        show bytes that the disk never had, and the next flush would find nothing wrong.
        """
        try:
            flush()
        except OSError:
            with suppress(OSError):
                self.restart()
            raise

    def _follow(self) -> None:
        self._prefix.follow(self._pieces.front() if self._pieces else self._written.run(0))

    def _drop(self, start: int, end: int) -> None:
        lost = sum(stop - begin for begin, stop in self._written.parts(start, end))
        self._written.remove(start, end)
        self._advance(-lost)

    def restart(self) -> None:
        """Throw everything away. Raises OSError."""
        with self._turn:
            self._drop(0, self.file.size)
            self._senders = Senders()
            self._pieces.restart()
            self._prefix.restart()
            os.ftruncate(self._handle, 0)
            _extents.spread(self._handle, self.file.size, 0)

    def seal(self) -> None:
        """Make proved bytes read-only, and let their time tell that they are proved."""
        with self._using():
            seal(self.path, self.file.sha256, handle=self._handle)

    def sink(self) -> None:
        """Bring sealed bytes to disk. Raises OSError."""
        with self._using():
            self._flush(lambda: flush_file(self._handle))

    def publish(self, blob: Path, stamps: Stamps) -> list[Path]:
        """
        Give proved bytes that are on disk their name. Raises OSError.

        The folders that are returned are to be flushed before anybody is told.
        """
        with self._using():
            proved = os.fstat(self._handle)
            self._check_path(proved)
        folders = make_unflushed(blob.parent)
        if os.name == "nt":
            self.close()
        replace(self.path, blob)
        stamp(blob, proved, self.file.sha256, stamps)
        return [blob.parent, *folders]

    def _check_path(self, proved: os.stat_result) -> None:
        """Raise OSError where the part file has another length by now, or its path means another file."""
        if proved.st_size != self.file.size or not os.path.samestat(os.lstat(self.path), proved):
            raise OSError(errno.ESTALE, "somebody replaced the part file", str(self.path))

    def close(self, then: Callable[[], None] | None = None) -> None:
        """
        Let go of the file, as soon as nobody writes to it any more; do something then.

        Who hashes is stopped: a handle that is closed under his hands may soon be another file's.
        """
        with self._turn:
            self._closing, self._over = True, then or self._over
            self._ebbed.notify_all()
            if self._users or self._rights.are_used:
                self._pieces.stop()
                self._prefix.stop()
                return
            handle, self._handle = self._handle, -1
        if handle >= 0:
            self._prefix.close()
            with suppress(OSError):  # what is wanted was flushed before, and told of
                os.close(handle)
        with self._turn:
            over, self._over = self._over, None
        if over is not None:
            over()
