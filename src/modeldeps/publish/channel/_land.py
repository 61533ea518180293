"""Bring bytes into a channel so that each name, once it is there, means whole and proved bytes."""

from __future__ import annotations

import errno
import os
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash
from modeldeps.errors import ChangedFileError
from modeldeps.files import flush_file, flush_folder, replace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from pathlib import Path

    from modeldeps.progress import Reporter

STALE = 24 * 3600.0
"""Seconds after which a file of a killed publisher is removed."""
_NO_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EXDEV}
)


class Landing:
    """A folder inside the channel where files are written before they get their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sweep(self) -> None:
        """Remove what killed publishers left, once it is a day old."""
        oldest = time.time() - STALE
        with suppress(OSError):
            for one in self.folder.glob("*.part"):
                if one.stat().st_mtime < oldest:
                    one.unlink(missing_ok=True)

    def put(self, target: Path, data: bytes | mmap) -> bool:
        """Make a file say these bytes; False when it said so already. Raises OSError."""
        if _says(target, data):
            return False
        with self._part() as part:
            _write(part, data)
            make_folder(target.parent)
            replace(part, target)
        flush_folder(target.parent)
        return True

    def claim(self, target: Path, data: bytes | mmap, *, digest: str = "") -> bool:
        """
        Make a file that must not be there yet; False when it is, whoever was first.

        A file that is mapped may change until it is written: its digest is proved on the way. Raises
        OSError, ChangedFileError.
        """
        if target.exists():
            return False
        with self._part() as part:
            if (found := _write(part, data)) != (digest or found):
                raise ChangedFileError(target.name, expected=f"sha256:{digest}", found=f"sha256:{found}")
            make_folder(target.parent)
            won = _name_once(part, target)
        flush_folder(target.parent)
        return won

    def copy(self, source: Path, target: Path, digest: str, reporter: Reporter) -> None:
        """Copy a blob, proving its digest on the way. Raises OSError, ChangedFileError."""
        with self._part() as part:
            found = _copy(source, part, reporter)
            if found != digest:
                raise ChangedFileError(source, expected=f"sha256:{digest}", found=f"sha256:{found}")
            make_folder(target.parent)
            replace(part, target)
        flush_folder(target.parent)

    @contextmanager
    def _part(self) -> Iterator[Path]:
        """Yield a name that nobody else uses; what is left there afterwards is removed."""
        part = self.folder / f"{secrets.token_hex(12)}.part"
        try:
            yield part
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _write(part: Path, data: bytes | mmap) -> str:
    """Bring bytes to disk and return their digest."""
    running = new_hash()
    with part.open("xb") as out:
        for start in range(0, len(data), BLOCK):
            block = data[start : start + BLOCK]
            running.update(block)
            out.write(block)
        out.flush()
        flush_file(out.fileno())
    return running.hexdigest()


def _copy(source: Path, part: Path, reporter: Reporter) -> str:
    """Copy bytes to disk and return their digest."""
    running = new_hash()
    with source.open("rb") as stream, part.open("xb") as out:
        while block := stream.read(BLOCK):
            running.update(block)
            out.write(block)
            reporter.advance(len(block))
        out.flush()
        flush_file(out.fileno())
    return running.hexdigest()


def _says(target: Path, data: bytes | mmap) -> bool:
    """Tell whether a file has these bytes already; what is mapped is too large to compare at once."""
    if not isinstance(data, bytes):
        return False
    try:
        return target.stat().st_size == len(data) and target.read_bytes() == data
    except FileNotFoundError:
        return False


def make_folder(folder: Path) -> None:
    """Make a folder with those above it, and bring the new names to disk."""
    missing = list(_missing(folder))
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        flush_folder(one.parent)


def _missing(folder: Path) -> Iterator[Path]:
    for one in (folder, *folder.parents):
        if one.exists():
            return
        yield one


def _name_once(part: Path, target: Path) -> bool:
    """Give a file a name that nobody has; a hard link does that without a race, a rename on Windows too."""
    try:
        if os.name == "nt":
            part.rename(target)
        else:
            os.link(part, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _name_once_without_links(part, target)
    return True


def _name_once_without_links(part: Path, target: Path) -> bool:
    """Do it with a look and a rename; only the lock stands between two publishers here."""
    if target.exists():
        return False
    part.rename(target)
    return True
