"""The transport of `file://`: regular files of this machine, mounted folders and sticks."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from modeldeps.errors import BrokenTransferError, NotFoundError, RefusedError
from modeldeps.fetch._transport import MAX_BLOCK, Body, Request, open_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.errors import SourceError


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
            raise NotFoundError(url) from None
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
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedError(url, "it is no URL that can be asked") from None
    if parts.netloc not in ("", "localhost"):
        raise RefusedError(url, "it names another machine; mount its folder and name that")
    if "\0" in (text := unquote(parts.path, errors="surrogateescape")):
        raise RefusedError(url, "there is no such path")
    if os.name == "nt":
        from urllib.request import url2pathname  # noqa: PLC0415 - only Windows needs it

        return Path(url2pathname(parts.path))
    return Path(text)


def _words(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
