"""Files that are read once and used for long: whether they changed since."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST = 256
"""Files of a folder that are looked at."""

Stamp: TypeAlias = "tuple[int, int, int, int, int] | None"
"""What the file system says of a file: it differs when the file was written or replaced; None: no file."""


def stamps(files: Iterable[str | Path]) -> tuple[Stamp, ...]:
    """Return what the file system says of files; of a folder, of the files in it, too."""
    return tuple(one for file in files for one in _stamps(file))


def _stamps(file: str | Path) -> list[Stamp]:
    found = _stamp(file)
    return [found] if found is None or not stat.S_ISDIR(found[0]) else [found, *_inside(file)]


def _inside(folder: str | Path) -> list[Stamp]:
    try:
        names = sorted(os.listdir(folder))[:_MOST]  # noqa: PTH208 - strings suffice
    except OSError:
        return []
    return [_stamp(os.path.join(folder, name)) for name in names]  # noqa: PTH118 - strings suffice


def _stamp(file: str | Path) -> Stamp:
    try:
        found = os.stat(file)  # noqa: PTH116 - strings suffice
    except (OSError, ValueError):
        return None
    return found.st_mode, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
