"""The head of an HTTP/1 answer: its status, its fields, and how long its body is (RFC 9112)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HEAD = 1 << 16
"""Bytes of a head, at most."""
MAX_FIELDS = 200
"""Fields of a head, at most."""

_STATUS = re.compile(r"HTTP/1\.([0-9]) ([0-9]{3})(?: [^\r\n\0]*)?\r?\n", re.ASCII)
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)\r?", re.ASCII)
"""A field, without the end of its line; one that goes on in the next line is none (RFC 9112, section 5.2)."""
_BODILESS = frozenset({204, 304})
_MAX_DIGITS = 18
_SHORT = 100
"""Characters of a field that is remembered, at most."""
_SINGLE = {"location": "two places", "content-range": "two ranges"}
"""Fields of which an answer has one; where it has two, readers differ in which they take."""


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
        if self.minor and "connection" not in self.fields and "transfer-encoding" not in self.fields:
            return False
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
    text = data.decode("latin-1")
    status = _STATUS.match(text)
    if status is None:
        raise WireError("what it answers is not HTTP")
    if text.count("\n") > MAX_FIELDS:
        raise WireError(f"its answer has more than {MAX_FIELDS} fields")
    fields: dict[str, list[str]] = {}
    for line in text[status.end() :].split("\n"):
        if line and line != "\r":
            name, value = _field(line) if len(line) <= _SHORT else _field.__wrapped__(line)
            if name in fields:
                fields[name].append(value)
            else:
                fields[name] = [value]
    head = Head(int(status[2]), int(status[1]), fields)
    check_framing(head)
    return head


@lru_cache(maxsize=256)
def _field(line: str) -> tuple[str, str]:
    """Read a field; a server says most of them in each answer alike. Raises WireError."""
    found = _FIELD.fullmatch(line)
    if found is None:
        raise WireError("a field of its answer is not HTTP")
    return found[1].lower(), found[2].rstrip(" \t")


def check_framing(head: Head) -> None:
    """
    Check that a head names one length of its body (RFC 9112, section 6.3), one range and one target.

    Fields that say the same twice count as one. Raises LyingError.
    """
    for name in _SINGLE:
        if len(values := head.fields.get(name, ())) > 1:
            _agree(head, name, values)
    if "content-length" not in head.fields and "transfer-encoding" not in head.fields:
        return
    if head.is_chunked and (head.get("transfer-encoding").lower() != "chunked" or not head.minor):
        raise LyingError("it sends the bytes in a form that was not asked for")
    values = head.fields.get("content-length", ())
    if len(values) == 1 and len(values[0]) <= _MAX_DIGITS and values[0].isascii() and values[0].isdigit():
        return
    lengths = {one.strip() for value in values for one in value.split(",")}
    if len(lengths) > 1:
        raise LyingError("it names two lengths")
    if any(not (one.isascii() and one.isdigit() and len(one) <= _MAX_DIGITS) for one in lengths):
        raise LyingError("it names a length that is no number")
    if lengths:
        head.fields["content-length"] = [*lengths]


def _agree(head: Head, name: str, values: Sequence[str]) -> None:
    """Let a field that is said several times count once. Raises LyingError where the values differ."""
    if len(set(values)) > 1:
        raise LyingError(f"it names {_SINGLE[name]}")
    head.fields[name] = [values[0]]
