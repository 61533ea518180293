"""One download however many processes ask, and what is left when one of them dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import file_of

from modeldeps.digest import sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blob_server import BlobServer

    from modeldeps.manifest import File
    from modeldeps.store import Store

WORKER = Path(__file__).parents[1] / "support" / "fetch_worker.py"
CHUNK = 500_000
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def file(server: BlobServer, data: bytes) -> File:
    found = file_of(data, chunk=CHUNK)
    server.add(data, found.sha256)
    server.pause = 0.01
    return found


@pytest.fixture
def spawn(
    server: BlobServer, store: Store, file: File, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a process which fetches the file; all are gone after the test."""
    named = tmp_path / "file.json"
    chunks = [[one.offset, one.length, one.sha256] for one in file.chunks]
    named.write_text(
        json.dumps({"path": file.path, "size": file.size, "sha256": file.sha256, "chunks": chunks})
    )
    started = []

    def start(*settings: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        words = [*before, sys.executable, str(WORKER), str(store.root), server.url, str(named), *settings]
        process = subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def begun(store: Store, file: File, *, at_least: int) -> None:
    """Wait until so much of a file lies in the store."""
    deadline = time.monotonic() + 30
    while store.begun(file) < at_least:
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.005)


def finish(process: subprocess.Popen[str]) -> int:
    """Return the bytes that a process fetched."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return int(out)


def check(store: Store, file: File) -> None:
    """Check that the store holds the right bytes and nothing else."""
    blob = store.find(file)
    assert blob is not None
    assert sha256_file(blob) == file.sha256
    assert list((store.root / "partial").iterdir()) == []


def test_six_processes_fetch_a_file_once(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    processes = [spawn() for _ in range(6)]
    assert sorted(map(finish, processes)) == [0] * 5 + [file.size]
    assert len(server.requests) == 1
    check(store, file)


@posix
def test_when_the_one_that_fetches_is_killed_another_goes_on_where_it_stopped(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    first = spawn()
    begun(store, file, at_least=2 * CHUNK)
    others = [spawn() for _ in range(3)]
    time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    fetched = sorted(map(finish, others))
    assert fetched[:2] == [0, 0]
    assert 0 < fetched[2] <= file.size - 2 * CHUNK
    assert server.requests[1].start >= 2 * CHUNK
    check(store, file)


@posix
def test_killed_again_and_again_it_still_gets_done(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    for count in range(1, 5):
        process = spawn()
        begun(store, file, at_least=count * CHUNK)
        process.kill()
        process.wait()
        assert not store.blob(file.sha256).exists()
    fetched = finish(spawn())
    assert 0 < fetched <= file.size - 4 * CHUNK
    starts = [one.start for one in server.requests]
    assert starts == sorted(starts)
    check(store, file)


@posix
def test_one_that_hangs_is_not_waited_for_for_ever(
    spawn: Callable[..., subprocess.Popen[str]], store: Store, file: File
) -> None:
    stopped = spawn()
    begun(store, file, at_least=CHUNK)
    stopped.send_signal(signal.SIGSTOP)
    assert finish(spawn("PATIENCE=0.3")) == file.size
    stopped.send_signal(signal.SIGCONT)
    finish(stopped)
    check(store, file)


def test_where_locks_do_nothing_every_process_still_ends_well(
    spawn: Callable[..., subprocess.Popen[str]], store: Store, file: File
) -> None:
    processes = [spawn("locks=off") for _ in range(4)]
    assert all(finish(process) in (0, file.size) for process in processes)
    check(store, file)


@posix
def test_interrupted_by_ctrl_c_it_keeps_what_came(
    spawn: Callable[..., subprocess.Popen[str]], store: Store, file: File
) -> None:
    process = spawn()
    begun(store, file, at_least=2 * CHUNK)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert store.begun(file) >= 2 * CHUNK
    assert finish(spawn()) <= file.size - 2 * CHUNK
    check(store, file)


POINTS = [
    *[f"pwrite64:error=ENOSPC:when={number}" for number in (1, 4)],
    *[f"pwrite64:signal=KILL:when={number}" for number in (1, 4, 6)],
    *[f"fsync:error=EIO:when={number}" for number in (1, 2, 3, 4)],
    *[f"fsync:signal=KILL:when={number}" for number in (1, 2, 3, 4)],
    "fchmod:signal=KILL:when=1",
    "fchmod:error=EPERM:when=1",
    "utimensat:signal=KILL:when=1",
    "utimensat:error=EPERM:when=1",
    "rename:signal=KILL:when=2",
    "rename:error=EIO:when=2",
    "ftruncate:error=EIO:when=1",
]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace makes the faults")
@pytest.mark.parametrize("point", POINTS)
def test_a_fault_at_any_point_leaves_the_store_good(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File, point: str
) -> None:
    server.pause = 0
    call = point.partition(":")[0]
    process = spawn(
        before=("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={point}")
    )
    process.communicate(timeout=60)
    blob = store.blob(file.sha256)
    assert not blob.exists() or sha256_file(blob) == file.sha256
    assert process.returncode != 0 or blob.exists()
    finish(spawn())
    check(store, file)
