"""The transport of `file://`: regular files of this machine, mounted folders and sticks."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.errors import BrokenTransferError, NotFoundError, RefusedError
from modeldeps.fetch import _file_url
from modeldeps.fetch._transport import MAX_BLOCK, Body, Request, open_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.errors import SourceError


_INNER = ("blobs", "simple")
"""Folders that each channel has."""


class FileTransport:
    """Open `file://` URLs."""

    def open(self, request: Request) -> Body:
        """Open a regular file; a device, a pipe or a folder is refused."""
        url, start = request.url, request.start
        path = file_path(url)
        try:
            # a pipe must not block the open
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except (FileNotFoundError, NotADirectoryError):
            raise _missing(url, path) from None
        except OSError as error:
            raise RefusedError(url, _words(error)) from None
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            raise RefusedError(url, "it is not a regular file")
        stream = FileIO(handle, "rb")
        stream.seek(start)
        end = max(start, min(status.st_size, status.st_size if request.end is None else request.end))
        return Body(start, status.st_size, _blocks(stream, url, end - start), stream.close, end=end)

    def open_each(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """Open several files in order."""
        return open_in_turn(self, requests)


def _missing(url: str, path: Path) -> SourceError:
    """Return what is missing: the file, or with it the whole folder of the channel that it should be in."""
    parts = path.parts
    inner = [at for at, part in enumerate(parts) if part in _INNER and at > 0]
    channel = Path(*parts[: inner[-1]]) if inner else path.parent
    if channel.is_dir():
        return NotFoundError(url)
    reason = "is no folder" if os.path.lexists(channel) else "is not there"
    advice = f"mount {channel}, or correct it where the channels or mirrors are set"
    return RefusedError(url, f"its folder {channel} {reason}", advice=advice)


def _blocks(stream: FileIO, url: str, count: int) -> Iterator[memoryview]:
    memory = memoryview(bytearray(min(MAX_BLOCK, count)))
    while count > 0:
        try:
            got = stream.readinto(memory[:count]) or 0
        except OSError as error:
            raise BrokenTransferError(url, _words(error)) from None
        if not got:
            return
        count -= got
        yield memory[:got]


def file_path(url: str) -> Path:
    """Return the path that a `file://` URL means. Raises RefusedError where it is none of this machine's."""
    return Path(_file_url.file_path(url, windows=os.name == "nt"))


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
