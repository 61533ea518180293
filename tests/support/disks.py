"""
Disks that remember every write and every flush, so that a power cut at any moment can be looked at.

A disk is one file that `logging_disk` serves in a process of its own; the kernel's loop device makes a
block device of it, and any file system can lie there. What comes is written down in order: writes,
flushes, and the marks that tests set. A power cut leaves what was written before the last flush, and
any part of what was written after it: a disk keeps that in memory of its own, and brings it down
in any order.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import logging_disk
import pytest
from logging_disk import RECORD, copy_image
from stores import looped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAKE = {
    "ext4": (64 << 20, ["mkfs.ext4", "-q"]),
    "xfs": (320 << 20, ["mkfs.xfs", "-q"]),
    "btrfs": (160 << 20, ["mkfs.btrfs", "-q"]),
}
"""Bytes of a disk for each file system, and what makes it."""
SECTOR = 4096
"""Bytes that a disk writes whole or not at all; ext4 and btrfs need as much for their superblocks."""


@dataclass(frozen=True)
class Record:
    """One thing that happened to a disk."""

    kind: bytes
    """`W` a write, `F` a flush, `M` a mark."""
    offset: int
    """Of a write."""
    data: bytes
    """Of a write; the words of a mark."""


@dataclass
class Disk:
    """A disk that is mounted, and what happened to it since it was made."""

    system: str
    """Its file system."""
    folder: Path
    """Where that is mounted."""
    marks: Path
    """The file that takes marks."""
    blank: Path
    """A copy of the disk as it was before it was mounted."""
    log: Path
    """What happened, in order."""

    def records(self) -> list[Record]:
        """Return what happened."""
        data, at, found = self.log.read_bytes(), 0, []
        while at < len(data):
            kind, offset, count = RECORD.unpack_from(data, at)
            at += RECORD.size
            found.append(Record(kind, offset, data[at : at + count]))
            at += count
        return found


def mark(marks: Path, words: str) -> None:
    """Write down that everything before this has happened."""
    handle = os.open(marks, os.O_WRONLY)
    try:
        os.write(handle, words.encode())
    finally:
        os.close(handle)


@contextmanager
def logged(system: str, folder: Path) -> Iterator[Disk]:
    """Mount a new disk with a file system for the time of a with block; its log lasts longer."""
    size, make = MAKE[system]
    if not shutil.which(make[0]) or not os.path.exists("/dev/fuse"):  # noqa: PTH110 - a device
        pytest.skip(f"{make[0]} and FUSE make the disk")
    disk, served, mounted = folder / "blank", folder / "served", folder / "mounted"
    for one in (served, mounted):
        one.mkdir(parents=True)
    with disk.open("wb") as stream:
        stream.truncate(size)
    subprocess.run([*make, str(disk)], check=True, capture_output=True)
    made = Disk(system, mounted, served / "mark", disk, folder / "log")
    with _serving(disk, served, made.log), looped(served / "disk", mounted):
        yield made


@contextmanager
def plain(system: str, folder: Path) -> Iterator[Path]:
    """Mount a new disk with a file system, and without a log, for the time of a with block."""
    size, make = MAKE[system]
    if not shutil.which(make[0]):
        pytest.skip(f"{make[0]} makes the disk")
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir(parents=True)
    with image.open("wb") as stream:
        stream.truncate(size)
    subprocess.run([*make, str(image)], check=True, capture_output=True)
    with looped(image, mounted):
        yield mounted


@contextmanager
def _serving(disk: Path, folder: Path, log: Path) -> Iterator[None]:
    words = [sys.executable, logging_disk.__file__, str(disk), str(folder), str(log)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as server:
        deadline = time.monotonic() + 10
        try:
            while not (folder / "disk").exists():
                if server.poll() is not None or time.monotonic() > deadline:
                    pytest.skip("no file system in user space can be mounted here")
                time.sleep(0.01)
            yield
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)
            server.terminate()


@dataclass(frozen=True)
class Cut:
    """What a disk may hold after a power cut."""

    at: int
    """How many records happened before."""
    lost: frozenset[int]
    """Numbers of the writes since the last flush that did not reach the disk."""
    torn: int | None = None
    """Number of a write of which only the first half did."""


def cuts(records: Sequence[Record], moments: Sequence[int], seed: int) -> list[Cut]:
    """Return for each moment what is left when all, none or some of the last writes reached the disk."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    found = []
    for at in moments:
        loose: list[int] = []
        for index in range(at - 1, -1, -1):
            if records[index].kind == b"F":
                break
            if records[index].kind == b"W":
                loose.append(index)
        some = frozenset(one for one in loose if chance.random() < 0.5)
        torn = chance.choice([one for one in loose if one not in some] or [None])
        found.append(Cut(at, frozenset()))
        if loose:
            found += [Cut(at, frozenset(loose)), Cut(at, some, torn)]
    return found


@dataclass
class Replay:
    """Make the disks that power cuts leave, one after another, in the order of their moments."""

    disk: Disk
    """What happened."""
    records: Sequence[Record]
    """Its records."""
    folder: Path
    """Where images and mounts go."""

    def __post_init__(self) -> None:
        self._solid = self.folder / "solid"
        self._done = 0
        copy_image(self.disk.blank, self._solid)

    @contextmanager
    def mounted(self, cut: Cut) -> Iterator[Path]:
        """Mount what a power cut left, for the time of a with block."""
        image, place = self.folder / "image", self.folder / "place"
        place.mkdir(exist_ok=True)
        self._bring_to(cut.at)
        copy_image(self._solid, image)
        with image.open("r+b") as stream:
            for index in range(self._done, cut.at):
                if self.records[index].kind == b"W" and index not in cut.lost:
                    _write(stream.fileno(), self.records[index], torn=index == cut.torn)
        _mount(image, place)
        try:
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def _bring_to(self, at: int) -> None:
        """Bring down what was flushed before a moment."""
        last = max((index for index in range(at) if self.records[index].kind == b"F"), default=0)
        with self._solid.open("r+b") as stream:
            for record in self.records[self._done : last]:
                if record.kind == b"W":
                    _write(stream.fileno(), record)
        self._done = max(self._done, last)


def _mount(image: Path, place: Path) -> None:
    """Mount an image; another process may take the loop device first that was to be used."""
    for last in (False, False, False, False, True):
        words = ["mount", "-o", "loop", str(image), str(place)]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if not made.returncode:
            return
        assert not last, made.stderr
        time.sleep(0.1)


def _write(handle: int, record: Record, *, torn: bool = False) -> None:
    data = record.data
    if torn:
        data = data[: len(data) // 2 // SECTOR * SECTOR]
    os.pwrite(handle, data, record.offset)
