"""Read and write a file at a place, from several threads at once."""

from __future__ import annotations

import errno
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIECE = 1 << 20
"""Bytes of one write: Linux is slow to find room for more at once."""


_LEAST = 4096
"""Bytes of a write that is not divided."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_all(handle: int, data: memoryview, offset: int) -> None:
    """
    Write all of some bytes at a place, as much of them as there is room for. Raises OSError.

    Where a disk has no room for all of a piece, ext4 leaves zeros in the room that it found, and the
    next run could not tell them from bytes that came: so that room is filled.
    """
    most = PIECE
    while data:
        try:
            count = pwrite(handle, data[:most], offset)
        except OSError as error:  # noqa: PERF203 - of no weight beside the write
            size = min(most, len(data))
            if error.errno not in _FULL or size <= _LEAST:
                raise
            most = max(_LEAST, size // 2)
        else:
            data, offset = data[count:], offset + count


def read_all(handle: int, count: int, offset: int) -> bytes:
    """Return so many bytes from a place, fewer where the file ends before. Raises OSError."""
    found = pread(handle, count, offset)
    while found and len(found) < count and (more := pread(handle, count - len(found), offset + len(found))):
        found += more
    return found


def write_back(handle: int, offset: int, count: int) -> None:
    """
    Let the disk begin at once, so that the flush at the end has little to wait for.

    On Linux this advice starts the writing of pages that are not on disk yet and drops none of them
    (mm/fadvise.c); elsewhere it would do something else.
    """
    if sys.platform == "linux":
        os.posix_fadvise(handle, offset, count, os.POSIX_FADV_DONTNEED)


if hasattr(os, "pwrite"):
    pread = os.pread
    pwrite = os.pwrite
else:
    _LOCK = threading.Lock()
    """Windows: a place and what is done there are two calls."""

    def pread(handle: int, count: int, offset: int, /) -> bytes:
        """Read at a place."""
        with _LOCK:
            os.lseek(handle, offset, os.SEEK_SET)
            return os.read(handle, count)

    def pwrite(handle: int, data: Buffer, offset: int, /) -> int:
        """Write at a place."""
        with _LOCK:
            os.lseek(handle, offset, os.SEEK_SET)
            return os.write(handle, data)
