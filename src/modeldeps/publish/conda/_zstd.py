"""
Zstandard frames (RFC 8878): written without compressing, read within a bound.

What a compressor writes depends on its version; a frame of raw blocks is the same everywhere, needs no
library, and every reader takes it. The frames that this module wrote it also reads without a library.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modeldeps.errors import BuildToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 128 << 10
"""Bytes of a block, the most that the format allows (RFC 8878, 3.1.1.2)."""
MAX_WINDOW = 128 << 20
"""Bytes that a frame may ask its reader to keep; the limit of `zstd -d`."""

_MAGIC = 0xFD2FB528
_SIZE_OF_8_BYTES = 0xC0
_WINDOW_OF_1_MIB = 0x50
_HEADER = struct.Struct("<IBBQ")
_RAW = 0


def stored(data: bytes) -> bytes:
    """Return one frame around bytes, none of them compressed."""
    return b"".join(stored_blocks([data], len(data)))


def stored_blocks(parts: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield one frame around parts that are `size` bytes together, a part at a time."""
    yield _HEADER.pack(_MAGIC, _SIZE_OF_8_BYTES, _WINDOW_OF_1_MIB, size)
    for part in parts:
        for start in range(0, len(part), BLOCK):
            piece = part[start : start + BLOCK]
            yield (len(piece) << 3).to_bytes(3, "little") + piece
    yield (1).to_bytes(3, "little")


def restored(data: bytes, *, limit: int) -> bytes:
    """
    Return what a frame holds, at most `limit` bytes.

    Raises ValueError for what is damaged or larger, BuildToolError where the frame is compressed and
    Python can't read it.
    """
    found = _raw_blocks(data, limit)
    return _decompressed(data, limit) if found is None else found


def _raw_blocks(data: bytes, limit: int) -> bytes | None:
    """Return the content of a frame as `stored` writes it, or None for any other."""
    if len(data) < _HEADER.size:
        return None
    magic, descriptor, window, size = _HEADER.unpack_from(data)
    if (magic, descriptor, window) != (_MAGIC, _SIZE_OF_8_BYTES, _WINDOW_OF_1_MIB):
        return None
    if size > limit:
        raise ValueError(f"it holds {size} bytes, {limit} are allowed")
    position, parts = _HEADER.size, []
    while position + 3 <= len(data):
        head = int.from_bytes(data[position : position + 3], "little")
        last, kind, length = head & 1, head >> 1 & 3, head >> 3
        position += 3
        if kind != _RAW or position + length > len(data):
            return None
        parts.append(data[position : position + length])
        position += length
        if last:
            content = b"".join(parts)
            return content if position == len(data) and len(content) == size else None
    return None


def _decompressed(data: bytes, limit: int) -> bytes:
    """Return the content of any frame, by the library."""
    zstd = _library()
    reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})
    try:
        content: bytes = reader.decompress(data, max_length=limit + 1)
    except zstd.ZstdError as error:
        raise ValueError(f"it can't be decompressed: {error}") from None
    if len(content) > limit:
        raise ValueError(f"it holds more than the {limit} bytes that are allowed")
    if not reader.eof or reader.unused_data:
        raise ValueError("it is cut off, or has something behind its end")
    return content


def _library() -> Any:  # noqa: ANN401 - two modules of one shape, without a common type
    """Return Python's own module, or the one that conda-package-streaming brings. Raises BuildToolError."""
    from importlib import import_module  # noqa: PLC0415 - at first use

    with suppress(ImportError):
        return import_module("compression.zstd")
    with suppress(ImportError):
        return import_module("backports.zstd")
    raise BuildToolError("conda-package-streaming", "to read a compressed conda package")
