"""What an answer means for the request that it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field
from modeldeps.errors import BrokenTransferError, DeniedError, NotFoundError, RefusedError
from modeldeps.fetch import _reasons
from modeldeps.fetch._coding import CODINGS, decoded
from modeldeps.fetch._pace import Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.errors import SourceError
    from modeldeps.fetch._head import Head
    from modeldeps.fetch._transport import Block, Request

_WHOLE, _PART = 200, 206
_GONE = frozenset({404, 410})
_DENIED = frozenset({401, 403})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_LATER = frozenset({429, 503})
_BEYOND = 416
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_NO_RANGE = re.compile(r"bytes \*/(\d{1,18})", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """An answer that brings bytes."""

    url: str = field(repr=False)
    """Who gave it."""
    start: int
    """Offset of the first byte."""
    size: int | None
    """Bytes of the whole thing, or None."""
    count: int | None
    """Bytes that come, or None."""
    coding: str = ""
    """How they are compressed."""

    @property
    def end(self) -> int | None:
        """Offset after the last byte that comes, or None."""
        return None if self.count is None else self.start + self.count

    def blocks(self, raw: Iterator[Block]) -> Iterator[Block]:
        """Yield the bytes, checked for their number and their pace. Raises SourceError."""
        found = _counted(raw, self.count, self.url)
        return decoded(found, self.coding, self.url) if self.coding else found


def judge(head: Head, url: str, asked: Request, *, sent: str) -> Answer:
    """Return what an answer brings. Raises SourceError where that is nothing, or not what was asked for."""
    is_range = asked.start > 0 or asked.end is not None
    if head.status != _WHOLE and not (head.status == _PART and is_range):
        raise _refusal(head, url, sent)
    coding = head.get("content-encoding").strip().lower()
    if coding not in ("", "identity") and (head.status == _PART or coding not in CODINGS):
        raise RefusedError(url, f"it sends the bytes encoded ({ascii(coding)[:40]}), which was not asked for")
    if head.status == _PART:
        return _part(head, url, asked)
    if coding in CODINGS:
        return Answer(url, 0, None, None, coding)
    return Answer(url, 0, head.length, head.length)


def _refusal(head: Head, url: str, sent: str) -> SourceError:
    status = head.status
    words = f"{status} {_reasons.phrase(status)}"
    if status in _GONE:
        return NotFoundError(url, f"{status}, it is not there")
    if status in _BUSY:
        wait = _reasons.retry_after(head.get("retry-after"))
        return BrokenTransferError(url, words, retry_after=wait, busy=status in _LATER)
    if status in _DENIED:
        return DeniedError(url, words, sent=sent)
    if status == _BEYOND and (found := _NO_RANGE.fullmatch(head.get("content-range"))):
        return RefusedError(url, f"{words}: it has {found[1]} bytes")
    return RefusedError(url, words)


def _part(head: Head, url: str, asked: Request) -> Answer:
    """Check the range of a 206 answer (RFC 9110, section 14.4) against what was asked for."""
    if head.get("content-type").lower().startswith("multipart/byteranges"):
        raise RefusedError(url, "it answers a request for one range with several")
    found = _RANGE.fullmatch(head.get("content-range"))
    if found is None or not _fits(int(found[1]), int(found[2]) + 1, found[3], asked):
        until = "on" if asked.end is None else f"to {asked.end - 1}"
        raise RefusedError(
            url, f"it answers a request for the bytes from {asked.start} {until} with another range"
        )
    count = int(found[2]) + 1 - asked.start
    if head.length not in (None, count):
        raise RefusedError(url, f"it announces {head.length} bytes for a range of {count}")
    return Answer(url, asked.start, None if found[3] == "*" else int(found[3]), count)


def _fits(start: int, end: int, size: str, asked: Request) -> bool:
    """Tell whether a range is the one that was asked for, its end cut to the size of the thing."""
    if start != asked.start or end <= start:
        return False
    if size == "*":
        return asked.end in (None, end)
    return end == (int(size) if asked.end is None else min(asked.end, int(size)))


def _counted(raw: Iterator[Block], count: int | None, url: str) -> Iterator[Block]:
    pace, seen = Pace(url), 0
    for block in raw:
        seen += len(block)
        if count is not None and seen > count:
            raise RefusedError(url, f"it sends more than the {count} bytes that it announced")
        pace.check(len(block))
        yield block
    if count is not None and seen < count:
        raise BrokenTransferError(url, f"it ended after {seen} of {count} bytes")
