"""
Who uses which blobs: one small file for each variant of a model that one place of this machine uses.

A note is written before its bytes are looked for, and its time of modification is the last use. What
others wrote is bounded and checked; a note can only keep bytes, never name a file to delete.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, cast

from modeldeps.digest import is_sha256

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modeldeps.store._layout import Layout

SCHEMA = 1
"""Number of the form of a note; `blobs` keeps its meaning in every one."""
LARGEST = 16 << 20
"""Bytes of a note that are read."""
ENVIRONMENTS = frozenset({"conda", "folder", "python", "venv"})
"""Kinds of places whose evidence is an installed pointer package."""
PROJECT = "project"
"""The kind of a project for which an installer fetched ahead."""
PIN = "pin"
"""The kind of a place that keeps a model until it is unpinned."""
FOLLOW = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
FOLLOW |= getattr(os, "O_NONBLOCK", 0)
"""How a file is opened that some installers make a link; a pipe is not waited for."""
_OPEN = FOLLOW | getattr(os, "O_NOFOLLOW", 0)
_LONGEST = 4096


@dataclass(frozen=True)
class Use:
    """One variant of a model that one place uses."""

    kind: str
    """`venv`, `conda`, `python`, `folder`, `project` or `pin`."""
    place: str
    """The environment's folder, or the project's; empty for a pin that belongs to no folder."""
    evidence: str
    """The file that is there as long as the use goes on: a manifest, a pyproject.toml, or none."""
    name: str
    """The model."""
    version: str
    """Its version."""
    variant: str
    """The variant."""
    folder: str
    """Name of its materialised folder; empty where there is none."""
    blobs: Mapping[str, int]
    """Bytes of each blob, by digest."""
    machine: str = ""
    """Which machine or container wrote this."""
    mount: str = ""
    """Where the file system is mounted that the evidence lies on."""

    def dump(self) -> bytes:
        """Return the note's bytes."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}).encode()

    @classmethod
    def parse(cls, data: bytes) -> Use | None:
        """Return what a note says, or None where it says nothing that can be understood."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not _are_blobs(found.get("blobs")):
            return None
        texts = {one.name: found.get(one.name, "") for one in fields(cls) if one.name != "blobs"}
        if not all(isinstance(text, str) and len(text) <= _LONGEST for text in texts.values()):
            return None
        return cls(**texts, blobs=found["blobs"])

    @property
    def model(self) -> str:
        """Name, version and variant, without what a terminal would obey."""
        return plain(" ".join(filter(None, (self.name, self.version, self.variant))))


@dataclass(frozen=True)
class Note:
    """A use, as it lies in a store."""

    file: Path
    """Where."""
    use: Use
    """What it says."""
    used: float
    """Time of the last use, in seconds since 1970; exact to a day."""
    user: int
    """Number of the user who wrote it."""


def notes(layout: Layout) -> Iterator[Note]:
    """Yield the notes of all users; what can't be read or understood is left out."""
    for file in note_files(layout):
        if found := read_note(file):
            yield found


def note_files(layout: Layout) -> Iterator[Path]:
    """Yield the files of the notes of all users."""
    for user in _names(layout.roots):
        if user.isascii() and user.isdigit():
            folder = layout.roots / user
            yield from (folder / name for name in _names(folder) if not name.startswith("."))


def _names(folder: Path) -> list[str]:
    """Return the names in a folder; none for what a link leads to."""
    try:
        return sorted(os.listdir(folder)) if stat.S_ISDIR(folder.lstat().st_mode) else []  # noqa: PTH208 - names alone
    except OSError:
        return []


def read_note(file: Path) -> Note | None:
    """Return what one note says, or None where it says nothing that can be understood."""
    try:
        found = read_plain(file, LARGEST)
    except OSError:
        return None
    if found is None:
        return None
    data, status = found
    use = Use.parse(data)
    return None if use is None else Note(file, use, status.st_mtime, status.st_uid)


def read_plain(file: Path | str, largest: int, *, flags: int = _OPEN) -> tuple[bytes, os.stat_result] | None:
    """
    Return a plain file's bytes, or None for what is none or is larger; a pipe is not waited for.

    Raises OSError where it is not there or may not be read.
    """
    handle = os.open(file, flags)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
            return None
        data = stream.read(largest + 1)
        return None if len(data) > largest else (data, status)


def _are_blobs(value: object) -> bool:
    """Tell whether a value names blobs and their sizes."""
    return isinstance(value, dict) and all(
        is_sha256(digest) and type(size) is int and size >= 0
        for digest, size in cast("dict[object, object]", value).items()
    )


def plain(text: str) -> str:
    """Return a text without what a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text)
