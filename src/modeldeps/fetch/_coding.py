"""Bodies that a server compressed though nobody asked for it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from modeldeps.errors import BrokenTransferError, RefusedError
from modeldeps.fetch._transport import MAX_BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.fetch._transport import Block

GZIP = frozenset({"gzip", "x-gzip"})
CODINGS = GZIP | {"deflate"}
"""What is understood (RFC 9110, section 8.4.1)."""
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15
_DEFLATE = 8
_LEAST, _EXPANSION = 1 << 20, 16
"""Compressed bytes that may come for nothing, and beyond them for each byte that they mean."""


def decoded(blocks: Iterator[Block], coding: str, url: str) -> Iterator[Block]:
    """
    Yield what compressed bytes mean, in blocks of at most MAX_BLOCK, however much that is.

    Raises RefusedError where they mean nothing, BrokenTransferError where they stop too early.
    """
    inflate, taken, given = None, 0, 0
    for block in blocks:
        data = bytes(block)
        taken += len(data)
        while data:
            if inflate is None:
                inflate = zlib.decompressobj(_bits(coding, data))
            for piece in _pieces(inflate, data, url):
                given += len(piece)
                yield piece
            data, inflate = inflate.unused_data, None if inflate.eof else inflate
        if taken > _LEAST + _EXPANSION * given:  # it could go on for ever
            raise RefusedError(url, "it sends compressed bytes that mean next to nothing")
    if inflate is not None:
        raise BrokenTransferError(url, "the connection was closed before the end")


def _pieces(inflate: zlib._Decompress, data: bytes, url: str) -> Iterator[bytes]:
    while not inflate.eof:
        try:
            piece = inflate.decompress(data, MAX_BLOCK)
        except zlib.error:
            raise RefusedError(url, "it sends compressed bytes that can't be read") from None
        if piece:
            yield piece
        data = inflate.unconsumed_tail
        if not data and len(piece) < MAX_BLOCK:
            return


def _bits(coding: str, data: bytes) -> int:
    """Return the format: some servers send deflate without the frame that it should have."""
    if coding in GZIP:
        return _GZIP_BITS
    framed = data[0] & 15 == _DEFLATE and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)  # noqa: PLR2004 - RFC 1950
    return _ZLIB_BITS if framed else _RAW_BITS
