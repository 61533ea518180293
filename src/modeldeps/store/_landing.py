"""
A blob while it comes in, from several threads and sources, in any order.

Bytes are written at their place as they come. Where the manifest names chunks, a chunk counts as
there when its own digest matched; the digest of the whole follows behind in another thread, and is
proved before the blob gets its name. What an interrupted run left is hashed again, never believed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps.errors import ContradictionError, DigestError
from modeldeps.store import _extents
from modeldeps.store._at import write_all, write_back
from modeldeps.store._claim import Claim
from modeldeps.store._part import Part
from modeldeps.store._spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Landing(Part):
    """One part file on its way to becoming a blob."""

    @property
    def is_full(self) -> bool:
        """Every byte is written, every chunk is proved, and nobody is at it any more."""
        with self._turn:
            return self._rights.are_over and self._written.covers(0, self.file.size)

    @property
    def is_left(self) -> bool:
        """Nobody brings bytes now."""
        with self._turn:
            return self._rights.are_over

    def take(self, limit: int) -> Claim | None:
        """Return the right to write the first range that nobody has or writes, of about `limit` bytes."""
        with self._turn:
            gap = next(self._gaps(), None)
            if gap is None or (self.sequential and not self._rights.are_over):
                return None
            end = gap[0] + limit if self.sequential else self._pieces.end(gap[0] + limit)
            return self._claim(gap[0], min(gap[1], end))

    def take_short(self, most: int) -> Claim | None:
        """Return the right to write the first range that nobody has or writes, if it is no longer."""
        with self._turn:
            gap = next(self._gaps(), None)
            if gap is None or gap[1] - gap[0] > most or self.sequential:
                return None
            return self._claim(*gap)

    def take_all(self) -> list[Claim]:
        """Return the right to write everything that nobody has or writes, in order."""
        with self._turn:
            return [self._claim(start, end) for start, end in list(self._gaps())]

    def split(self, least: int) -> Claim | None:
        """Return the right to write the second half of the longest range that somebody is at, or None."""
        with self._turn:
            longest = self._rights.longest
            if self.sequential or longest is None or longest.end - longest.reserved < 2 * least:
                return None
            middle, end = (longest.reserved + longest.end) // 2, longest.end
            middle = min(end, self._pieces.end(middle)) if not self._pieces else middle
            if middle >= end:
                return None
            longest.end = middle
            return self._claim(middle, end)

    def overtake(self, is_late: Callable[[Claim], bool]) -> Claim | None:
        """Return the right to write what somebody who is late did not write yet, or None."""
        with self._turn:
            for one in self._rights.claims:
                if not one.is_done and not one.writing and not self.sequential and is_late(one):
                    end, one.end = one.end, one.position
                    if one.line is not None:
                        one.line.is_late = True
                    claim = self._claim(one.position, end)
                    claim.overtaken = one.overtaken + 1
                    return claim
        return None

    def _gaps(self) -> Iterator[tuple[int, int]]:
        return iter(()) if self._closing else self._rights.gaps(self._written, self.file.size)

    def _claim(self, start: int, end: int) -> Claim:
        return self._rights.add(Claim(self, start, end))

    def reserve(self, claim: Claim, most: int) -> int:
        """Return how many bytes a claim may write now: one chunk's at most, and none at its end."""
        with self._turn:
            if self._closing or claim.is_done:
                return 0
            claim.reserved = min(claim.position + most, claim.end, self.bounds(claim.position)[1])
            claim.writing = True
            return claim.reserved - claim.position

    def put(self, claim: Claim, data: memoryview) -> None:
        """Write the bytes that were reserved at the place of a claim. Raises OSError."""
        write_all(self._handle, data, claim.position)
        with self._turn:
            self._written.add(claim.position, claim.position + len(data))
            self._senders.sent(self.bounds(claim.position)[0], claim.source)
            claim.position += len(data)
            if not self._pieces:
                self._follow()
            is_due = self._ebb.is_due(len(data))
        self._advance(len(data))
        if is_due:
            self._bring_to_disk()
        elif self._ebb.is_behind:
            with self._turn:
                while self._ebb.is_behind and not self._closing:
                    self._ebbed.wait(1.0)

    def _bring_to_disk(self) -> None:
        """Flush what came so far, and let those go on who wait for it. Raises OSError."""
        try:
            self._flush(self._ebb.flush)
        finally:
            with self._turn:
                self._ebbed.notify_all()

    def bounds(self, place: int) -> tuple[int, int]:
        """Return where the chunk that holds a byte begins and ends; the file, where there are none."""
        return self._pieces.bounds(place) if self._pieces else (0, self.file.size)

    @property
    def is_short(self) -> bool:
        """Who writes all of the file in one go is to hash it, too."""
        return self._prefix.is_alone

    def tell(self, digest: str) -> None:
        """Hear the digest of the whole from who wrote all of it in one go."""
        self._prefix.tell(digest)

    def write_back(self, start: int, end: int) -> None:
        """Let the disk begin with bytes that were written, so that the flush has little to wait for."""
        write_back(self._handle, start, end - start)

    def check(self, place: int, *, found: str | None, defers: bool = False) -> None:
        """
        Prove the chunk that holds a byte, once all of it is written; `found` is its digest if that is known.

        One that is not known and that `defers` is proved with the whole file, which is going to tell. A
        wrong one is missing again. Raises DigestError, with the source's name, where all of it came
        from there; OSError where the disk fails.
        """
        with self._turn:
            start, end = self._pieces.bounds(place)
            good = start in self._checked or self._pieces.is_good(place)
            if good or not self._written.covers(start, end):
                return
            if found is None and defers and not self._suspicious:
                self._pieces.keep(place)
                self._follow()
                return
            self._checked.add(start)
        try:
            self._judge(start, end, found or self._pieces.digest(place))
        finally:
            with self._turn:
                self._checked.discard(start)

    def _judge(self, start: int, end: int, digest: str) -> None:
        """
        Keep a chunk that is right; one that is not is missing again. Raises DigestError.

        Only one thread does this for a chunk: what a second one found would be of bytes that may be
        others by now, and a chunk that counts as there would be written again, and not be hashed again.
        """
        with self._turn:
            source = self._senders.only(start, end)
            if not self._written.covers(start, end):
                return  # all of it was thrown away meanwhile
            if digest == self._pieces.expected(start):
                self._pieces.keep(start)
                self._follow()
                return
            self._drop(start, end)
        if source is not None:
            raise self._blame(source, start, end, digest)

    def copy(self, index: int, source: int, offset: int) -> bool:
        """
        Take a chunk from a file of this machine; False where it is not all there.

        Nothing is proved by that: where the whole comes out wrong, every chunk is looked at. Raises OSError.
        """
        start, end = self._pieces.span(index)
        if not self._pieces.copy(index, source, offset):
            return False
        with self._turn:
            self._written.add(start, end)
            self._follow()
        self._advance(end - start)
        return True

    def hold(self, index: int) -> Claim:
        """Return the right to `copy` a chunk of which nothing is there and nobody is at."""
        with self._turn:
            claim = Claim(self, *self._pieces.span(index))
            claim.held = True
            return self._rights.add(claim)

    def missing(self) -> tuple[int, ...]:
        """Return the numbers of the chunks of which nothing is there."""
        with self._turn:
            return tuple(
                index
                for index in range(len(self._pieces))
                if not any(True for _ in self._written.parts(*self._pieces.span(index)))
            )

    def prove(self) -> bool:
        """
        Check the digest of the whole, all of which is there.

        False, with what is wrong or may be wrong thrown away, where nobody can be blamed: fetch what
        lacks. Raises DigestError, with the source's name, where the bytes are that source's own;
        ContradictionError where every chunk is right and the whole is not.
        """
        with self._using():
            return self._prove()

    def _prove(self) -> bool:
        if not _extents.is_whole(self._handle, self.file.size):
            return self._prove_again()
        found = self._prefix.finish()
        if found == self.file.sha256:
            return True
        if not self.file.size:  # there is nothing that another source could send
            raise ContradictionError.of_whole(self.file.path, expected=self.file.sha256, found=found)
        if self._pieces:
            return self._prove_chunks(found)
        if self._drop_torn():
            return False
        source = self._senders.only(0, self.file.size)
        self.restart()
        if source is not None:
            raise DigestError(source, self.file.path, expected=self.file.sha256, found=found)
        return False

    def _drop_torn(self) -> bool:
        """Throw away, once, what a run that was killed may have left short; tell if there is any."""
        old, self._unsure = self._unsure, Spans()
        torn = _extents.torn(self._handle, old, _extents.block(self._handle))
        with self._turn:
            for start, end in torn:
                self._drop(start, end)
            if torn.total:
                self._prefix.restart()
                self._follow()
        return torn.total > 0

    def _prove_again(self) -> bool:
        """Hash what there is where somebody shortened the file: no source is to blame for that."""
        self._prefix.restart()
        size = os.fstat(self._handle).st_size
        if size == self.file.size and self._prefix.finish() == self.file.sha256:
            return True  # some file systems keep no zeros
        self.restart()
        return False

    def _prove_chunks(self, found: str) -> bool:
        wrong = self._pieces.wrong()
        if not wrong:
            self.restart()
            raise ContradictionError.of_whole(self.file.path, expected=self.file.sha256, found=found)
        with self._turn:
            self._suspicious = True
            sources = [self._senders.only(start, end) for start, end, _ in wrong]
            for start, end, _ in wrong:
                self._drop(start, end)
            self._prefix.restart()
            self._follow()
        for source, (start, end, digest) in zip(sources, wrong, strict=True):
            if source is not None:
                raise self._blame(source, start, end, digest)
        return False

    def _blame(self, source: str, start: int, end: int, found: str) -> DigestError:
        part, expected = f"bytes {start} to {end - 1}", self._pieces.expected(start)
        return DigestError(source, self.file.path, expected=expected, found=found, part=part)

    def let_go(self, claim: Claim) -> None:
        """Take a claim back; what it did not write is missing again."""
        with self._turn:
            self._rights.remove(claim)
            if self._closing:
                self.close()
