"""Wrap bytes as gzip without compressing them, so that they come out the same with every version of zlib."""

from __future__ import annotations

import struct
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Deflate, no flags, no time, no system (RFC 1952, section 2.3)."""
BLOCK = 0xFFFF
"""Bytes of a stored block (RFC 1951, section 3.2.4)."""


class StoredGzip:
    """A stream of gzip around another stream; both are written in order."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._size = self._crc = 0
        stream.write(HEADER)

    def __enter__(self) -> StoredGzip:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def write(self, data: bytes) -> int:
        """Take in more bytes."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._rest += data
        for at in range(0, len(self._rest) - BLOCK, BLOCK):
            self._block(bytes(self._rest[at : at + BLOCK]), last=False)
        del self._rest[: (len(self._rest) - 1) // BLOCK * BLOCK if self._rest else 0]
        return len(data)

    def close(self) -> None:
        """Write the last block and the sums; the other stream stays open."""
        self._block(bytes(self._rest), last=True)
        self._stream.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))

    def _block(self, data: bytes, *, last: bool) -> None:
        self._stream.write(struct.pack("<BHH", int(last), len(data), len(data) ^ BLOCK) + data)
