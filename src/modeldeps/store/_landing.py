"""
A blob while it comes in.

Bytes are written in order. Where the manifest names chunks, only chunks whose own digest matched
are written; the digest of the whole trails in another thread, and is proved before the blob gets
its name. What an interrupted run left is hashed again, never believed.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash, sha256_bytes
from modeldeps.errors import DigestError
from modeldeps.files import flush_folder, replace
from modeldeps.store._trust import Stamps, seal, stamp
from modeldeps.store._unit import Unit

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.manifest import File

_ALONE = 4 * BLOCK
"""Bytes of a file from which on a second thread hashes."""


class Landing:
    """One part file on its way to becoming a blob."""

    def __init__(self, file: File, path: Path, handle: int) -> None:
        self.file = file
        """The file as the manifest names it."""
        self.path = path
        """The part file."""
        self.pure = True
        """Every byte came since the last `restart`, from one source, or was proved by its chunk."""
        self._handle = handle
        self._chunks = file.chunks if len(file.chunks) > 1 else ()
        self._next_chunk = 0
        self._kept = 0
        self._unit, self._other = Unit(), Unit()
        self._hash = new_hash()
        self._thread: ThreadPoolExecutor | None = None
        self._hashing: Future[None] | None = None
        self._source = ""

    @property
    def kept(self) -> int:
        """Bytes that are written; what comes after them is not checked yet."""
        return self._kept

    @property
    def position(self) -> int:
        """Offset of the byte that is to come next."""
        return self._kept + len(self._unit)

    def write(self, data: bytes | memoryview, *, source: str) -> None:
        """
        Take the next bytes; they must not go past the end of the file.

        Raises DigestError, with the source's name, at the first chunk that is not what the
        manifest says; OSError where the disk does.
        """
        if not self._chunks and self.position and source != self._source:
            self.pure = False
        self._source = source
        view = memoryview(data)
        while view:
            room = self._unit_length() - len(self._unit)
            self._unit.reserve(min(self._unit_length(), len(self._unit) + len(view)))
            self._unit.add(view[:room])
            view = view[room:]
            if len(self._unit) == self._unit_length():
                self._keep(source)

    def settle(self) -> int:
        """Keep what can be kept when a source stops in the middle; return the bytes that can't."""
        if not self._chunks and self._unit:
            self._commit()
        lost = len(self._unit)
        self._unit.clear()
        return lost

    def restart(self) -> None:
        """Throw everything away. Raises OSError."""
        self._wait()
        os.ftruncate(self._handle, 0)
        self._next_chunk = self._kept = 0
        self._unit.clear()
        self._hash, self.pure = new_hash(), True

    def resume(self) -> None:
        """Hash what an earlier run left, and keep what is, or may be, right. Raises OSError."""
        size = os.fstat(self._handle).st_size
        if size > self.file.size:
            self.restart()
            return
        while self._kept < size and (block := _pread(self._handle, self._unit_length(), self._kept)):
            if self._chunks and sha256_bytes(block) != self._chunks[self._next_chunk].sha256:
                break
            self._start_hash(memoryview(block))
            self._moved(len(block))
        os.ftruncate(self._handle, self._kept)
        self.pure = bool(self._chunks) or not self._kept

    def prove(self, source: str) -> bool:
        """
        Check the digest of the whole.

        False, with everything thrown away, where bytes of several sources or runs are mixed, so that
        nobody can be blamed yet: fetch all of it from one source. Raises DigestError, with the
        source's name, where the bytes are that source's own.
        """
        self._wait()
        found = self._hash.hexdigest()
        if found == self.file.sha256:
            return True
        was_pure = self.pure
        self.restart()
        if was_pure:
            raise DigestError(source, self.file.path, expected=self.file.sha256, found=found)
        return False

    def publish(self, blob: Path, stamps: Stamps) -> None:
        """Give proved bytes their name: on disk and read-only first, then the name. Raises OSError."""
        if not self.prove(str(self.path)):
            raise DigestError(str(self.path), self.file.path, expected=self.file.sha256, found="mixed")
        seal(self.path, self.file.sha256, handle=self._handle)
        os.fsync(self._handle)
        proved = os.fstat(self._handle)
        _make_folder(blob.parent)
        if os.name == "nt":
            self.close()
        replace(self.path, blob)
        flush_folder(blob.parent)
        stamp(blob, proved, self.file.sha256, stamps)

    def close(self) -> None:
        """Let go of the file and of the thread."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)

    def _unit_length(self) -> int:
        """Return the bytes that are checked and written together at the present place."""
        if self._chunks and self._next_chunk < len(self._chunks):
            return self._chunks[self._next_chunk].length
        return max(1, min(BLOCK, self.file.size - self._kept))

    def _keep(self, source: str) -> None:
        if self._chunks:
            chunk = self._chunks[self._next_chunk]
            found = sha256_bytes(self._unit.view())
            if found != chunk.sha256:
                self._unit.clear()
                raise DigestError(
                    source,
                    self.file.path,
                    expected=chunk.sha256,
                    found=found,
                    part=f"bytes {chunk.offset} to {chunk.offset + chunk.length - 1}",
                )
        self._commit()

    def _commit(self) -> None:
        """Write the unit while its hash is taken."""
        view, offset = self._unit.view(), self._kept
        self._start_hash(view)
        while view:
            count = _pwrite(
                self._handle, view[:BLOCK], offset
            )  # Linux is slow to find room for 4 MiB at once
            _write_back(self._handle, offset, count)
            view, offset = view[count:], offset + count
        self._moved(len(self._unit))
        self._unit, self._other = self._other, self._unit  # the other one's hash is taken by now
        self._unit.clear()

    def _moved(self, count: int) -> None:
        self._kept += count
        self._next_chunk += 1

    def _start_hash(self, unit: memoryview) -> None:
        self._wait()
        if self.file.size < _ALONE:
            self._hash.update(unit)
            return
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="modeldeps-sha256")
        self._hashing = self._thread.submit(self._hash.update, unit)

    def _wait(self) -> None:
        if self._hashing is not None:
            hashing, self._hashing = self._hashing, None
            hashing.result()


def _make_folder(folder: Path) -> None:
    """Make a folder whose own name is on disk too."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        flush_folder(folder.parent)


def _write_back(handle: int, offset: int, count: int) -> None:
    """
    Let the disk begin at once, so that the flush at the end has little to wait for.

    On Linux this advice starts the writing of pages that are not on disk yet and drops none of them
    (mm/fadvise.c); elsewhere it would do something else.
    """
    if sys.platform == "linux":
        os.posix_fadvise(handle, offset, count, os.POSIX_FADV_DONTNEED)


if hasattr(os, "pwrite"):

    def _pread(handle: int, count: int, offset: int) -> bytes:
        return os.pread(handle, count, offset)

    def _pwrite(handle: int, data: memoryview, offset: int) -> int:
        return os.pwrite(handle, data, offset)
else:

    def _pread(handle: int, count: int, offset: int) -> bytes:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, count)

    def _pwrite(handle: int, data: memoryview, offset: int) -> int:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.write(handle, data)
