"""The head of an HTTP/1 answer: its status, its fields, and how long its body is (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_HEAD = 1 << 16
"""Bytes of a head, at most."""
MAX_FIELDS = 200
"""Fields of a head, at most."""

_STATUS = re.compile(r"HTTP/1\.([0-9]) ([0-9]{3})(?: [^\r\n\0]*)?", re.ASCII)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_BODILESS = frozenset({204, 304})
_MAX_DIGITS = 18


class WireError(Exception):
    """The other side does not speak HTTP, or stopped; its text is one of ours."""


class LyingError(WireError):
    """The other side's head contradicts itself; asking again won't change that."""


@dataclass(frozen=True)
class Head:
    """The head of an answer."""

    status: int
    """Three digits."""
    minor: int
    """0 for HTTP/1.0, which closes after each answer; 1 for HTTP/1.1; 2 stands for HTTP/2."""
    fields: dict[str, list[str]] = field(default_factory=dict)
    """Values by name; names in lower case."""

    def get(self, name: str) -> str:
        """Return the values of a field, joined by commas, or nothing."""
        return ", ".join(self.fields.get(name, ()))

    @property
    def closes(self) -> bool:
        """The connection is of no use after this answer."""
        words = {word.strip().lower() for word in self.get("connection").split(",")}
        doubtful = self.is_chunked and "content-length" in self.fields  # RFC 9112, section 6.3
        return doubtful or "close" in words or (self.minor == 0 and "keep-alive" not in words)

    @property
    def is_chunked(self) -> bool:
        """The body comes in pieces that say their length."""
        return "transfer-encoding" in self.fields

    @property
    def length(self) -> int | None:
        """Bytes of the body, or None where only its end tells; 0 where there is none."""
        if self.status in _BODILESS:
            return 0
        values = self.fields.get("content-length")
        return int(values[0]) if values and not self.is_chunked else None


def parse_head(data: bytes) -> Head:
    """Read a head, its last empty line included. Raises WireError, LyingError."""
    lines = data.decode("latin-1").split("\n")
    status = _STATUS.fullmatch(lines[0].removesuffix("\r"))
    if status is None:
        raise WireError("what it answers is not HTTP")
    if len(lines) > MAX_FIELDS:
        raise WireError(f"its answer has more than {MAX_FIELDS} fields")
    fields: dict[str, list[str]] = {}
    for line in lines[1:]:
        if text := line.removesuffix("\r"):
            name, value = _field(text)
            fields.setdefault(name, []).append(value)
    head = Head(int(status[2]), int(status[1]), fields)
    check_framing(head)
    return head


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not _NAME.fullmatch(name) or "\r" in value or "\0" in value:
        raise WireError("a field of its answer is not HTTP")
    return name.lower(), value.strip(" \t")


def check_framing(head: Head) -> None:
    """Check that a head names one length of its body (RFC 9112, section 6.3). Raises LyingError."""
    if head.is_chunked and (head.get("transfer-encoding").lower() != "chunked" or not head.minor):
        raise LyingError("it sends the bytes in a form that was not asked for")
    lengths = {one.strip() for value in head.fields.get("content-length", ()) for one in value.split(",")}
    if len(lengths) > 1:
        raise LyingError("it names two lengths")
    if any(not (one.isascii() and one.isdigit() and len(one) <= _MAX_DIGITS) for one in lengths):
        raise LyingError("it names a length that is no number")
    if lengths:
        head.fields["content-length"] = [*lengths]
