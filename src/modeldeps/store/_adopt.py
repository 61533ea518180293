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
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash, sha256_stream
from modeldeps.files import flush_file, flush_folder, make_folder, replace
from modeldeps.store import _known, _lock, _mounts, _trust
from modeldeps.store._clone import clone
from modeldeps.store._elsewhere import candidates, carried_by
from modeldeps.store._share import is_private, may_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import IO, TypeAlias

    from modeldeps.manifest import File
    from modeldeps.store._layout import Layout

    Tell: TypeAlias = Callable[[int], None] | None

_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0)
_OPEN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class How(Enum):
    """How the bytes of a blob came from a file."""

    REFLINK = "reflink"
    """They share their blocks until one of the two is written; needs no room."""
    LINK = "hard link"
    """They are one file with two names; needs no room."""
    COPY = "copy"
    """They are two files."""


@dataclass(frozen=True)
class Taken:
    """One file that became a blob."""

    file: File
    """What it is."""
    how: How
    """How the bytes came."""


def adopt_known(
    layout: Layout, file: File, *, stamps: _trust.Stamps, carried: Path | None = None
) -> Path | None:
    """
    Return a blob made out of a file that another tool keeps under its digest, or None.

    With `carried`, the folder of a package's own payload, only that is looked at. None too while another
    process is at this blob. Raises OSError where the store can't be written.
    """
    found = list(candidates(file) if carried is None else carried_by(carried, file))
    if not found:
        return None
    layout.prepare()
    with _turn(layout, file.sha256) as mine:
        for source in found if mine else ():
            if take(layout, source, only(file), stamps=stamps):
                return layout.blob(file.sha256)
    return None


@contextmanager
def _turn(layout: Layout, digest: str) -> Iterator[bool]:
    """Hold the lock of a blob, so that not every process hashes the same; False where somebody has it."""
    lock, free = None, True
    with suppress(OSError):  # no locks here, or another user's: nothing is right only because of them
        lock = _lock.acquire(layout.lock(digest))
        free = lock is not None
    try:
        yield free
    finally:
        if lock is not None:
            lock.release()


def only(file: File) -> Callable[[str], File | None]:
    """Return a choice of one file."""
    return lambda digest: file if digest == file.sha256 else None


def identify(source: Path, pick: Callable[[str], File | None], tell: Tell = None) -> File | None:
    """Return what `pick` says of a file's digest; None where it is no plain file, or can't be read."""
    stream = _open(source)
    if stream is None:
        return None
    with stream:
        return identify_stream(stream, pick, tell)


def identify_stream(stream: IO[bytes], pick: Callable[[str], File | None], tell: Tell = None) -> File | None:
    """Return what `pick` says of the digest of what is left in a stream; None where it can't be read."""
    found = _digest(stream, tell)
    return pick(found) if found else None


def take(  # noqa: PLR0913 - each has its name
    layout: Layout,
    source: Path,
    pick: Callable[[str], File | None],
    *,
    stamps: _trust.Stamps,
    share: bool = True,
    tell: Tell = None,
) -> Taken | None:
    """
    Make a blob out of a file of somebody else if `pick` knows its digest.

    Without `share` the blob is never a hard link. `tell` hears how many bytes were hashed. None where
    the file is another one, or can't be read. Raises OSError where the store can't be written.
    """
    stream = _open(source)
    if stream is None:
        return None
    layout.prepare()
    with _scratch(layout) as scratch:
        with stream:
            brought = _bring(source, stream, scratch, pick, share=share and is_private(layout), tell=tell)
        if brought is None:
            return None
        taken, proved = brought
        _name(layout, scratch, taken.file, proved, stamps=stamps)
        return taken


def take_copy(
    layout: Layout, stream: IO[bytes], file: File, *, stamps: _trust.Stamps, tell: Tell = None
) -> Taken | None:
    """Make a blob out of what is left in a stream; None where it is another file. Raises OSError."""
    layout.prepare()
    with _scratch(layout) as scratch:
        if _copy(stream, scratch, file.size, tell) != file.sha256:
            return None
        proved = _seal(scratch, file.sha256)
        _name(layout, scratch, file, proved, stamps=stamps)
        return Taken(file, How.COPY)


def _open(source: Path) -> IO[bytes] | None:
    """Open a plain file; None for what is none, or can't be read."""
    try:
        if not stat.S_ISREG(os.lstat(source).st_mode):  # a device is not even opened
            return None
        stream = os.fdopen(_handle(source), "rb", buffering=0)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    return None


def _handle(source: Path) -> int:
    """Open a file for reading; on Windows, if that may be, so that it can be flushed. Raises OSError."""
    if os.name == "nt":
        with suppress(OSError):
            return os.open(source, _OPEN | os.O_RDWR)
    return os.open(source, _OPEN)


@contextmanager
def _scratch(layout: Layout) -> Iterator[Path]:
    """Give a name for a file of one's own."""
    path = layout.partial / f"adopt.{os.getpid()}-{secrets.token_hex(8)}"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _bring(  # noqa: PLR0913 - each has its name
    source: Path,
    stream: IO[bytes],
    scratch: Path,
    pick: Callable[[str], File | None],
    *,
    share: bool,
    tell: Tell,
) -> tuple[Taken, os.stat_result] | None:
    """Give wanted bytes a second file or a second name; return how, and what was proved."""
    handle = stream.fileno()
    if clone(handle, scratch):
        with scratch.open("rb", buffering=0) as own:
            file = identify_stream(own, pick, tell)
        return None if file is None else (Taken(file, How.REFLINK), _seal(scratch, file.sha256))
    status = os.fstat(handle)
    settled = _settled(source, handle) if share and may_link(status) else None
    file = identify_stream(stream, pick, tell)
    if file is None:
        return None
    if settled and _link(source, scratch, settled):
        return Taken(file, How.LINK), settled
    stream.seek(0)
    if _copy(stream, scratch, file.size, None) != file.sha256:
        return None
    return Taken(file, How.COPY), _seal(scratch, file.sha256)


def _link(source: Path, scratch: Path, proved: os.stat_result) -> bool:
    """Give a proved file a second name; False where that fails, or where its path means another file now."""
    try:
        os.link(source, scratch)
    except OSError:
        return False
    if _trust.is_unaltered(os.lstat(scratch), proved):
        return True
    scratch.unlink()
    return False


def _settled(source: Path, handle: int) -> os.stat_result | None:
    """
    Bring a file to disk, and wait until whoever writes it from now on changes its time of modification.

    What was written through a map moves that time only after such a flush (mm/page-writeback.c). None
    where the file can't be flushed, or lies in memory, where maps move no time at all.
    """
    status = os.fstat(handle)
    tick = _mounts.tick(source, status)
    if tick is None:
        return None
    try:
        flush_file(handle)
    except OSError:
        return None
    if 0 <= time.time() - os.fstat(handle).st_mtime < tick:
        time.sleep(tick)
    return os.fstat(handle)


def _copy(stream: IO[bytes], scratch: Path, size: int, tell: Tell) -> str:
    """Copy a file of that size, and return the digest of the copy; "" where it has not, or fails."""
    running = new_hash()
    with scratch.open("xb", buffering=0) as target:
        while size >= 0 and (block := _read(stream)):
            size -= len(block)
            running.update(block)
            view = memoryview(block)
            while view:
                view = view[target.write(view) :]
            if tell is not None:
                tell(len(block))
    return running.hexdigest() if size == 0 else ""


def _read(stream: IO[bytes]) -> bytes:
    """Return the next block of somebody's file or archive; what can't be read ends it."""
    with suppress(OSError):
        return stream.read(BLOCK)
    return b""


def _digest(stream: IO[bytes], tell: Tell) -> str:
    """Return the digest of what is left in a stream; "" where it can't be read."""
    with suppress(OSError):
        return sha256_stream(stream, tell)
    return ""


def _seal(scratch: Path, digest: str) -> os.stat_result:
    """Make a file of our own a proved one, on disk. Raises OSError."""
    with scratch.open("r+b", buffering=0) as stream:
        _trust.seal(scratch, digest, handle=stream.fileno())
        flush_file(stream.fileno())
        return os.fstat(stream.fileno())


def _name(
    layout: Layout, scratch: Path, file: File, proved: os.stat_result, *, stamps: _trust.Stamps
) -> None:
    """Give a proved file the blob's name. Raises OSError."""
    blob = layout.blob(file.sha256)
    make_folder(blob.parent)
    replace(scratch, blob)
    flush_folder(blob.parent)
    scratch.unlink(missing_ok=True)  # there still where both were names of one file (rename(2))
    _trust.stamp(blob, proved, file.sha256, stamps)
    _known.remember(layout.chunks, file)
