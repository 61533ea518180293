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


def write_atomically(target: Path, data: bytes, *, durable: bool = True, private: bool = False) -> None:
    """
    Write beside the target, flush to disk, replace. The target is whole at every moment. Raises OSError.

    With `durable` the bytes and the new name survive a power cut (the folder is flushed where
    the system can). With `private` nobody else may read or write it, whatever the umask says.
    """
    scratch = target.with_name(f".{target.name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        with scratch.open("xb") as stream:
            if private:
                scratch.chmod(0o600)
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
    """
    Rename over the target. Raises OSError.

    Where Windows refuses for a moment, this tries again; where the target lies on another file
    system, a copy beside it is renamed.
    """
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, target)


def _move_across(source: Path, target: Path) -> None:
    """Copy a file beside the target with its mode and time of modification, on disk, and rename that."""
    from shutil import copyfile, copystat  # noqa: PLC0415 - load() waits for what this module imports

    scratch = target.with_name(f".{target.name[:100]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        copyfile(source, scratch, follow_symlinks=False)
        copystat(source, scratch, follow_symlinks=False)
        handle = os.open(scratch, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            flush_file(handle)
        finally:
            os.close(handle)
        _rename(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    source.unlink()


def _rename(source: Path, target: Path) -> None:
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


def make_folder(folder: Path) -> None:
    """
    Make a folder of a store with those above it that are missing; their names are on disk then.

    Each is open to whom the one above it is open, whatever the umask says: else one member of a
    shared store could shut the others out, or let them in, by chance. Raises OSError.
    """
    for one in make_unflushed(folder):
        flush_folder(one)


def make_unflushed(folder: Path) -> list[Path]:
    """Make a folder as `make_folder` does; return the folders to flush, so that the names are on disk."""
    if os.path.isdir(folder):  # noqa: PTH112 - for each blob that lands
        return []
    missing = []
    for one in (folder, *folder.parents):
        if one.is_dir():
            break
        missing.append(one)
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        open_like_parent(one)
    return [one.parent for one in reversed(missing)]


def open_like_parent(path: Path) -> None:
    """
    Let those read one's own file, or enter a folder, who may enter the folder that it lies in.

    Nobody may do more with it than with that. Raises OSError.
    """
    if os.name == "nt":
        return
    status = path.lstat()
    bits = stat.S_ISGID | 0o055 if stat.S_ISDIR(status.st_mode) else 0o044
    mode, above = stat.S_IMODE(status.st_mode), stat.S_IMODE(path.parent.stat().st_mode)
    wanted = (mode | above & bits) & ~(0o077 & ~above)
    if mode != wanted and status.st_uid == os.geteuid():
        path.chmod(wanted)


def long_path(text: str) -> str:
    r"""
    Return an absolute Windows path in the form that may be longer than 260 characters.

    `C:\a` becomes `\\?\C:\a`, and `\\host\share` becomes `\\?\UNC\host\share`. In that form Windows resolves
    neither `/` nor `..`, so they are resolved here ("Naming Files, Paths, and Namespaces", Microsoft).
    """
    import ntpath  # noqa: PLC0415 - of no use elsewhere

    if text.startswith("\\\\?\\"):
        return text
    plain = ntpath.normpath(text)
    if plain.startswith("\\\\.\\"):
        return text
    return f"\\\\?\\UNC{plain[1:]}" if plain.startswith("\\\\") else f"\\\\?\\{plain}"


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
