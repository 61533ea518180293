"""Where the buffers of a TensorFlow Lite file lie: a flatbuffer, walked as far as its list of buffers."""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MARK = b"TFL3"
"""The identifier at byte 4."""
BUFFERS = 4
"""Number of the field `buffers` of a Model (schema.fbs)."""
DATA = 0
"""Number of the field `data` of a Buffer."""
MAX_BUFFERS = 1_000_000
"""Buffers that are read; each tensor has one."""
_SIZE = 4
"""Bytes of an offset or a length."""


def tensors(path: Path) -> list[tuple[int, int]]:
    """
    Read the start and the length of each buffer; nothing where the file can't be walked.

    Such a file is cut by content: an interpreter tells more of what is wrong with it. Raises OSError.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            return []
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _walk(mapped)


def _walk(mapped: mmap.mmap) -> list[tuple[int, int]]:
    """Walk a mapped file; an error that left here would hold the mapping open."""
    try:
        return places(memoryview(mapped))
    except (ValueError, struct.error):
        return []


def places(view: memoryview) -> list[tuple[int, int]]:
    """Return the start and the length of each buffer. Raises ValueError, struct.error."""
    if view[4:8] != MARK:
        raise ValueError("no TensorFlow Lite file")
    buffers = _field(view, _offset(view, 0), BUFFERS)
    start, count = _vector(view, buffers, _SIZE) if buffers else (0, 0)
    if count > MAX_BUFFERS:
        raise ValueError("more buffers than any model has")
    tables = (_offset(view, place) for place in range(start, start + count * _SIZE, _SIZE))
    return [_vector(view, data, 1) for table in tables if (data := _field(view, table, DATA))]


def _offset(view: memoryview, at: int) -> int:
    """Follow an offset, which counts from where it stands."""
    (distance,) = struct.unpack_from("<I", view, at)
    return at + int(distance)


def _field(view: memoryview, table: int, number: int) -> int:
    """Return where a field of a table stands, or 0 where it is left out."""
    (back,) = struct.unpack_from("<i", view, table)
    fields = table - back
    if not 0 <= fields <= len(view) - _SIZE:
        raise ValueError("a table beyond the file")
    (size,) = struct.unpack_from("<H", view, fields)
    place = _SIZE + 2 * number
    if place + 2 > size:
        return 0
    (distance,) = struct.unpack_from("<H", view, fields + place)
    return table + distance if distance else 0


def _vector(view: memoryview, at: int, width: int) -> tuple[int, int]:
    """Return the start and the count of a vector that an offset leads to."""
    start = _offset(view, at) + _SIZE
    (count,) = struct.unpack_from("<I", view, start - _SIZE)
    if count * width > len(view) - start:
        raise ValueError("a vector beyond the file")
    return start, count
