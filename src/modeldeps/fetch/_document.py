"""Fetch a small document: an index page, a package's metadata."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modeldeps.errors import (
    BrokenTransferError,
    NotFoundError,
    RefusedError,
    SourceError,
    UnreachableError,
    redact,
)
from modeldeps.fetch._leash import Leash
from modeldeps.fetch._open import transport
from modeldeps.fetch._retry import Patience
from modeldeps.fetch._transport import Request
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_TIME = 60.0
"""Seconds in which a document without a byte must be here, connections, redirects and retries included."""
MIN_RATE = 10_000
"""Bytes that must come in each second beyond that; so the limit of a document is one of its time, too."""


def read_url(url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
    """
    Return what lies at an http(s) or file URL, at most `limit` bytes.

    All attempts together have FIRST_TIME, and a second more for each MIN_RATE of the bytes that came.
    Raises NotFoundError where the source says that there is no such thing, and UnreachableError
    for everything else: no connection, a refusal, more than `limit` bytes, too slow.
    """
    patience, began = Patience(), time.monotonic()
    while True:
        leash = Leash(began + FIRST_TIME)
        try:
            return _read(url, limit, Request(url, headers=dict(headers or {}), leash=leash))
        except NotFoundError:
            raise
        except SourceError as error:
            if time.monotonic() >= leash.until:
                seconds = leash.until - began
                late = RefusedError(url, f"it did not come within {seconds:.0f} s ({error.reason})")
                raise UnreachableError(redact(url), [late]) from None
            if not patience.wait(error):
                raise UnreachableError(redact(url), [error]) from None


def _read(url: str, limit: int, request: Request) -> bytes:
    data, until = bytearray(), request.leash.until
    with transport(url).open(request) as body:
        _bound(url, body.size or 0, limit)
        for block in body.blocks:
            data += block
            _bound(url, len(data), limit)
            request.leash.until = until + len(data) / MIN_RATE
            if time.monotonic() > request.leash.until:
                raise BrokenTransferError(url, f"{len(data)} bytes came")
    if body.size is not None and len(data) != body.size:
        raise BrokenTransferError(url, f"it ended after {len(data)} of {body.size} bytes")
    return bytes(data)


def _bound(url: str, size: int, limit: int) -> None:
    if size > limit:
        raise RefusedError(url, f"it is larger than {format_bytes(limit)}")
