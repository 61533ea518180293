"""
Where the chunks of blobs lie, so that a new version takes from an old one what did not change.

What is known is a record in one of 256 files, by the first byte of the chunk's digest: 16 bytes of
that digest, the blob's digest, the offset as eight bytes. Files are only appended to. They are
hints: a record may be torn, stale or a lie, and what is copied by it is proved like anything else.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.files import make_folder, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from modeldeps.manifest import Chunk, File

_FEW = 4
"""Places of one chunk that are tried."""
_KEY = 16
_DIGEST = 32
_RECORD = _KEY + _DIGEST + 8
_MOST = 64 << 20
"""Bytes of one file that are looked at."""
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)

_LOOK = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True)
class Known:
    """Where a chunk may be had on this machine."""

    blob: str
    """Digest of the blob that holds it."""
    offset: int
    """Offset of its first byte there."""


def remember(folder: Path, file: File) -> None:
    """Write down the chunks of a blob that landed. A disk that refuses loses a hint, nothing else."""
    if len(file.chunks) < 2:  # noqa: PLR2004 - a file of one chunk is found by its own digest
        return
    blob = bytes.fromhex(file.sha256)
    records: dict[str, bytearray] = {}
    for chunk in file.chunks:
        key = bytes.fromhex(chunk.sha256)
        record = key[:_KEY] + blob + chunk.offset.to_bytes(8, "big")
        records.setdefault(chunk.sha256[:2], bytearray()).extend(record)
    with suppress(OSError):
        make_folder(folder)
        for name, data in records.items():
            _append(folder / name, data)


def _append(path: Path, data: bytes | bytearray) -> None:
    handle = os.open(path, _APPEND, 0o666)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


def look_up(folders: Sequence[Path], chunks: Mapping[int, Chunk]) -> dict[int, list[Known]]:
    """Return by the chunks' numbers where each may be had; one that is nowhere is left out."""
    wanted: dict[str, list[int]] = {}
    for index, chunk in chunks.items():
        wanted.setdefault(chunk.sha256[:2], []).append(index)
    found: dict[int, list[Known]] = {}
    for folder in folders:
        for name, indexes in wanted.items():
            keys = {index: bytes.fromhex(chunks[index].sha256)[:_KEY] for index in indexes}
            places = _all_places(_read(folder / name), set(keys.values()))
            for index, key in keys.items():
                if there := places.get(key):
                    found.setdefault(index, []).extend(there)
    return found


def _all_places(data: bytes, keys: set[bytes]) -> dict[bytes, list[Known]]:
    """Return the last records of chunks; where no record is torn, in one walk."""
    if len(data) % _RECORD:
        return {key: _places(data, key) for key in keys}
    found: dict[bytes, list[Known]] = {}
    for at in range(len(data) - _RECORD, -1, -_RECORD):
        key = data[at : at + _KEY]
        if key in keys and len(there := found.setdefault(key, [])) < _FEW:
            there.append(_known(data[at : at + _RECORD]))
    return found


def _known(record: bytes) -> Known:
    blob = record[_KEY : _KEY + _DIGEST].hex()
    return Known(blob, int.from_bytes(record[_KEY + _DIGEST :], "big"))


def _read(path: Path) -> bytes:
    """Return what a file of hints says; nothing for what is no file, such as a pipe that never ends."""
    try:
        with os.fdopen(os.open(path, _LOOK), "rb") as stream:
            return stream.read(_MOST) if stat.S_ISREG(os.fstat(stream.fileno()).st_mode) else b""
    except OSError:
        return b""


def _places(data: bytes, key: bytes) -> list[Known]:
    """Return the last records of a chunk; records need not lie in step, a torn one moves those after it."""
    found: list[Known] = []
    at = len(data)
    while len(found) < _FEW and (at := data.rfind(key, 0, at + _KEY - 1 if at < len(data) else at)) >= 0:
        record = data[at : at + _RECORD]
        if len(record) == _RECORD:
            found.append(_known(record))
    return found


def compact(folder: Path, alive: Callable[[str], bool]) -> None:
    """
    Write the files anew without the blobs that are gone and without doubles. Raises OSError.

    What another process appends meanwhile may be lost: hints.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in sorted(folder.iterdir()):
            if len(path.name) == 2 and path.is_file() and not path.is_symlink():  # noqa: PLR2004 - hexadecimal digits
                _compact(path, alive)


def _compact(path: Path, alive: Callable[[str], bool]) -> None:
    data = _read(path)
    kept = b"".join(_kept(data, alive))
    if not kept:
        path.unlink(missing_ok=True)
    elif kept != data:
        write_atomically(path, kept, durable=False)


def _kept(data: bytes, alive: Callable[[str], bool]) -> Iterable[bytes]:
    records = (data[at : at + _RECORD] for at in range(0, len(data) - _RECORD + 1, _RECORD))
    return [one for one in dict.fromkeys(records) if alive(one[_KEY : _KEY + _DIGEST].hex())]
