"""When bytes and names are brought to disk: part files that grow, and blobs that others just named."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from modeldeps.files import flush_file, flush_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

LEAST = 1 << 20
"""Bytes that are worth a flush."""
FIRST = 0.1
"""Seconds until the first flush, and between two at least."""
SHARE = 0.1
"""Of the time that a fetch took so far; it may pass before the next flush."""
LONGEST = 5.0
"""Seconds between two flushes, unless they take long."""
REST = 1.0
"""How many times as long as a flush took the next one waits at least, unless too much came meanwhile."""
AHEAD = 0.16
"""Of the bytes on disk; so many more may have come, or bytes wait for the disk."""
ALLOWED = 2 << 20
"""Bytes that may have come and not be on disk yet, however few are there."""
MOMENT = 0.1
"""Seconds; what comes within them may be ahead, too: it costs no more to have it come again."""

RECENT = 60.0
"""Seconds after which systems have written down a name without being asked; btrfs takes 30."""


def settle(root: Path, blobs: Iterable[Path]) -> None:
    """
    Bring to disk the names of blobs that another process may have made a moment ago.

    It may not have flushed them yet, and whoever finds them here tells that they are here. Raises
    OSError for the store at `root`; of read-only and other users' stores nothing is expected.
    """
    recent = {blob.parent for blob in blobs if _is_recent(blob)}
    for folder in sorted(recent | {one.parent for one in recent}):
        try:
            flush_folder(folder)
        except OSError as error:  # noqa: PERF203 - of no weight beside the flush
            if root in folder.parents and error.errno != errno.EROFS:
                raise


def _is_recent(blob: Path) -> bool:
    """Tell whether a file has changed, or got a name, a moment ago."""
    try:
        return time.time() - blob.lstat().st_ctime < RECENT
    except OSError:  # another process freed it
        return False


class Ebb:
    """
    Flush a part file now and then, so that a power cut takes little of what came.

    The system writes bytes down soon after they came, but where they lie it may write down as late as
    half a minute after (xfs and btrfs; ext4 after five seconds): until then they are lost with it.
    """

    def __init__(self, handle: int, path: Path) -> None:
        self._handle = handle
        self._path = path
        self._fresh = 0
        self._sinking = 0
        self._safe = 0
        self._came = 0
        self._began = 0.0
        self._next = 0.0
        self._most: float = ALLOWED
        self._is_named = False

    def found(self, count: int) -> None:
        """Count bytes that an earlier run left."""
        self._safe += count

    def is_due(self, count: int) -> bool:
        """Count bytes that were written; tell whether who wrote them is to flush. Not for two at once."""
        self._fresh += count
        self._came += count
        now = time.monotonic()
        if not self._began:
            self._began, self._next = now, now + FIRST
        at_once = self._came * min(1.0, MOMENT / max(now - self._began, 1e-6))
        self._most = max(ALLOWED, AHEAD * self._safe, at_once)
        is_time = now >= self._next and self._fresh >= LEAST
        if self._sinking or not (is_time or 2 * self._fresh > self._most):
            return False
        self._fresh, self._sinking = 0, self._fresh
        return True

    @property
    def is_behind(self) -> bool:
        """Bytes come faster than the disk takes them: who brings them is to wait for the flush."""
        return self._sinking > 0 and self._sinking + self._fresh > self._most

    def flush(self) -> None:
        """Bring to disk what was written, and with it, once, the name of the part file. Raises OSError."""
        since = time.monotonic()
        try:
            flush_file(self._handle)
            if not self._is_named:
                flush_folder(self._path.parent)
                self._is_named = True
            self._safe += self._sinking
        finally:
            self._sinking = 0
        now = time.monotonic()
        share = min(LONGEST, SHARE * (now - self._began))
        self._next = now + max(FIRST, share, REST * (now - since))
