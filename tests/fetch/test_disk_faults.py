"""Disks that fill up, die or turn read-only while bytes come in, and clocks that jump."""

from __future__ import annotations

import errno
import os
import random
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest
from disks import MAKE, plain
from fetching import Remember, fetch_one, file_of
from stores import looped, root_only

from modeldeps.digest import sha256_file
from modeldeps.errors import StoreError, StoreFailedError, StoreFullError, StoreReadOnlyError
from modeldeps.store import Store, _part

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blob_server import BlobServer

    from modeldeps.manifest import File

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux mounts the disks")
SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of linux/fs.h: the file system stops as if its disk were gone."""


def failing(
    file: File, store: Store, server: BlobServer, fault: Callable[[], object], *, at: float
) -> tuple[StoreError | None, Remember]:
    """Fetch a file from a slow server while something happens to the disk; return what was raised."""
    reporter, over = Remember(), threading.Event()

    def wait() -> None:
        deadline = time.monotonic() + 20
        while reporter.done < file.size * at and not over.is_set() and time.monotonic() < deadline:
            time.sleep(0.001)
        fault()

    thread = threading.Thread(target=wait)
    thread.start()
    server.pause = 0.01
    try:
        fetch_one(file, store, server.url, reporter=reporter)
    except StoreError as error:
        return error, reporter
    finally:
        over.set()
        thread.join()
        server.pause = 0
    return None, reporter


@pytest.fixture(params=[250_000, 0], ids=["chunks", "no-chunks"])
def file(request: pytest.FixtureRequest, server: BlobServer) -> File:
    data = random.Random(9).randbytes(6_000_000)  # noqa: S311 - no secret
    found = file_of(data, chunk=request.param)
    server.add(data, found.sha256)
    return found


def fill(folder: Path) -> None:
    """Take all room that a disk has."""
    with (folder / "ballast").open("wb", buffering=0) as stream:
        end, step = 0, 64 << 20
        while step >= 4096:
            try:
                os.posix_fallocate(stream.fileno(), end, step)
            except OSError:  # noqa: PERF203 - a few dozen rounds
                step //= 2
            else:
                end += step


def write_full(folder: Path) -> None:
    """Write until no room is left, which takes longer: the fetch finds less and less."""
    with (folder / "ballast").open("wb", buffering=0) as stream:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while stream.write(bytes(size)):
                    os.fsync(stream.fileno())


def check(file: File, store: Store, server: BlobServer, *, most: int) -> None:
    """Fetch again, and see that no more travels than that."""
    assert fetch_one(file, store, server.url).bytes_fetched <= most
    blob = store.find(file)
    assert blob is not None
    assert sha256_file(blob) == file.sha256
    assert not [one for one in (store.root / "partial").iterdir() if one.name.endswith(".lock")]


@root_only
@pytest.mark.parametrize(
    ("system", "filler"),
    [*((system, fill) for system in MAKE), ("ext4", write_full)],
    ids=[*MAKE, "ext4-slowly"],
)
def test_a_disk_that_somebody_else_fills_is_told_as_full_and_what_came_is_kept(
    server: BlobServer, tmp_path: Path, file: File, system: str, filler: Callable[[Path], None]
) -> None:
    with plain(system, tmp_path) as folder:
        store = Store(folder / "store")
        error, reporter = failing(file, store, server, lambda: filler(folder), at=0.3)
        assert isinstance(error, StoreFullError), error
        assert "make room" in str(error)
        assert store.find(file) is None
        kept = reporter.done
        (folder / "ballast").unlink()
        os.sync()  # btrfs gives room back when it writes down that it is free
        check(file, store, server, most=file.size - kept + 1_000_000)


@root_only
@pytest.mark.parametrize("system", ["ext4", "xfs"])
def test_a_disk_that_dies_is_told_as_failed_and_brings_nothing_wrong_back(
    server: BlobServer, tmp_path: Path, file: File, system: str
) -> None:
    import fcntl  # noqa: PLC0415 - not on Windows

    def die(folder: Path) -> None:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.ioctl(handle, SHUTDOWN, struct.pack("I", 2))  # what is in memory is lost
        os.close(handle)

    with plain(system, tmp_path) as folder:
        store = Store(folder / "store")
        error, _ = failing(file, store, server, lambda: die(folder), at=0.5)
        assert isinstance(error, StoreFailedError), error
        assert "the disk of the store failed" in str(error)
        assert store.find(file) is None
    with looped(tmp_path / "image", folder):
        check(file, store, server, most=file.size)


@root_only
def test_a_disk_that_turns_read_only_is_told_as_such(server: BlobServer, tmp_path: Path, file: File) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(plain("ext4", tmp_path))
        store = Store(folder / "store")
        words = ["mount", "-o", "remount,abort", str(folder)]
        error, _ = failing(file, store, server, lambda: subprocess.run(words, check=True), at=0.5)
        assert isinstance(error, StoreReadOnlyError | StoreFailedError), error
        assert store.find(file) is None
        with pytest.raises((StoreReadOnlyError, StoreFailedError)):
            fetch_one(file, store, server.url)
    with looped(tmp_path / "image", folder):
        check(file, store, server, most=file.size)


@pytest.mark.parametrize("moment", [-1_000_000_000, 0, 4_000_000_000], ids=["past", "1970", "future"])
def test_a_clock_that_jumps_loses_nothing(
    server: BlobServer, store: Store, file: File, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    fetch_one(file, store, server.url)
    part = store.root / "partial" / file.sha256
    store.blob(file.sha256).rename(part)
    part.chmod(0o644)
    os.truncate(part, 3_000_000)
    (store.root / "partial" / f"{file.sha256}.lock").touch()
    for one in (part, store.root, store.root / "layout", store.root / "partial"):
        os.utime(one, (moment, moment))
    monkeypatch.setattr(time, "time", lambda: float(moment))
    assert fetch_one(file, store, server.url).bytes_fetched <= 3_300_000
    assert sha256_file(store.blob(file.sha256)) == file.sha256
    assert store.find(file) is not None


def test_bytes_that_a_failed_flush_may_have_lost_are_not_kept(
    store: Store, server: BlobServer, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(errno.EIO, f"handle {handle}")

    with monkeypatch.context() as patch:
        patch.setattr(_part, "flush_file", fail)
        with pytest.raises(StoreFailedError):
            fetch_one(file, store, server.url)
    assert store.begun(file) == 0
    check(file, store, server, most=file.size)
