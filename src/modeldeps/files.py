"""Write files so that a reader sees the old one or the new one, and never a part."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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
                os.fsync(stream.fileno())
        scratch.replace(target)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to disk; Windows, and some network and user-space systems, can't be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
    finally:
        os.close(handle)
