"""
What a file that was written here and there really holds.

A part file gets its full length before its bytes come, and has holes where none came yet. Linux,
macOS and the BSDs tell the holes from the data (lseek(2), SEEK_DATA); elsewhere a file is written from its
beginning to its end.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from modeldeps.store._at import read_all
from modeldeps.store._spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterator

GRAIN = 1 << 16
"""Bytes; no file system that is known gives a written byte more data around it than this."""
_HAS_HOLES = hasattr(os, "SEEK_DATA") and hasattr(os, "SEEK_HOLE")


def spread(handle: int, size: int, before: int) -> bool:
    """
    Give a file its full length; True where its holes can be told from its data afterwards.

    Where they can't, the file keeps its length of `before`. Raises OSError.
    """
    if before == size or not _HAS_HOLES:
        return before == size and _HAS_HOLES
    os.ftruncate(handle, size)
    if _has_hole(handle, before, size):
        return True
    os.ftruncate(handle, before)
    return False


def _has_hole(handle: int, start: int, end: int) -> bool:
    """Tell whether what was just added to a file is seen as a hole, its first grain apart."""
    if end - start <= GRAIN:
        return True  # nothing much can be lost
    try:
        return os.lseek(handle, start + GRAIN, os.SEEK_DATA) >= end
    except OSError as error:  # another error: this file system can't tell, as HFS+ on macOS
        return error.errno == errno.ENXIO  # there is no data behind this place


def data(handle: int) -> Spans:
    """
    Return the ranges of a file that were written, or may have been: a file system counts in blocks.

    Where it can't tell, all of the file. Raises OSError.
    """
    size = os.fstat(handle).st_size
    if not _HAS_HOLES:
        return Spans([(0, size)])
    return Spans(_extents(handle, size))


def _extents(handle: int, size: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size:
        try:
            start = os.lseek(handle, at, os.SEEK_DATA)
            at = os.lseek(handle, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno != errno.ENXIO:  # ENXIO: only a hole is left
                yield at, size
            return
        yield start, min(at, size)


def block(handle: int) -> int:
    """Return the bytes of a block of a file's file system. Raises OSError."""
    return max(4096, getattr(os.fstat(handle), "st_blksize", 0))


def is_whole(handle: int, size: int) -> bool:
    """Tell whether a file has its length, and bytes at every place. Raises OSError."""
    found = os.fstat(handle).st_size
    if found != size or not size or not _HAS_HOLES:
        return found == size
    try:
        return os.lseek(handle, 0, os.SEEK_HOLE) >= size
    except OSError as error:  # a file system that can't tell has no holes; ENXIO: nothing is there
        return error.errno != errno.ENXIO


def surely(spans: Spans, length: int) -> Spans:
    """
    Return the ranges without the blocks at their edges, which may be written in part only.

    `length` is that of a block of the file system. The first byte of a file is an edge of nothing.
    """
    return Spans((start and start + length, (end - 1) // length * length) for start, end in spans)


def torn(handle: int, spans: Spans, length: int) -> Spans:
    """
    Return the blocks within ranges that end in a zero: each may be short of bytes.

    Ranges are written side by side, each from a multiple of GRAIN on. Whoever was killed just before the
    place where another one began left zeros there, which nothing tells from data. Raises OSError.
    """
    found, step = Spans(), max(length, GRAIN)
    for start, end in spans:
        for at in range(start // step * step, end, step):
            lasts = read_all(handle, step, at)[length - 1 :: length]
            for number in (number for number, last in enumerate(lasts) if not last):
                found.add(max(start, at + number * length), min(end, at + (number + 1) * length))
    return found
