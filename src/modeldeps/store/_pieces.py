"""The chunks of a file that comes in: which of them are right, and how that is found out."""

from __future__ import annotations

import os
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.store import _crew, _extents
from modeldeps.store._at import read_all, write_all
from modeldeps.store._spans import Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from modeldeps.manifest import Chunk

GRAIN = _extents.GRAIN
"""Bytes; ranges of a file without chunks are written side by side from multiples of this on."""
_THREADS = 8
"""Threads that hash at once, where there are as many cores."""


class Pieces:
    """The chunks of one part file; none where the manifest names none, or only one."""

    def __init__(self, handle: int, chunks: Sequence[Chunk], pulse: Callable[[], None]) -> None:
        self._handle = handle
        self._pulse = pulse
        self._chunks = tuple(chunks) if len(chunks) > 1 else ()
        self._starts = [one.offset for one in self._chunks]
        self._good = bytearray(len(self._chunks))
        self._front = 0

    def __len__(self) -> int:
        return len(self._chunks)

    def stop(self) -> None:
        """Let go of the file: whoever hashes it runs into an OSError."""
        self._handle = -1

    def _at(self, place: int) -> int:
        return bisect_right(self._starts, place) - 1

    def span(self, index: int) -> tuple[int, int]:
        """Return where a chunk begins and ends."""
        chunk = self._chunks[index]
        return chunk.offset, chunk.offset + chunk.length

    def bounds(self, place: int) -> tuple[int, int]:
        """Return where the chunk that holds a byte begins and ends."""
        return self.span(self._at(place))

    def end(self, place: int) -> int:
        """Return the end of the chunk, or of the grain where there are none, that holds the byte before."""
        return self.bounds(place - 1)[1] if self._chunks else -(-place // GRAIN) * GRAIN

    def expected(self, place: int) -> str:
        """Return what the manifest says of the chunk that holds a byte."""
        return self._chunks[self._at(place)].sha256

    def digest(self, place: int) -> str:
        """Return the digest of the bytes on disk, the chunk that holds a byte. Raises OSError."""
        return self._digest(self._at(place))

    def _digest(self, index: int) -> str:
        self._pulse()
        chunk = self._chunks[index]
        return sha256_bytes(read_all(self._handle, chunk.length, chunk.offset))

    def is_good(self, place: int) -> bool:
        """Tell whether the chunk that holds a byte is there already."""
        return bool(self._good[self._at(place)])

    def keep(self, place: int) -> None:
        """Count the chunk that holds a byte as there."""
        self._good[self._at(place)] = 1

    def front(self) -> int:
        """Return the end of the chunks from the first on that are there."""
        while self._front < len(self._good) and self._good[self._front]:
            self._front += 1
        return self.span(self._front - 1)[1] if self._front else 0

    def restart(self) -> None:
        """Count no chunk as there."""
        self._good, self._front = bytearray(len(self._chunks)), 0

    def resume(self, found: Spans, sure: Spans) -> tuple[Spans, Spans]:
        """
        Look at what an earlier run left; return what is there, and what of it is not proved.

        Every chunk that lies in `found` is hashed. Of the others, what lies in `sure` is kept: their
        digest decides when the rest came. Raises OSError.
        """
        whole = [index for index in range(len(self)) if found.covers(*self.span(index))]
        right = dict(zip(whole, self._match(whole), strict=True))
        written, old = Spans(), Spans()
        for index in range(len(self)):
            start, end = self.span(index)
            self._good[index] = right.get(index, False)
            if self._good[index]:
                written.add(start, end)
            elif index not in right:
                for part in sure.parts(start, end):
                    written.add(*part)
                    old.add(*part)
        return written, old

    def wrong(self) -> list[tuple[int, int, str]]:
        """
        Hash everything again; return start, end and digest of the chunks that are wrong.

        They are missing then. Raises OSError.
        """
        found = self._digests(range(len(self)))
        self._good = bytearray(self._chunks[index].sha256 == one for index, one in enumerate(found))
        self._front = 0
        return [(*self.span(index), one) for index, one in enumerate(found) if not self._good[index]]

    def _match(self, indexes: Sequence[int]) -> list[bool]:
        """Tell of each chunk whether its bytes on disk are right."""
        found = zip(indexes, self._digests(indexes), strict=True)
        return [self._chunks[index].sha256 == one for index, one in found]

    def _digests(self, indexes: Iterable[int]) -> list[str]:
        """Return the digests of chunks on disk; all cores work."""
        threads = min(_THREADS, os.cpu_count() or 1)
        return _crew.each(indexes, self._digest, threads=threads, name="modeldeps-chunks")

    def copy(self, index: int, source: int, offset: int) -> bool:
        """Copy a chunk out of another file; False where that ends too early. Raises OSError."""
        chunk = self._chunks[index]
        if offset + chunk.length > os.fstat(source).st_size:  # a hint may name any place
            return False
        if copy_range(source, self._handle, chunk.length, offset, chunk.offset) != chunk.length:
            return False
        self._good[index] = 1
        return True


def copy_range(source: int, target: int, count: int, start: int, to: int) -> int:
    """
    Copy bytes between two open files, inside the system where it can; return how many there were.

    Linux shares the blocks where the file system can, else copies them without a way through here
    (copy_file_range(2)). What can't be read of the source is not there. Raises OSError where the target
    can't be written.
    """
    done = 0
    while done < count and (step := _inside(source, target, count - done, start + done, to + done)):
        done += step
    while done < count and (data := _readable(source, min(count - done, 1 << 20), start + done)):
        write_all(target, memoryview(data), to + done)
        done += len(data)
    return done


def _readable(source: int, count: int, start: int) -> bytes:
    """Return some bytes of a file; none of a bad place of its disk."""
    with suppress(OSError):
        return read_all(source, count, start)
    return b""


def _inside(source: int, target: int, count: int, start: int, to: int) -> int:
    """Copy some bytes inside the system; 0 where it can't."""
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        return os.copy_file_range(source, target, count, start, to)
    except OSError:  # other file systems, or a disk that is full: the plain way tells
        return 0
