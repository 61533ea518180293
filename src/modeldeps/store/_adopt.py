"""
Blobs out of files that are on this machine already.

The bytes are shared where the system can: by a reflink, else by a hard link, else they are copied.
The owner's file is never touched. A blob that is a hard link keeps the owner's mode and times, so it
is stamped, not sealed; when the owner alters his file, the stamp tells before the blob is used again.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
import time
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash, sha256_stream
from modeldeps.files import flush_file, flush_folder, replace
from modeldeps.store import _lock, _trust
from modeldeps.store._clone import clone
from modeldeps.store._elsewhere import candidates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from modeldeps.manifest import File
    from modeldeps.store._layout import Layout

TICK = 0.05
"""Seconds after which two changes of a file have two times of modification; Linux takes up to 10 ms."""
_OPEN = (os.O_RDWR if os.name == "nt" else os.O_RDONLY) | getattr(
    os, "O_BINARY", 0
)  # Windows flushes no reader
_OPEN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class How(Enum):
    """How the bytes of a blob came from a file."""

    REFLINK = "reflink"
    """They share their blocks until one of the two is written; needs no room."""
    LINK = "hard link"
    """They are one file with two names; needs no room."""
    COPY = "copy"
    """They are two files."""


def adopt_known(layout: Layout, file: File, *, stamps: _trust.Stamps) -> Path | None:
    """
    Return a blob made out of a file that another tool keeps under its digest, or None.

    None too while another process is at this blob. Raises OSError where the store can't be written.
    """
    for source in candidates(file):
        if take(layout, source, file, stamps=stamps):
            return layout.blob(file.sha256)
    return None


def take(
    layout: Layout, source: Path, file: File, *, stamps: _trust.Stamps, share: bool = True
) -> How | None:
    """
    Make a blob out of a file of somebody else, and tell how; None where it is not those bytes.

    Without `share` the blob is never a hard link. None too where the file can't be read, or while
    another process is at this blob. Raises OSError where the store can't be written.
    """
    if not _has_size(source, file.size):
        return None
    layout.prepare()
    with _turn(layout, file.sha256) as scratch:
        if scratch is None:
            return None
        try:
            handle = os.open(source, _OPEN)
        except OSError:
            return None
        with os.fdopen(handle, "rb", buffering=0) as stream:
            how, found, proved = _bring(source, stream, scratch, share=share and _is_private(layout.root))
        if found != file.sha256:
            return None
        if how is not How.LINK:
            proved = _seal(scratch, file.sha256)
        return how if _name(scratch, layout.blob(file.sha256), proved, file.sha256, stamps=stamps) else None


def _has_size(source: Path, size: int) -> bool:
    try:
        status = os.lstat(source)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


@contextmanager
def _turn(layout: Layout, digest: str) -> Iterator[Path | None]:
    """Hold the lock of a blob and give a name for a file of one's own; None where somebody else is at it."""
    lock, free = None, True
    with suppress(OSError):  # no locks here, or another user's: the scratch file is one of our own anyway
        lock = _lock.acquire(layout.partial / f"{digest}.lock")
        free = lock is not None
    scratch = layout.partial / f"{digest}.{os.getpid()}-{secrets.token_hex(8)}"
    try:
        yield scratch if free else None
    finally:
        scratch.unlink(missing_ok=True)
        if lock is not None:
            lock.release()


def _bring(source: Path, stream: BinaryIO, scratch: Path, *, share: bool) -> tuple[How, str, os.stat_result]:
    """Give the bytes a second name or a second file; return how, their digest, and what was hashed."""
    handle = stream.fileno()
    status = os.fstat(handle)
    if clone(handle, scratch):
        return How.REFLINK, _digest(scratch), status
    if share and may_link(status) and _link(source, scratch, status):
        before = _settled(handle)
        return How.LINK, _digest_of(stream), before
    return How.COPY, _copy(stream, scratch, status.st_size), status


def may_link(status: os.stat_result) -> bool:
    """
    Tell whether a file may become a blob under a second name.

    It may where nobody but this user can write it; what others can alter while it is in use is copied.
    """
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != _trust.user() or mode & stat.S_IWOTH:
        return False
    if os.name == "nt":
        return bool(mode & stat.S_IWUSR)  # a read-only one can't be removed again there without a change
    return not mode & stat.S_IWGRP or _is_alone(status.st_gid)


def _is_alone(group: int) -> bool:
    """Tell whether a group is this user's own, as many Linux systems make one for each user."""
    if sys.platform == "win32":
        return False
    import grp  # noqa: PLC0415 - there is none on Windows
    import pwd  # noqa: PLC0415 - likewise

    try:
        name, found = pwd.getpwuid(_trust.user()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}


def _is_private(root: Path) -> bool:
    """Tell whether a store is for this user alone; in one for several, each blob is a file of its own."""
    status = os.lstat(root)
    return status.st_uid == _trust.user() and not status.st_mode & (
        stat.S_IWGRP | stat.S_IWOTH | stat.S_ISGID
    )


def _link(source: Path, scratch: Path, opened: os.stat_result) -> bool:
    """Give an open file a second name; False where that fails, or where its path means another file now."""
    try:
        os.link(source, scratch)
    except OSError:
        return False
    if os.path.samestat(os.lstat(scratch), opened):
        return True
    scratch.unlink()
    return False


def _settled(handle: int) -> os.stat_result:
    """
    Bring a file to disk, and wait until whoever writes it from now on changes its time of modification.

    What was written through a map moves that time only after such a flush (mm/page-writeback.c).
    """
    flush_file(handle)
    if 0 <= time.time() - os.fstat(handle).st_mtime < TICK:
        time.sleep(TICK)
    return os.fstat(handle)


def _copy(stream: BinaryIO, scratch: Path, size: int) -> str:
    """Copy a file of that size, and return the digest of the copy; "" where the file can't be read."""
    running = new_hash()
    with scratch.open("xb", buffering=0) as target:
        while size >= 0 and (block := _read(stream)):
            size -= len(block)
            running.update(block)
            view = memoryview(block)
            while view:
                view = view[target.write(view) :]
    return running.hexdigest() if size == 0 else ""


def _read(stream: BinaryIO) -> bytes:
    """Return the next block of somebody's file; what can't be read ends it."""
    with suppress(OSError):
        return stream.read(BLOCK)
    return b""


def _digest(path: Path) -> str:
    with path.open("rb", buffering=0) as stream:
        return _digest_of(stream)


def _digest_of(stream: BinaryIO) -> str:
    """Return the digest of a file; "" where it can't be read."""
    with suppress(OSError):
        return sha256_stream(stream)
    return ""


def _seal(scratch: Path, digest: str) -> os.stat_result:
    """Make a file of our own a proved one, on disk. Raises OSError."""
    with scratch.open("r+b", buffering=0) as stream:
        _trust.seal(scratch, digest, handle=stream.fileno())
        flush_file(stream.fileno())
        return os.fstat(stream.fileno())


def _name(scratch: Path, blob: Path, proved: os.stat_result, digest: str, *, stamps: _trust.Stamps) -> bool:
    """Give a proved file the blob's name; False where it was altered since. Raises OSError."""
    if not _trust.is_unaltered(os.lstat(scratch), proved):
        return False
    if not blob.parent.is_dir():
        blob.parent.mkdir(parents=True, exist_ok=True)
        flush_folder(blob.parent.parent)
    replace(scratch, blob)
    flush_folder(blob.parent)
    scratch.unlink(missing_ok=True)  # there still where both were names of one file (rename(2))
    _trust.stamp(blob, proved, digest, stamps)
    return True
