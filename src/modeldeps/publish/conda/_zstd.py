"""
Zstandard frames (RFC 8878): written without compressing, read as a stream.

What a compressor writes depends on its version; a frame of raw blocks is the same everywhere, needs no
library, and every reader takes it. The frames that this module wrote it also reads without a library.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from modeldeps.errors import BuildToolError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

BLOCK = 128 << 10
"""Bytes of a block, the most that the format allows (RFC 8878, 3.1.1.2)."""
HEAD = b"\x28\xb5\x2f\xfd\x00\x50"
"""Magic number, a frame of unknown size without a checksum, a window of 1 MiB (RFC 8878, 3.1.1.1)."""
WINDOW = 27
"""Logarithm of the bytes that a frame may ask its reader to keep; the limit of `zstd -d`."""


class StoredWriter(io.RawIOBase):
    """Write one frame of raw blocks into a stream; closing ends the frame and leaves the stream open."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._left = bytearray()
        target.write(HEAD)

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Take bytes; full blocks are passed on."""
        with memoryview(data) as view:
            self._left += view
            count = view.nbytes
        while len(self._left) > BLOCK:
            self._put(self._left[:BLOCK], last=False)
            del self._left[:BLOCK]
        return count

    def close(self) -> None:
        """End the frame."""
        if not self.closed:
            self._put(self._left, last=True)
        super().close()

    def _put(self, piece: bytes | bytearray, *, last: bool) -> None:
        self._target.write((len(piece) << 3 | last).to_bytes(3, "little"))
        self._target.write(piece)


class StoredReader(io.RawIOBase):
    """Read what `StoredWriter` wrote; the content is never larger than the frame."""

    def __init__(self, frame: memoryview) -> None:
        self._frame = frame
        self._position = len(HEAD)
        self._piece = memoryview(b"")
        self.ended = False
        """The last block was read."""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into a buffer. Raises ValueError for a frame that is cut off or has compressed blocks."""
        while not self._piece and not self.ended:
            self._piece = self.block()
        with memoryview(buffer) as view:
            count = min(len(view), len(self._piece))
            view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def block(self) -> memoryview:
        """Return the next raw block. Raises ValueError."""
        start = self._position + 3
        head = int.from_bytes(self._frame[self._position : start], "little")
        length = head >> 3
        self._position = start + length
        self.ended = bool(head & 1)
        if start > len(self._frame) or self._position > len(self._frame):
            raise ValueError("it is cut off")
        if head >> 1 & 3 or length > BLOCK:
            raise ValueError("a block of it is not stored as it is")
        if self.ended and self._position != len(self._frame):
            raise ValueError("it has something behind its end")
        return self._frame[start : self._position]


def stored(data: bytes) -> bytes:
    """Return one frame around bytes, none of them compressed."""
    target = io.BytesIO()
    with StoredWriter(target) as frame:
        frame.write(data)
    return target.getvalue()


def restored(frame: bytes, *, limit: int) -> bytes:
    """Return what a frame holds, at most `limit` bytes. Raises as `restored_stream` does."""
    content = restored_stream(memoryview(frame), limit=limit).read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"it holds more than the {limit} bytes that are allowed")
    return content


def restored_stream(frame: memoryview, *, limit: int) -> IO[bytes]:
    """
    Return what a frame holds as a stream; of a compressed one at most `limit` bytes.

    Raises ValueError for what is damaged or larger, BuildToolError where the frame is compressed and
    Python can't read it.
    """
    if bytes(frame[: len(HEAD)]) == HEAD:
        with suppress(ValueError):
            _prove(StoredReader(frame))
            return io.BufferedReader(StoredReader(frame), BLOCK)
    return io.BytesIO(_decompressed(frame, limit))


def _prove(reader: StoredReader) -> None:
    """Go through a frame's blocks and read none. Raises ValueError."""
    while not reader.ended:
        reader.block()


def _decompressed(frame: memoryview, limit: int) -> bytes:
    """Return the content of any frame, by the library."""
    if len(frame) > limit:
        raise ValueError(f"it has {len(frame)} bytes, {limit} are allowed where it is compressed")
    zstd = _library()
    reader = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW})
    try:
        content: bytes = reader.decompress(bytes(frame), max_length=limit + 1)
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
