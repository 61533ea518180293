"""Files that are read once and used for long: whether they changed since."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST = 256
"""Files of a folder that are looked at."""

Stamp: TypeAlias = "tuple[int, int, int, int] | None"
"""What the file system says of a file: it differs when the file was written or replaced; None: no file."""


def stamps(files: Iterable[str | Path]) -> tuple[Stamp, ...]:
    """Return what the file system says of files; of a folder, of the files in it, too."""
    return tuple(one for file in files for one in _stamps(file))


def _stamps(file: str | Path) -> list[Stamp]:
    found = _stamp(file)
    try:
        inner = sorted(os.listdir(file))[:_MOST] if os.path.isdir(file) else []  # noqa: PTH112, PTH208 - strings suffice
    except OSError:
        inner = []
    return [found, *(_stamp(os.path.join(file, name)) for name in inner)]  # noqa: PTH118 - strings suffice


def _stamp(file: str | Path) -> Stamp:
    try:
        status = os.stat(file)  # noqa: PTH116 - strings suffice
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
