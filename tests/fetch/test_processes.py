"""One download however many processes ask, and what is left when one of them dies."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetch_worker import describe
from fetching import file_of

from modeldeps.digest import sha256_file
from modeldeps.store import _lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    started = []

    def start(
        *settings: str, before: tuple[str, ...] = (), files: Sequence[File] = (file,)
    ) -> subprocess.Popen[str]:
        named.write_text(json.dumps([*map(describe, files)]))
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


def fetched_by_all(process: subprocess.Popen[str]) -> list[int]:
    """Return the bytes that each of a crowd of processes fetched."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err == ""
    return [*map(int, out.split())]


def parts_of(data: bytes, server: BlobServer) -> list[File]:
    """Serve a model of seven files of many sizes; return them."""
    files = []
    for number, size in enumerate((1_500_000, 900_000, 300_000, 70_000, 5_000, 17, 1_048_577)):
        part = bytes([number]) + data[:size]
        files.append(file_of(part, f"{number}.bin", chunk=60_000 if number % 2 else 0))
        server.add(part, files[-1].sha256)
    return files


@posix
def test_of_32_processes_one_fetches_and_all_have_the_file(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    fetched = fetched_by_all(spawn("crowd=32"))
    assert sorted(fetched) == [0] * 31 + [file.size]
    assert server.sent == file.size
    check(store, file)


@posix
@pytest.mark.parametrize("near", ["host.NEAR=1", "host.NEAR=-1"])
def test_32_processes_fetch_each_file_of_a_model_once(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, data: bytes, near: str
) -> None:
    files = parts_of(data, server)
    server.pause = 0.002
    fetched = fetched_by_all(spawn("crowd=32", near, files=files))
    assert len(fetched) == 32
    assert sum(fetched) == server.sent == sum(one.size for one in files)
    for one in files:
        check(store, one)


@posix
def test_32_processes_of_which_whoever_fetches_is_killed_lose_next_to_nothing(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, data: bytes
) -> None:
    large = random.Random(5).randbytes(32 << 20)  # noqa: S311 - no secret
    file = file_of(large, chunk=CHUNK)
    server.add(large, file.sha256)
    server.pause, server.block = 0.004, 1 << 15
    crowd = spawn("crowd=32", "host.NEAR=1", "host.ENOUGH=1", files=[file])
    killed: set[int] = set()
    for share in (0.05, 0.2, 0.4, 0.7, 0.9):
        begun(store, file, at_least=int(share * file.size))
        holder = None
        while holder is None or holder.pid in killed:
            holder = _lock.holder(store._layout.lock(file.sha256))
        killed.add(holder.pid)
        os.kill(holder.pid, signal.SIGKILL)
    out, err = crowd.communicate(timeout=120)
    assert (crowd.returncode, err) == (0, "")
    assert len(out.split()) == 32 - len(killed)
    assert server.sent <= 1.05 * file.size
    check(store, file)


CONTAINER = ("unshare", "--mount", "--pid", "--fork", "--uts", "--ipc")
can_unshare = pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*CONTAINER, "true"], capture_output=True).returncode != 0,  # noqa: PLW1510 - it is looked at
    reason="no namespaces of one's own can be made here",
)


@posix
@can_unshare
def test_processes_in_containers_that_share_a_store_fetch_a_file_once(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    crowds = [spawn("crowd=4", before=CONTAINER) for _ in range(3)]
    fetched = [count for one in crowds for count in fetched_by_all(one)]
    assert sorted(fetched) == [0] * 11 + [file.size]
    assert server.sent == file.size
    check(store, file)


@posix
@can_unshare
def test_a_container_that_is_killed_leaves_what_it_fetched_to_the_others(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, file: File
) -> None:
    first = spawn(before=(*CONTAINER, "--kill-child"))
    begun(store, file, at_least=2 * CHUNK)
    other = spawn(before=CONTAINER)
    time.sleep(0.2)
    first.kill()
    assert 0 < finish(other) <= file.size - 2 * CHUNK
    check(store, file)


@posix
def test_a_program_that_has_fetched_may_fork_and_both_go_on(
    spawn: Callable[..., subprocess.Popen[str]], server: BlobServer, store: Store, data: bytes
) -> None:
    files = parts_of(data, server)
    server.pause = 0
    process = spawn("after=fork", "host.NEAR=-1", files=files)
    assert fetched_by_all(process) == [
        files[0].size,
        sum(one.size for one in files[1:-1]),
        files[-1].size,
    ]
    for one in files:
        check(store, one)


EDGES = 16 * (8 * 2 * 4096 + 50_000)
"""Bytes at the edges of what 16 connections wrote, in blocks and chunks that may be written in part only."""
FAR = ("host.NEAR=-1", "orders.SEGMENT=100000", "orders.LEAST=50000")


@posix
@pytest.mark.parametrize("settings", [(), FAR], ids=["near", "far"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_interrupted_at_any_moment_it_leaves_no_other_traceback_and_keeps_what_came(
    spawn: Callable[..., subprocess.Popen[str]],
    server: BlobServer,
    store: Store,
    number: signal.Signals,
    settings: tuple[str, ...],
) -> None:
    moments = random.Random(number + len(settings))  # noqa: S311 - no secret
    large = moments.randbytes(8 << 20)
    file = file_of(large, chunk=50_000)
    server.add(large, file.sha256)
    server.pause, server.block = (0.006 if settings else 0.002), 1 << 13
    for share in (0.0, 0.0, 0.1, 0.3, 0.5, 0.7):
        process = spawn(*settings, files=[file])
        if share:
            begun(store, file, at_least=int(share * file.size))
        time.sleep(moments.random() * 0.1 + (0 if share else 0.15))
        before = store.begun(file)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode != 0
        found = err.count("Traceback (most recent call last)")
        assert found == 0 or (number == signal.SIGINT and "KeyboardInterrupt" in err.splitlines()[-1])
        assert "Exception ignored" not in err
        assert store.begun(file) >= before
    kept = store.begun(file)
    assert finish(spawn(files=[file])) <= file.size - kept + EDGES
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
