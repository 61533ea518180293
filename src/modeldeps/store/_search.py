"""Files of wanted sizes below folders, and inside the archives that lie there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.store import _archive

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator


@dataclass(frozen=True)
class Source:
    """A place where wanted bytes may be."""

    path: Path
    """A file."""
    size: int
    """Bytes."""
    member: str = ""
    """Name of the member where the file is a zip file; empty for the file itself."""

    def __str__(self) -> str:
        return f"{self.path}: {self.member}" if self.member else str(self.path)


def search(
    places: Iterable[Path], sizes: Container[int] | None, *, besides: Iterable[Path] = ()
) -> Iterator[Source]:
    """
    Yield the plain files of these sizes, or all, below files and folders; links are not followed.

    What has several names is named once. `besides` are folders that are left out. Wheels, and what
    pip downloaded, are looked into where sizes are given.
    """
    seen: set[tuple[int, int]] = set()
    closed = {os.path.realpath(one) for one in besides}
    for place in places:
        for path, status in _files(os.path.realpath(place), closed):
            if sizes is not None and _may_be_archive(path):
                yield from _members(Path(path), sizes)
            if sizes is not None and status.st_size not in sizes:
                continue
            key = (status.st_dev, status.st_ino)
            if key not in seen:
                seen.add(key)
                yield Source(Path(path), status.st_size)


def _files(top: str, closed: set[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the plain files below a folder, or the one that it is; what can't be read is left out."""
    status = _status(top)
    if status is not None and stat.S_ISREG(status.st_mode):
        yield top, status
        return
    stack = [top]
    while stack:
        folder = stack.pop()
        if folder in closed:
            continue
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
            elif entry.is_file(follow_symlinks=False) and (status := _status(entry.path)):
                yield entry.path, status


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _may_be_archive(path: str) -> bool:
    """Tell from its name whether a file may be a wheel; pip's cache has `.body` for what was downloaded."""
    return path.endswith((".whl", ".body"))


def _members(path: Path, sizes: Container[int]) -> Iterator[Source]:
    if _archive.looks_like_zip(path):
        yield from (Source(path, size, name) for name, size in _archive.members(path) if size in sizes)
