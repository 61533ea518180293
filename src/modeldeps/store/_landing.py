"""
A blob while it comes in, from several threads and sources, in any order.

Bytes are written at their place as they come. Where the manifest names chunks, a chunk counts as
there when its own digest matched; the digest of the whole follows behind in another thread, and is
proved before the blob gets its name. What an interrupted run left is hashed again, never believed.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modeldeps.errors import ContradictionError, DigestError
from modeldeps.files import flush_file, make_folder, replace
from modeldeps.store import _extents
from modeldeps.store._at import write_all, write_back
from modeldeps.store._claim import Claim
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


class Landing:
    """One part file on its way to becoming a blob."""

    def __init__(
        self, file: File, path: Path, handle: int, *, advance: Callable[[int], None] = _silent
    ) -> None:
        self.file = file
        """The file as the manifest names it."""
        self.path = path
        """The part file."""
        self.sequential = False
        """Bytes may only come in order, because nobody could tell afterwards where they are missing."""
        self._handle = handle
        self._advance = advance
        self._turn = threading.RLock()
        self._pieces = Pieces(handle, file.chunks)
        self._written = Spans()
        self._senders = Senders()
        self._unsure = Spans()
        """What an earlier run left of a file without chunks, until the digest of the whole tells."""
        self._rights = Rights()
        self._prefix = Prefix(handle, file.size)
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
        size = os.fstat(self._handle).st_size
        if size > self.file.size:
            os.ftruncate(self._handle, 0)
            size = 0
        found = _extents.data(self._handle) if size else Spans()
        holes = _extents.spread(self._handle, self.file.size)
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
        self._advance(self._written.total)
        self._follow()

    def _is_right(self, found: Spans) -> bool:
        """Tell whether an earlier run left all of the file."""
        right = found.covers(0, self.file.size) and self._prefix.finish() == self.file.sha256
        self._prefix.restart()
        return right

    def take(self, limit: int) -> Claim | None:
        """Return the right to write the first range that nobody has or writes, of about `limit` bytes."""
        with self._turn:
            gap = next(self._gaps(), None)
            if gap is None or (self.sequential and not self._rights.are_over):
                return None
            end = gap[0] + limit if self.sequential else self._pieces.end(gap[0] + limit)
            return self._claim(gap[0], min(gap[1], end))

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
            self._flush(self._ebb.flush)

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
            _extents.spread(self._handle, self.file.size)

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

    def publish(self, blob: Path, stamps: Stamps) -> Path:
        """
        Give proved bytes their name: on disk and read-only first, then the name. Raises OSError.

        The folder that is returned is to be flushed before anybody is told.
        """
        with self._using():
            seal(self.path, self.file.sha256, handle=self._handle)
            self._flush(lambda: flush_file(self._handle))
            proved = os.fstat(self._handle)
            self._check_path(proved)
        make_folder(blob.parent)
        if os.name == "nt":
            self.close()
        replace(self.path, blob)
        stamp(blob, proved, self.file.sha256, stamps)
        return blob.parent

    def _check_path(self, proved: os.stat_result) -> None:
        """Raise OSError where the part file has another length by now, or its path means another file."""
        if proved.st_size != self.file.size or not os.path.samestat(os.lstat(self.path), proved):
            raise OSError(errno.ESTALE, "somebody replaced the part file", str(self.path))

    def let_go(self, claim: Claim) -> None:
        """Take a claim back; what it did not write is missing again."""
        with self._turn:
            self._rights.remove(claim)
            if self._closing:
                self.close()

    def close(self, then: Callable[[], None] | None = None) -> None:
        """
        Let go of the file, as soon as nobody writes to it any more; do something then.

        Who hashes is stopped: a handle that is closed under his hands may soon be another file's.
        """
        with self._turn:
            self._closing, self._over = True, then or self._over
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
