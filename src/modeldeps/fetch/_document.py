"""Fetch a small document: an index page, a package's metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors import (
    BrokenTransferError,
    NotFoundError,
    RefusedError,
    SourceError,
    UnreachableError,
    redact,
)
from modeldeps.fetch._open import transport
from modeldeps.fetch._retry import Patience
from modeldeps.fetch._transport import Request
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_url(url: str, *, limit: int, headers: Mapping[str, str] | None = None) -> bytes:
    """
    Return what lies at an http(s) or file URL, at most `limit` bytes.

    Raises NotFoundError where the source says that there is no such thing, and UnreachableError
    for everything else: no connection, a refusal, more than `limit` bytes.
    """
    patience = Patience()
    while True:
        try:
            return _read(url, limit, dict(headers or {}))
        except NotFoundError:  # noqa: PERF203 - one request a round
            raise
        except SourceError as error:
            if not patience.wait(error):
                raise UnreachableError(redact(url), [error]) from None


def _read(url: str, limit: int, headers: dict[str, str]) -> bytes:
    data = bytearray()
    with transport(url).open(Request(url, headers=headers)) as body:
        _bound(url, body.size or 0, limit)
        for block in body.blocks:
            data += block
            _bound(url, len(data), limit)
    if body.size is not None and len(data) != body.size:
        raise BrokenTransferError(url, f"it ended after {len(data)} of {body.size} bytes")
    return bytes(data)


def _bound(url: str, size: int, limit: int) -> None:
    if size > limit:
        raise RefusedError(url, f"it is larger than {format_bytes(limit)}")
