"""
Hash what a store holds, on all cores, whatever seals and stamps say.

A file that is wrong loses seal and stamp, so that nobody uses it any more; nothing is deleted.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash
from modeldeps.progress import counted
from modeldeps.store import _crew, _trust
from modeldeps.store._contents import blobs, is_scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modeldeps.manifest import File
    from modeldeps.progress import Reporter
    from modeldeps.store._layout import Layout

_OPEN = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # neither a link nor a pipe is a blob


LARGE = 16 << 20
"""Bytes of a file that is hashed before the small ones, so that no thread ends long after the others."""


class Verdict(Enum):
    """What a look at one file found."""

    RIGHT = "right"
    """Its bytes are those of its digest."""
    PROVED = "proved"
    """They are, and nothing said so before; it has its seal or its stamp now."""
    WRONG = "wrong"
    """They are not."""
    UNREADABLE = "unreadable"
    """They can't be read."""
    MISSING = "missing"
    """It should be there, and is not."""


@dataclass(frozen=True)
class Expected:
    """One variant of a known release."""

    name: str
    """The model."""
    version: str
    """Its version."""
    variant: str
    """The variant."""
    files: tuple[File, ...]
    """Its files."""


@dataclass(frozen=True)
class Item:
    """One file of a store."""

    path: Path
    """Where it lies."""
    size: int
    """Bytes, as they are."""
    digest: str
    """What it should be; empty where no manifest tells."""
    own: bool
    """It lies in the store that is written."""
    names: tuple[Path, ...] = ()
    """Files of models that are the same file under another name."""


@dataclass(frozen=True)
class Finding:
    """What was found of one file."""

    item: Item
    """The file."""
    verdict: Verdict
    """What was found."""
    reason: str = ""
    """Why it can't be read, or what it is instead."""


@dataclass(frozen=True)
class Verified:
    """What a look at all files found."""

    files: int
    """Files that were hashed."""
    size: int
    """Bytes of them."""
    findings: tuple[Finding, ...]
    """What is not simply right, by path."""
    copies: Mapping[str, Path]
    """Right files of models that are no blob under another name, by digest."""


@dataclass(frozen=True)
class Verifier:
    """What one look at stores needs to know."""

    stores: Sequence[tuple[Layout, bool]]
    """Each store, and whether it is the one that is written."""
    models: Sequence[Expected]
    """What is known of releases."""
    stamps: _trust.Stamps
    """This user's stamps."""
    reporter: Reporter
    """Hears how many bytes were hashed."""
    only: bool = False
    """Look at nothing but these models."""

    def verify(self) -> Verified:
        """Hash every file once, however many names it has."""
        count, size, large = self._survey()
        self.reporter.begin(f"hashing {counted(count, 'file')}", total=size)
        crew = _Crew(self)
        try:
            small = (item for item in self._items() if item.size < LARGE)
            findings = [*crew.look(chain(large, small)), *self._missing()]
        finally:
            self.reporter.end()
        findings.sort(key=lambda one: str(one.item.path))
        return Verified(count, size, tuple(findings), crew.copies)

    def _survey(self) -> tuple[int, int, list[Item]]:
        """Return number and bytes of all files, and the large ones, the largest first."""
        count = size = 0
        large = []
        for item in self._items():
            count, size = count + 1, size + item.size
            if item.size >= LARGE:
                large.append(item)
        return count, size, sorted(large, key=lambda item: -item.size)

    def _items(self) -> Iterator[Item]:
        """Yield the blobs, then the files of models that are none under another name."""
        wanted = {file.sha256 for model in self.models for file in model.files} if self.only else None
        for layout, own in self.stores:
            linked, alone = _names(layout)
            for blob in blobs(layout):
                names = tuple(linked.pop(blob.inode, ()))
                if wanted is None or blob.digest in wanted:
                    yield Item(layout.blob(blob.digest), blob.size, blob.digest, own, names)
            expected = self._expected(layout)
            for paths in (*linked.values(), *([one] for one in alone)):
                digest = next((expected[one].sha256 for one in paths if one in expected), "")
                if digest or wanted is None:
                    yield Item(paths[0], _size(paths[0]), digest, own, tuple(paths[1:]))

    def _expected(self, layout: Layout) -> dict[Path, File]:
        """Return what known releases say of the files of models that are in a store."""
        folders = (
            (layout.model(one.name, one.version, one.variant, one.files), one.files) for one in self.models
        )
        return {folder / file.path: file for folder, files in folders if _is_folder(folder) for file in files}

    def _missing(self) -> Iterator[Finding]:
        """Yield what folders of models lack, and what no store has of models that were asked for."""
        present = set()
        for layout, own in self.stores:
            for path, file in self._expected(layout).items():
                if os.path.lexists(path):
                    present.add(file.sha256)
                else:
                    yield Finding(Item(path, file.size, file.sha256, own), Verdict.MISSING)
        main = next(layout for layout, own in self.stores if own)
        for file in {file.sha256: file for model in self.models for file in model.files}.values():
            places = (layout.blob(file.sha256) for layout, _ in self.stores)
            if self.only and file.sha256 not in present and not any(map(os.path.lexists, places)):
                item = Item(main.blob(file.sha256), file.size, file.sha256, own=True)
                yield Finding(item, Verdict.MISSING)


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is there; one that may not be looked at is not, with every Python."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def _names(layout: Layout) -> tuple[dict[int, list[Path]], list[Path]]:
    """Return the files of models that have several names, by inode, and those that have one."""
    linked: dict[int, list[Path]] = {}
    alone = []
    for path, status in _below(layout.models):
        if status.st_nlink > 1 and status.st_ino:
            linked.setdefault(status.st_ino, []).append(path)
        else:
            alone.append(path)
    return linked, alone


def _below(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the plain files of models that are no scratch; what can't be read is left out."""
    for folder, folders, files in os.walk(top):
        if len(Path(folder).relative_to(top).parts) == 2:  # noqa: PLR2004 - name and version; a variant is next
            folders[:] = [one for one in folders if not one.startswith(".")]
        for path in (Path(folder, one) for one in files if not is_scratch(one)):
            with suppress(OSError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield path, status


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


class _Crew:
    """Threads that hash files."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._found: list[Finding] = []
        self.copies: dict[str, Path] = {}
        """What `Verified.copies` is to hold."""

    def look(self, items: Iterable[Item]) -> list[Finding]:
        """Return what is not simply right."""
        waiting = iter(items)
        crew = [waiting] * cores()
        try:
            _crew.each(crew, self._work_or_stop, threads=len(crew), name="modeldeps-verify")
        finally:
            self._stop.set()
        return self._found

    def _work_or_stop(self, waiting: Iterator[Item]) -> None:
        try:
            self._work(waiting)
        except BaseException:
            self._stop.set()
            raise

    def _work(self, waiting: Iterator[Item]) -> None:
        buffer = memoryview(bytearray(BLOCK))
        while not self._stop.is_set():
            with self._turn:
                item = next(waiting, None)
            if item is None:
                return
            finding = self._one(item, buffer)
            if finding is not None and finding.verdict is not Verdict.RIGHT:
                self._found.append(finding)
            elif finding is not None and item.path.name != item.digest and item.digest:
                self.copies[item.digest] = item.path

    def _one(self, item: Item, buffer: memoryview) -> Finding | None:
        """Look at a file, and once more before it is called wrong; None where it is gone."""
        finding = self._look(item, buffer, self._tell)
        if finding is None or finding.verdict in {Verdict.RIGHT, Verdict.PROVED}:
            self._stamp_names(item)
            return finding
        finding = self._look(item, buffer, self._tell_nobody)
        if finding is not None and finding.verdict is Verdict.WRONG:
            self._distrust(item)
        return finding

    def _stamp_names(self, item: Item) -> None:
        """Let what is known of a right file be known of its other names too."""
        stamps = self._verifier.stamps
        for path in item.names if item.digest else ():
            with suppress(OSError):
                status = os.lstat(path)
                if not _trust.known(path, item.digest, item.size, stamps) and stamps.known(
                    item.path, status, item.digest
                ):
                    stamps.remember(path, status, item.digest)

    def _distrust(self, item: Item) -> None:
        """Let nobody use a wrong file; where its digest is not known, by a time that no seal has."""
        if item.digest:
            for path in (item.path, *item.names):
                _trust.distrust(path, item.digest, self._verifier.stamps)
        elif item.own and not item.names:  # a file with several names may be somebody's own
            with suppress(OSError):
                os.utime(item.path)

    def _look(self, item: Item, buffer: memoryview, tell: Callable[[int], None]) -> Finding | None:
        stamps = self._verifier.stamps
        is_known = not item.digest or _trust.known(item.path, item.digest, item.size, stamps)
        if not is_known and _trust.trusted(item.path, item.digest, item.size, stamps):
            tell(item.size)
            return Finding(item, Verdict.PROVED)
        try:
            found, status = _hash(item.path, buffer, tell)
        except FileNotFoundError:
            return None
        except OSError as error:
            return Finding(item, Verdict.UNREADABLE, error.strerror or "it can't be read")
        if found == item.digest or (not item.digest and self._is_known(found, status)):
            return Finding(item, Verdict.RIGHT)
        return Finding(item, Verdict.WRONG, f"its sha256 is {found}")

    def _is_known(self, found: str, status: os.stat_result) -> bool:
        """Tell whether a file that no manifest names is what it was sealed as, or the bytes of a blob."""
        if _trust.is_sealed(status, found, status.st_size):
            return True
        return any(os.path.lexists(layout.blob(found)) for layout, _ in self._verifier.stores)

    def _tell(self, count: int) -> None:
        """Hear of hashed bytes; once all is over, a file counts as one that can't be read."""
        if self._stop.is_set():
            raise InterruptedError
        self._verifier.reporter.advance(count)

    def _tell_nobody(self, count: int) -> None:
        """Count nothing twice."""
        if self._stop.is_set() and count:
            raise InterruptedError


def _hash(path: Path, buffer: memoryview, tell: Callable[[int], None]) -> tuple[str, os.stat_result]:
    """Return the digest of a plain file, and its state. Raises OSError."""
    running = new_hash()
    with os.fdopen(os.open(path, _OPEN), "rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        while count := stream.readinto(buffer):
            running.update(buffer[:count])
            tell(count)
    return running.hexdigest(), status


def cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
