"""The right to write one range of a part file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.digest import Hash, new_hash

if TYPE_CHECKING:
    from modeldeps.store._landing import Landing

WRITE_BACK = 4 << 20
"""Bytes after which the disk is told to begin with them."""


class Line:
    """Several ranges that come over one connection, one after the other."""

    def __init__(self, now: float) -> None:
        self.moved = now
        """When bytes of one of them came last, on the monotonic clock."""
        self.is_late = False
        """Somebody else took the one that should have come; those behind it are no better off."""

    def move(self, now: float) -> None:
        """Note that bytes came."""
        self.moved, self.is_late = now, False


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
        self.began: float | None = None
        """When it was the next to come, on the monotonic clock; None before that."""
        self.line: Line | None = None
        """What comes before it and after it over the same connection."""
        self.moved: float = 0.0
        """When bytes came last."""
        self.overtaken = 0
        """How often this range was taken from others who were late."""
        self.writing = False
        """Its thread is between taking bytes and having proved them."""
        self.held = False
        """It is filled by a copy, not by `write`; nobody may have a part of it."""
        self.defers = False
        """Its chunks are proved with the whole file: bytes come faster than they can be hashed twice."""
        self._start = start
        self._dirty = start
        self._running: Hash | None = None

    @property
    def is_done(self) -> bool:
        """Nothing is left to write."""
        return self.position >= self.end

    @property
    def is_over(self) -> bool:
        """Nothing is left to write, and nothing is being proved."""
        return self.is_done and not self.writing

    def begin(self, now: float) -> None:
        """Note that its bytes are the next to come."""
        self.began = self.moved = now

    def pace(self, now: float) -> float:
        """Return the bytes a second that came so far."""
        return (self.position - self._start) / max(now - (self.began or now), 1e-6)

    def write(self, data: bytes | memoryview) -> int:
        """
        Take the next bytes and return how many of them were wanted.

        Raises DigestError, with the source's name, at the first chunk that is not what the
        manifest says; OSError where the disk does.
        """
        view, used = memoryview(data), 0
        try:
            while used < len(view) and (count := self.landing.reserve(self, len(view) - used)):
                self._put(view[used : used + count])
                used += count
        finally:
            self.writing = False
        return used

    def _put(self, piece: memoryview) -> None:
        """Write a piece of one chunk; its digest is taken on the way where all of it comes through here."""
        place, chunked = self.position, len(self.landing.file.chunks) > 1
        start, end = self.landing.bounds(place)
        whole = place == 0 and self.end == self.landing.file.size and self.landing.is_short
        if place == start and (not self.defers if chunked else whole):
            self._running = new_hash()
        if self._running is not None:
            self._running.update(piece)
        self.landing.put(self, piece)
        if self.position - self._dirty >= WRITE_BACK:
            self.landing.write_back(self._dirty, self.position)
            self._dirty = self.position
        if chunked and self.position >= min(end, self.end):
            running, self._running = self._running, None
            found = running.hexdigest() if running is not None and self.position >= end else None
            self.landing.check(place, found=found, defers=self.defers)
        elif self._running is not None and self.position >= end:
            self.landing.tell(self._running.hexdigest())

    def release(self) -> None:
        """Give back what was not written. Safe to call twice."""
        self.landing.let_go(self)
