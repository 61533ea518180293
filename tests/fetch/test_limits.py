"""What a fetch does where the system gives little: few handles, no threads, little memory."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, file_of
from power_worker import dump_files
from stores import root_only

from modeldeps.fetch import fetch
from modeldeps.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blob_server import BlobServer

    from modeldeps.manifest import File

SUPPORT = Path(__file__).parents[1] / "support"
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the high-water mark of memory")
LARGE = 1 << (30 if os.environ.get("EVERY_POINT") else 26)
"""Bytes of the file that memory is measured with."""
MOST = 64_000_000
"""Bytes of memory over those of the interpreter."""
FETCH = """
import json, os, resource, sys, tempfile
from pathlib import Path
from power_worker import read_files
from modeldeps.fetch import _host, fetch
from modeldeps.config import settings
from modeldeps.progress import Reporter
from modeldeps.store import Store
store, channel, listing, limits, user = sys.argv[1:]
_host.NEAR = 0.0  # as many connections as to a source that is far away
files, chosen = read_files(listing), settings()
if int(user):  # everything is imported while it can be read
    with tempfile.TemporaryDirectory() as other:
        fetch(files[-1:], Store(Path(other) / "store"), channels=[channel], reporter=Reporter())
    os.setgroups([]), os.setgid(int(user)), os.setuid(int(user))
for name, most in json.loads(limits).items():
    resource.setrlimit(getattr(resource, name), (most, most))
fetched = fetch(files, Store(Path(store)), channels=[channel], reporter=Reporter(), chosen=chosen)
status = Path("/proc/self/status")
peak = next((line.split()[1] for line in status.read_text().splitlines() if "VmHWM" in line), 0)
open_files = [os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")]
print(fetched.bytes_fetched, int(peak) * 1024, sum(store in one for one in open_files))
"""


def run(
    store: Store, server: BlobServer, files: Sequence[File], *, user: int = 0, **limits: int
) -> tuple[int, int]:
    """Fetch in a process of its own; return the bytes that travelled and the most memory."""
    listing = store.root.parent / "listing.json"
    dump_files(files, listing)
    words = [sys.executable, "-c", FETCH, str(store.root), server.url, str(listing), json.dumps(limits)]
    environ = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    done = subprocess.run([*words, str(user)], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fetched, peak, handles = map(int, done.stdout.split())
    assert handles == 0, "handles are left open"
    return fetched, peak


def many(server: BlobServer, data: bytes) -> list[File]:
    """Return large files with and without chunks, and fifty small ones."""
    parts = [data, data[1:], *(data[at : at + 30_000] for at in range(0, 1_500_000, 30_000))]
    files = [file_of(part, f"file-{at}", chunk=100_000 if at == 0 else 0) for at, part in enumerate(parts)]
    for file, part in zip(files, parts, strict=True):
        server.add(part, file.sha256)
    return files


@linux
@pytest.mark.parametrize("handles", [64, 40])
def test_few_handles_are_enough(server: BlobServer, store: Store, data: bytes, handles: int) -> None:
    files = many(server, data)
    fetched, _ = run(store, server, files, RLIMIT_NOFILE=handles)
    assert fetched == sum(file.size for file in files)
    assert all(store.find(file) for file in files)


@linux
@root_only
@pytest.mark.parametrize("processes", [1, 3])
def test_no_thread_or_few_are_enough(server: BlobServer, data: bytes, processes: int) -> None:
    files = many(server, data)
    with tempfile.TemporaryDirectory() as name:  # where another user may go
        Path(name).chmod(0o755)
        store = Store(Path(name) / "store")
        store.root.mkdir()
        os.chown(store.root, 61_077, 61_077)
        fetched, _ = run(store, server, files, user=61_077, RLIMIT_NPROC=processes)
        assert fetched == sum(file.size for file in files)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_number_of_threads_is_enough(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    files = many(server, data)
    start, left = threading.Thread.start, [count]

    def start_some(thread: threading.Thread) -> None:
        if thread.name.startswith("modeldeps"):
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_some)
    reporter = Remember()
    fetch(files, store, channels=[server.url], reporter=reporter)
    assert all(store.find(file) for file in files)
    assert reporter.done == sum(file.size for file in files)


@linux
@pytest.mark.parametrize("chunk", [1 << 20, 0], ids=["chunks", "no-chunks"])
def test_memory_stays_small_however_large_the_file(server: BlobServer, store: Store, chunk: int) -> None:
    data = random.Random(2).randbytes(1 << 24) * (LARGE >> 24)  # noqa: S311 - no secret
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    bare = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/status').read())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    bare_peak = next(int(line.split()[1]) for line in bare.splitlines() if "VmHWM" in line) * 1024
    fetched, peak = run(store, server, [file])
    assert fetched <= 1.01 * len(data)
    print(f"{(peak - bare_peak) / 1e6:.1f} MB over the interpreter for {len(data) >> 20} MiB")  # noqa: T201
    assert peak - bare_peak <= MOST
    assert len({one.connection for one in server.requests}) > 2
