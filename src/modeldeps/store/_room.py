"""What a file system has to say when it can't take bytes."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modeldeps.errors import (
    NotAStoreError,
    StoreFailedError,
    StoreFullError,
    StoreGoneError,
    StoreReadOnlyError,
)
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENOENT, errno.ESTALE, errno.ENODEV, errno.ENOTCONN, errno.ENXIO})
_NO_PLACE = frozenset({errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})
_WINDOWS_FULL = frozenset({39, 112})  # ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL


@contextmanager
def writing(root: Path, *, needed: int = 0) -> Iterator[None]:
    """Turn what the system says about a store into the StoreError that says it to a person."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
            words = format_bytes(needed) if needed else ""
            raise StoreFullError(root, needed=words, free=_free_words(root)) from None
        if error.errno in _CLOSED:
            raise StoreReadOnlyError(root, reason=_reason(error)) from None
        if error.errno in _GONE:
            raise StoreGoneError(root, reason=_reason(error)) from None
        if error.errno in _NO_PLACE:
            raise NotAStoreError(root, found=_reason(error)) from None
        raise StoreFailedError(root, reason=_reason(error)) from error


def _reason(error: OSError) -> str:
    place = f": {error.filename}" if isinstance(error.filename, str) else ""
    return f"{(error.strerror or type(error).__name__).lower()}{place}"


def free(folder: Path) -> int | None:
    """Return the bytes that this user may still write at a folder or above it; None if unknown."""
    for place in (folder, *folder.parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.free if usage.total else None
    return None


def check_room(root: Path, needed: int) -> None:
    """Raise StoreFullError where the disk has less room than is needed."""
    left = free(root)
    if left is not None and left < needed:
        raise StoreFullError(root, needed=format_bytes(needed), free=format_bytes(left))


def is_writable(folder: Path) -> bool:
    """Tell whether something can be made in a folder, or in the nearest one above that is there."""
    for place in (folder, *folder.parents):
        if os.path.isdir(place):  # noqa: PTH112 - False, not an error, where it may not be looked at
            return os.access(place, os.W_OK | os.X_OK)
        if os.path.lexists(place):
            return False
    return False


def _free_words(root: Path) -> str:
    left = free(root)
    return "unknown" if left is None else format_bytes(left)
