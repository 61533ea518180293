"""
Serve one file whose every write and flush is written down, by a file system in user space.

python logging_disk.py IMAGE FOLDER LOG

FOLDER then holds `disk`, with the bytes of IMAGE, and `mark`: what is written there stands in the log
between what happened to the disk before and after. The messages are those of fuse(4), version 7.31, as
include/uapi/linux/fuse.h has them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = struct.Struct("<cQI")
"""What stands before each record of the log: its kind (`W`, `F`, `M`), offset, length."""

_REQUEST = struct.Struct("<IIQQIIII")
_ROOT, _DISK, _MARK = 1, 2, 3
_NAMES = {b"disk": _DISK, b"mark": _MARK}
_MOST = 1 << 20
"""Bytes of one write."""
_BIG_WRITES, _MAX_PAGES = 1 << 5, 1 << 22
_LONG = 3600
"""Seconds for which the kernel may remember what it was told."""
_SILENT = frozenset({2, 36, 42})  # FORGET, INTERRUPT, BATCH_FORGET


def copy_image(source: Path, target: Path) -> None:
    """Copy an image with its holes."""
    with source.open("rb") as old, target.open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        at = 0
        while at < size:
            try:
                start = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: the rest is a hole
                break
            at = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            os.pwrite(new.fileno(), os.pread(old.fileno(), at - start, start), start)


class Server:
    """Answer what the kernel asks about the two files."""

    def __init__(self, image: Path, folder: str, log: str) -> None:
        self._kernel = os.open("/dev/fuse", os.O_RDWR)
        self._size = image.stat().st_size
        own = Path(f"{log}.disk")
        copy_image(image, own)
        self._disk = os.open(own, os.O_RDWR)
        own.unlink()
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = bytes
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            1: self._look_up,
            3: lambda node, _: self._status(node),  # GETATTR
            4: lambda node, _: self._status(node),  # SETATTR
            14: lambda *_: bytes(16),  # OPEN
            15: self._read,
            16: self._write,
            17: lambda *_: struct.pack("<QQQQQIIII", *[1 << 30] * 3, 9, 9, 4096, 255, 4096, 0).ljust(
                80, b"\0"
            ),
            18: lambda *_: nothing(),  # RELEASE
            20: self._flush,
            25: lambda *_: nothing(),  # FLUSH, which is the end of a handle, and brings nothing to disk
            26: self._begin,
            27: lambda *_: bytes(16),  # OPENDIR
            29: lambda *_: nothing(),  # RELEASEDIR
            38: lambda *_: nothing(),  # DESTROY
        }
        options = f"fd={self._kernel},rootmode=40000,user_id=0,group_id=0".encode()
        system = ctypes.CDLL(None, use_errno=True)
        if system.mount(b"modeldeps", folder.encode(), b"fuse.modeldeps", 0, options):
            raise OSError(ctypes.get_errno(), "mount")

    def run(self) -> None:
        """Serve until the file system is unmounted."""
        while True:
            try:
                message = os.read(self._kernel, _MOST + 4096)
            except OSError as error:
                if error.errno == errno.ENODEV:
                    return
                raise
            _, number, unique, node, *_ = _REQUEST.unpack_from(message)
            if number not in _SILENT:
                self._reply(unique, *self._answer(number, node, message[_REQUEST.size :]))

    def _reply(self, unique: int, answer: bytes, code: int) -> None:
        os.writev(self._kernel, [struct.pack("<IiQ", 16 + len(answer), -code, unique), answer])

    def _answer(self, number: int, node: int, body: bytes) -> tuple[bytes, int]:
        """Return an answer, and 0 or the number of an error."""
        if number not in self._answers:
            return b"", errno.ENOSYS
        try:
            return self._answers[number](node, body), 0
        except OSError as error:
            return b"", error.errno or errno.EIO

    def _begin(self, _: int, body: bytes) -> bytes:
        """INIT."""
        del body
        flags, pages = _BIG_WRITES | _MAX_PAGES, _MOST // 4096
        return struct.pack("<IIIIHHIIHH", 7, 31, _MOST, flags, 16, 12, _MOST, 1, pages, 0).ljust(64, b"\0")

    def _look_up(self, _: int, body: bytes) -> bytes:
        """LOOKUP."""
        node = _NAMES.get(body.rstrip(b"\0"))
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "no such file")
        return struct.pack("<QQQQII", node, 0, _LONG, _LONG, 0, 0) + self._attributes(node)

    def _status(self, node: int) -> bytes:
        return struct.pack("<QII", _LONG, 0, 0) + self._attributes(node)

    def _attributes(self, node: int) -> bytes:
        mode, size = (stat.S_IFDIR | 0o700, 0) if node == _ROOT else (stat.S_IFREG | 0o600, 0)
        if node == _DISK:
            size = self._size
        return struct.pack("<6Q3I7I", node, size, size // 512, *[0] * 6, mode, 1, 0, 0, 0, 4096, 0)

    def _read(self, node: int, body: bytes) -> bytes:
        _, offset, count = struct.unpack_from("<QQI", body)
        return os.pread(self._disk, count, offset) if node == _DISK else b""

    def _write(self, node: int, body: bytes) -> bytes:
        _, offset, count = struct.unpack_from("<QQI", body)
        data = body[40 : 40 + count]
        if node == _DISK:
            os.pwrite(self._disk, data, offset)
        self._note(b"W" if node == _DISK else b"M", offset, data)
        return struct.pack("<II", count, 0)

    def _flush(self, node: int, body: bytes) -> bytes:
        """FSYNC: everything that was written before is on the disk, for good."""
        del body
        if node == _DISK:
            self._note(b"F", 0, b"")
        return b""

    def _note(self, kind: bytes, offset: int, data: bytes) -> None:
        os.writev(self._log, [RECORD.pack(kind, offset, len(data)), data])


if __name__ == "__main__":
    Server(Path(sys.argv[1]), *sys.argv[2:]).run()
