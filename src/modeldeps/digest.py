"""sha256 digests: the only way in which bytes are named and trusted here."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BLOCK = 1 << 20
"""Bytes read at a time; large enough that hashing, not reading, is the cost."""

_HEX = frozenset("0123456789abcdef")


class Hash(Protocol):
    """A running digest, as hashlib makes them."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take in more bytes."""

    def hexdigest(self) -> str:
        """Return the digest so far, 64 lower-case hexadecimal digits."""


def new_hash() -> Hash:
    """Start an empty sha256 (FIPS 180-4)."""
    import hashlib  # noqa: PLC0415 - brings OpenSSL, 3 ms; load() hashes nothing but a few names

    return hashlib.sha256()


def short_key(data: bytes) -> str:
    """Return 16 hexadecimal digits of the sha256 of a few bytes, without OpenSSL where Python can."""
    try:
        built_in = import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:  # a Python that was built without it
        return sha256_bytes(data)[:16]
    return str(built_in.sha256(data).hexdigest()[:16])


def is_sha256(text: object) -> bool:
    """Tell whether a value is a sha256 digest in its one spelling: 64 lower-case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 64 and _HEX.issuperset(text)  # noqa: PLR2004 - 256 bits


def sha256_bytes(data: bytes | bytearray | memoryview) -> str:
    """Return the digest of bytes in memory."""
    running = new_hash()
    running.update(data)
    return running.hexdigest()


def record_digest(data: bytes) -> str:
    """Return the digest of bytes as RECORD spells it: `sha256=` and URL-safe base64 (PEP 376, PEP 427)."""
    from base64 import urlsafe_b64encode  # noqa: PLC0415 - load() needs none

    return f"sha256={urlsafe_b64encode(bytes.fromhex(sha256_bytes(data))).rstrip(b'=').decode('ascii')}"


def sha256_file(path: Path) -> str:
    """Return the digest of a file, read in blocks. Raises OSError."""
    with path.open("rb") as stream:
        return sha256_stream(stream)


def sha256_stream(stream: IO[bytes], tell: Callable[[int], None] | None = None) -> str:
    """Return the digest of what is left in a stream; `tell` hears the length of each block."""
    running = new_hash()
    for block in _blocks(stream):
        running.update(block)
        if tell is not None:
            tell(len(block))
    return running.hexdigest()


def _blocks(stream: IO[bytes]) -> Iterator[memoryview]:
    """Read a stream into one buffer again and again."""
    buffer = memoryview(bytearray(BLOCK))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        yield buffer[:count]
