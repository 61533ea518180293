"""
Whether the bytes of a file may be used without hashing them again.

A file whose whole digest was proved is sealed: it is made read-only, and its time of modification
is set to a moment that is computed from the digest. Whoever writes to it afterwards moves that
time, so one `stat` tells a proved file from one that was altered, without a database. A seal
counts where its file belongs to this user or to root; for a file of somebody else the digest is
proved once, and its stamp (device, inode, size, times) is kept in a folder of this user.

A stamp is only worth something where every change moves the times of a file. Pages that its owner
mapped and wrote before it was hashed could be written again without a trace until they are on disk,
so they are brought there first; in tmpfs, where that does not help, another user's file is hashed
each time; and so is one that changed so short a time before that the next change may have the same time.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.digest import sha256_stream, short_key

if TYPE_CHECKING:
    from pathlib import Path

_FIRST = 315_619_200
"""1980-01-02, in seconds: before it, archives can't tell the time."""
_SPAN = 1 << 29
"""Seconds, about 17 years; in steps of two, which every file system can tell."""
_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # neither a link nor a pipe is a blob

_NO_FLUSH = frozenset({errno.EINVAL, errno.EROFS, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
if os.name == "nt":
    _NO_FLUSH |= {errno.EBADF, errno.EACCES}  # Windows flushes for none who only reads
"""What systems say that have nothing to flush: nobody can write there either."""

_WRONG: deque[tuple[str, bytes]] = deque(maxlen=256)
"""Others' files that this process found wrong, by digest and stamp: nobody can keep it hashing them."""

_SHORT = 0.1
"""Seconds that are waited for the time of another user's file to be over."""


def seal_time(digest: str) -> int:
    """Return the time of modification of a proved file, in seconds."""
    return _FIRST + int(digest[:8], 16) % _SPAN // 2 * 2


if hasattr(os, "geteuid"):

    def user() -> int:
        """Return the number of this user; 0 where the system has none."""
        return os.geteuid()
else:

    def user() -> int:
        """Return the number of this user; 0 where the system has none."""
        return 0


def is_sealed(status: os.stat_result, digest: str, size: int) -> bool:
    """Tell whether a file carries the seal of a digest, put there by this user or by root."""
    return (
        status.st_size == size
        and stat.S_ISREG(status.st_mode)
        and not status.st_mode & _WRITE
        and status.st_mtime_ns == seal_time(digest) * 1_000_000_000
        and status.st_uid in (0, user())
    )


def seal(path: Path, digest: str, *, handle: int | None = None) -> None:
    """Seal a proved file, given by its path and its open handle, where user and file system allow it."""
    moment = seal_time(digest) * 1_000_000_000
    target: Path | int = path if handle is None or os.utime not in os.supports_fd else handle
    with suppress(OSError, NotImplementedError):  # another's file, a read-only mount: its stamp will do
        mode = stat.S_IMODE(os.stat(target).st_mode)  # noqa: PTH116 - a handle has no methods
        os.chmod(target, (mode | _readers(path)) & ~0o7333)  # noqa: PTH101 - a handle has no methods
        os.utime(target, ns=(moment, moment))


def _readers(path: Path) -> int:
    """Return the rights to read for those who may list a file's folder: whoever can see a blob may use it."""
    return stat.S_IMODE(path.parent.stat().st_mode) & 0o044


@dataclass(frozen=True)
class Stamps:
    """What this user proved of files that belong to somebody else."""

    folder: Path
    """A folder of this user."""

    def known(self, path: Path, status: os.stat_result, digest: str) -> bool:
        """Tell whether this very file was proved, and not touched since."""
        try:
            handle = os.open(f"{self.folder}{os.sep}{_stamp_name(path, digest)}", _OPEN)
        except OSError:
            return False
        try:
            mine, text = os.fstat(handle), os.read(handle, 200)
        except OSError:
            return False
        finally:
            os.close(handle)
        if mine.st_uid != user() or mine.st_mode & 0o022:
            return False
        return text == _stamp(status) or text == _stamp(status, inode=False)

    def remember(self, path: Path, status: os.stat_result, digest: str) -> None:
        """Keep the stamp of a file that was just proved, where the folder can be written."""
        from modeldeps.errors import SharingError  # noqa: PLC0415 - likewise
        from modeldeps.files import write_atomically  # noqa: PLC0415 - load() needs it for no file that is sealed
        from modeldeps.store._mounts import has_inodes  # noqa: PLC0415 - likewise

        text = _stamp(status, inode=has_inodes(path))
        try:
            _make_folder(self.folder)
            write_atomically(self.folder / _stamp_name(path, digest), text, durable=False, private=True)
        except (OSError, SharingError):
            return  # the price is to hash again next time

    def forget(self, path: Path, digest: str) -> None:
        """Drop the stamp of a file that was found wrong. Raises OSError."""
        (self.folder / _stamp_name(path, digest)).unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder for this user alone; what is above it is for all to read, where several share a store."""
    from modeldeps.files import make_folder  # noqa: PLC0415 - as above

    root = folder.parent.parent
    if not root.exists():
        from modeldeps.store._prepare import join  # noqa: PLC0415 - once in the life of a store

        join(root)
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _stamp_name(path: Path, digest: str) -> str:
    """Return the name of a file's stamp; one blob may have several copies."""
    return f"{digest[:32]}-{short_key(os.fsencode(path))}"


def _stamp(status: os.stat_result, *, inode: bool = True) -> bytes:
    """Return what tells a file from every other one; where inodes have no lasting numbers, without that."""
    number = status.st_ino if inode else "-"
    parts = (status.st_dev, number, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return " ".join(map(str, parts)).encode()


def trusted(path: Path, digest: str, size: int, stamps: Stamps) -> bool:
    """Tell whether a file is the bytes of a digest; hashes it only where neither seal nor stamp tell."""
    return known(path, digest, size, stamps) or _prove(path, digest, size, stamps)


def known(path: Path, digest: str, size: int, stamps: Stamps) -> bool:
    """Tell from seal or stamp alone whether a file is the bytes of a digest."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if is_sealed(status, digest, size):
        return True
    return stat.S_ISREG(status.st_mode) and status.st_size == size and stamps.known(path, status, digest)


def _prove(path: Path, digest: str, size: int, stamps: Stamps) -> bool:
    """Hash a file, and seal or stamp it where it is right and stood still meanwhile."""
    try:
        handle = os.open(path, _OPEN)
    except OSError:
        return False
    try:
        return _prove_open(path, handle, digest, size, stamps)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            os.close(handle)


def _prove_open(path: Path, handle: int, digest: str, size: int, stamps: Stamps) -> bool:
    """Do what `_prove` does with a file that is open. Raises OSError."""
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode) or before.st_size != size:
        return False
    lasts = _is_on_disk(handle) and (before.st_uid in (0, user()) or _settle(path, before))
    if not _is_right(handle, before, digest):
        return False
    proved = before  # a file of somebody else counts as it was while it was hashed, whatever became of it
    has_one_name = before.st_nlink == 1  # another one may be somebody's own file
    if lasts and has_one_name and before.st_uid == user():
        seal(path, digest, handle=handle)
        proved = os.fstat(handle)
    if lasts and not is_sealed(proved, digest, size):
        stamps.remember(path, proved, digest)
    return True


def _is_right(handle: int, before: os.stat_result, digest: str) -> bool:
    """Hash an open file; one that is altered meanwhile is not right."""
    asked = digest, _stamp(before)
    if asked in _WRONG:
        return False
    try:
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as stream:
            found = sha256_stream(stream)
    except OSError:
        return False
    if _stamp(os.fstat(handle)) != asked[1]:
        return False
    if found != digest and before.st_uid != user():
        _WRONG.append(asked)
    return found == digest


def _is_on_disk(handle: int) -> bool:
    """
    Bring what was written to a file to disk; tell whether it is there.

    A seal may reach the disk before the bytes that it is for: a power cut would leave zeros that are trusted.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        return error.errno in _NO_FLUSH
    return True


def _settle(path: Path, before: os.stat_result) -> bool:
    """Wait until every change of a file of somebody else moves its times; tell whether that can be."""
    from modeldeps.store._mounts import tick  # noqa: PLC0415 - only for files of other users

    needed = tick(path, before)
    if needed is None:
        return False
    missing = needed - (time.time_ns() - before.st_ctime_ns) / 1e9
    if 0 < missing < _SHORT:
        time.sleep(missing)
    return missing < _SHORT


def distrust(path: Path, digest: str, stamps: Stamps) -> None:
    """Break the seal of a file that was found wrong, where this user may, and drop its stamp."""
    with suppress(OSError):
        stamps.forget(path, digest)
    with suppress(OSError):
        status = os.lstat(path)
        if status.st_uid == user() and is_sealed(status, digest, status.st_size):
            os.utime(path)


def stamp(path: Path, proved: os.stat_result, digest: str, stamps: Stamps) -> None:
    """Remember a proved file that could not be sealed, if it is still that file. Raises OSError."""
    if is_sealed(proved, digest, proved.st_size):
        return  # it says so itself
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return  # it was freed since
    if not is_sealed(status, digest, proved.st_size) and is_unaltered(status, proved):
        stamps.remember(path, status, digest)


def is_unaltered(status: os.stat_result, proved: os.stat_result) -> bool:
    """Tell whether a file is as it was when it was proved; a new name moves only the time of change."""
    same = (status.st_size, status.st_mtime_ns) == (proved.st_size, proved.st_mtime_ns)
    return same and os.path.samestat(status, proved)
