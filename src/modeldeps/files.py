"""Write files so that a reader sees the old one or the new one, and never a part."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TRIES = 10
"""How often a rename is tried that Windows refuses while somebody reads the old file."""
PAUSE = 0.01
"""Seconds before the second try; doubled each time, 5 s in all."""

_NO_FLUSH = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def write_atomically(target: Path, data: bytes, *, durable: bool = True) -> None:
    """
    Write beside the target, flush to disk, replace. The target is whole at every moment. Raises OSError.

    With `durable` the bytes and the new name survive a power cut (the folder is flushed where
    the system can).
    """
    scratch = target.with_name(f".{target.name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with scratch.open("xb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                flush_file(stream.fileno())
        replace(scratch, target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(target.parent)


def rewrite(file: Path, data: bytes) -> None:
    """Give a file other bytes: its mode stays, and so does a link to it. Raises OSError."""
    target = file.resolve()
    mode = target.stat().st_mode
    write_atomically(target, data)
    target.chmod(mode)


def replace(source: Path, target: Path) -> None:
    """Rename over the target; try again where Windows refuses for a moment. Raises OSError."""
    if os.name != "nt":
        source.replace(target)
        return
    for number in range(TRIES):
        try:
            if target.exists():
                target.chmod(stat.S_IWRITE)
            source.replace(target)
        except PermissionError:  # noqa: PERF203 - ten rounds at most
            if number == TRIES - 1:
                raise
            time.sleep(PAUSE * 2**number)
        else:
            return


if sys.platform == "darwin":
    import fcntl

    def flush_file(handle: int) -> None:
        """
        Bring what was written through a handle to the disk itself. Raises OSError.

        On macOS fsync stops at the drive's own memory, F_FULLFSYNC does not (fsync(2)); where the
        file system does not know it, fsync is all there is.
        """
        try:
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in _NO_FLUSH | {errno.ENOTTY}:
                raise
            os.fsync(handle)
else:

    def flush_file(handle: int) -> None:
        """Bring what was written through a handle to the disk itself. Raises OSError."""
        os.fsync(handle)


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to disk; Windows, and some network and user-space systems, can't be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        flush_file(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(handle)
