"""The members of a zip file, such as a wheel: their sizes, and their bytes. Archives are hostile input."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_DIRECTORY = 64 << 20
"""Bytes of an archive's directory that are read; a wheel of 100,000 files has about 10 MB."""
_END = struct.Struct("<4s4H2LH")  # end of central directory record (APPNOTE.TXT, 4.3.16)


def looks_like_zip(path: Path) -> bool:
    """Tell from its first bytes whether a file is a zip file."""
    try:
        with path.open("rb", buffering=0) as stream:
            return stream.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def members(path: Path) -> list[tuple[str, int]]:
    """Return name and size of each member that can be read; nothing for what is no zip file."""
    import zipfile  # noqa: PLC0415 - only where archives are searched

    try:
        if not _is_bounded(path):
            return []
        with zipfile.ZipFile(path) as archive:
            found = [one for one in archive.infolist() if not one.is_dir() and not one.flag_bits & 1]
            return [(one.filename, one.file_size) for one in found]
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        return []


def _is_bounded(path: Path) -> bool:
    """Tell whether the directory of an archive, which zipfile reads at once, is of a sane size."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _END.size - (1 << 16)))
        tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return False
    length: int = _END.unpack_from(tail, at)[5]
    return length <= MAX_DIRECTORY  # also false for the mark of a 64-bit archive, which no wheel needs


@contextmanager
def opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """Open a member for reading; whatever is wrong with it is an OSError."""
    import zipfile  # noqa: PLC0415 - only where archives are searched

    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
            member = stack.enter_context(archive.open(name))
        except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, ValueError) as error:
            raise OSError(f"{name}: {error}") from None
        yield cast("IO[bytes]", _Member(member))


class _Member:
    """A member whose every failure is an OSError."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, count: int) -> bytes:
        """Return at most so many bytes; nothing at the end. Raises OSError."""
        try:
            return self._stream.read(count)
        except _broken() as error:
            raise OSError(str(error)) from None

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer as far as one read does, and return how far. Raises OSError."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _broken() -> tuple[type[Exception], ...]:
    """Return what the decompressors raise for broken bytes; some Pythons lack one of them."""
    from zipfile import BadZipFile  # noqa: PLC0415 - only where archives are searched

    found = (BadZipFile, EOFError, RuntimeError, ValueError, zlib.error)
    try:
        from lzma import LZMAError  # noqa: PLC0415 - as above
    except ImportError:
        return found
    return (*found, LZMAError)
