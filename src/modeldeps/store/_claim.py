"""The right to write one range of a part file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.digest import Hash, new_hash

if TYPE_CHECKING:
    from modeldeps.store._landing import Landing


class Claim:
    """A range that one thread writes, in order."""

    def __init__(self, landing: Landing, start: int, end: int) -> None:
        self.landing = landing
        """The part file."""
        self.position = start
        """Offset of the byte that is to come next."""
        self.end = end
        """Offset after the last byte; another thread may take a part and move it down."""
        self.reserved = start
        """Offset after the last byte that is being written now; nobody else may have it."""
        self.source = ""
        """Who sends the bytes."""
        self._running: Hash | None = None

    @property
    def is_done(self) -> bool:
        """Nothing is left to write."""
        return self.position >= self.end

    def write(self, data: bytes | memoryview) -> int:
        """
        Take the next bytes and return how many of them were wanted.

        Raises DigestError, with the source's name, at the first chunk that is not what the
        manifest says; OSError where the disk does.
        """
        view, used = memoryview(data), 0
        while used < len(view) and (count := self.landing.reserve(self, len(view) - used)):
            self._put(view[used : used + count])
            used += count
        return used

    def _put(self, piece: memoryview) -> None:
        """Write a piece of one chunk; its digest is taken on the way where all of it comes through here."""
        place, chunked = self.position, len(self.landing.file.chunks) > 1
        start, end = self.landing.bounds(place)
        if place == start and chunked:
            self._running = new_hash()
        if self._running is not None:
            self._running.update(piece)
        self.landing.put(self, piece)
        if chunked and self.position >= min(end, self.end):
            running, self._running = self._running, None
            found = running.hexdigest() if running is not None and self.position >= end else None
            self.landing.check(place, found=found)

    def release(self) -> None:
        """Give back what was not written. Safe to call twice."""
        self.landing.let_go(self)
