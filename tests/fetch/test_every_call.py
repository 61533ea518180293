"""Every system call of the store's work fails once, or is the last one of its process."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import fetch_one, file_of
from power_worker import NAMED, dump_files

from modeldeps.digest import sha256_file
from modeldeps.fetch import fetch
from modeldeps.progress import Reporter
from modeldeps.store import Store, _lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from blob_server import BlobServer

    from modeldeps.manifest import File

SUPPORT = Path(__file__).parents[1] / "support"
EVERY = bool(os.environ.get("EVERY_POINT"))
"""Look at every point, as `nox -s disks` does, and not at some of them."""
SOME = 10
"""Points of each action that are looked at otherwise."""
PATIENCE = 30
"""Seconds after which whoever does not come to an end hangs."""
LOCKING = ("openat", "flock")
"""Calls without which nobody is kept away; whoever can't lock leaves the part file of others alone."""
CHUNK = 50_000
SIZE = 8 * CHUNK + 100
FAULTS = {
    "EIO": "openat mkdir ftruncate lseek pwrite64 pread64 preadv read write copy_file_range fadvise64 fchmod"
    " chmod utimensat fsync rename renameat2 unlink rmdir flock newfstatat fstat statfs getdents64 ioctl link"
    " linkat close",
    "ENOSPC": "openat mkdir ftruncate pwrite64 write copy_file_range fsync rename link linkat ioctl",
    "EROFS": "openat mkdir fchmod chmod utimensat rename unlink link linkat rmdir",
    "EMFILE": "openat",
    "ENOLCK": "flock",
    "EAGAIN": "clone3",
}
"""What each error may come from."""
CALLS = sorted({call for calls in FAULTS.values() for call in calls.split()})
ACTIONS = ["fetch", "materialise", "pin", "free", "adopt", "copy", "verify", "repair"]
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("strace"), reason="strace makes the faults"
)


@dataclass
class World:
    """A channel, a store as it is before each action, and what acts on copies of it."""

    server: BlobServer
    files: Sequence[File]
    folder: Path
    worker: subprocess.Popen[str]
    count: int = 0

    def act(self, action: str, *tracing: str) -> tuple[Store, str]:
        """Let a child act under a tracer; return the store, and what the child said before a kill."""
        self.count += 1
        place = self.folder / f"{action}-{self.count}"
        shutil.copytree(self.folder / "before", place)
        if action == "repair":
            spoil(Store(place / "store"), self.files[0])
        number = self.ask(f"{action} {place / 'store'}")["child"]
        words = ["strace", "-f", "-qq", "-p", str(number), *tracing]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as tracer:
            attached(int(str(number)))
            found = self.ask("go")
            tracer.wait(PATIENCE)
        return Store(place / "store"), str(found["told"])

    def ask(self, line: str) -> dict[str, object]:
        assert self.worker.stdin is not None
        assert self.worker.stdout is not None
        self.worker.stdin.write(f"{line}\n")
        self.worker.stdin.flush()
        found: dict[str, object] = json.loads(self.worker.stdout.readline())
        return found


def attached(number: int) -> None:
    """Wait until a process is traced."""
    deadline = time.monotonic() + 10
    while "TracerPid:\t0" in Path(f"/proc/{number}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def spoil(store: Store, file: File) -> None:
    blob = store.blob(file.sha256)
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.write(b"spoiled")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a store that holds an older version and a part of the new one."""
    folder = tmp_path_factory.mktemp("world")
    chance = random.Random(6)  # noqa: S311 - no secret
    old, small = chance.randbytes(SIZE), chance.randbytes(30_000)
    new = old[: 3 * CHUNK] + chance.randbytes(SIZE - 3 * CHUNK)
    files = [file_of(old, "old", chunk=CHUNK), file_of(new, "new", chunk=CHUNK), file_of(small, "small")]
    with blob_server.running() as server:
        for data, file in zip((old, new, small), files, strict=True):
            server.add(data, file.sha256)
        store = Store(folder / "before" / "store")
        fetch_one(files[0], store, server.url)
        part = store.root / "partial" / files[1].sha256
        part.write_bytes(bytes(6 * CHUNK) + new[6 * CHUNK : 7 * CHUNK])
        elsewhere = folder / "before" / "elsewhere" / "file"
        elsewhere.parent.mkdir()
        elsewhere.write_bytes(small)
        dump_files(files, folder / "listing.json")
        words = [sys.executable, str(SUPPORT / "fault_worker.py"), server.url, str(folder / "listing.json")]
        environ = {**os.environ, "PYTHONPATH": str(SUPPORT)}
        pipe = subprocess.PIPE
        with subprocess.Popen(words, env=environ, text=True, stdin=pipe, stdout=pipe) as worker:
            yield World(server, files, folder, worker)
            worker.kill()


def points(world: World, action: str) -> list[tuple[str, int, str]]:
    """Return each call of a clean run, its number in its thread, and what may become of it."""
    log = world.folder / f"{action}.log"
    store, told = world.act(action, "-o", str(log), "-e", f"trace={','.join(CALLS)}")
    assert told == "done"
    calls: Counter[tuple[str, str]] = Counter()
    for line in log.read_text().splitlines():
        if found := re.match(r"(\d+) +(\w+)\(", line):
            calls[found[1], found[2]] += 1
    most = {call: max(count for (_, one), count in calls.items() if one == call) for _, call in calls}
    shutil.rmtree(store.root.parent)
    return [
        (call, number, fault)
        for fault, names in {**FAULTS, "KILL": " ".join(CALLS)}.items()
        for call in names.split()
        for number in range(1, most.get(call, 0) + 1)
    ]


@pytest.mark.timeout(3600 if EVERY else 300)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_call_that_fails_or_is_the_last_one_leaves_a_store_that_is_good(world: World, action: str) -> None:
    found = points(world, action)
    chosen = found if EVERY else random.Random(len(found)).sample(found, min(SOME, len(found)))  # noqa: S311
    wrong = []
    for call, number, fault in chosen:
        what = "signal=KILL" if fault == "KILL" else f"error={fault}"
        tracing = "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}"
        store, told = world.act(action, *tracing)
        found_wrong = problems(world, action, store, told, locked=call not in LOCKING)
        wrong += [f"{call} {number} {fault}: {one}" for one in found_wrong]
        shutil.rmtree(store.root.parent)
    print(f"{action}: {len(chosen)} of {len(found)} points")  # noqa: T201 - for the page on durability
    assert not wrong, "\n".join(wrong)


def problems(world: World, action: str, store: Store, told: str, *, locked: bool) -> Iterator[str]:
    """
    Yield what is wrong with a store after an action, and with what was said of it.

    Where it was not `locked` the action may have made the blob beside what an earlier run left of it.
    """
    old, new, small = world.files
    if told.startswith("traceback"):
        yield told
    yield from half(store, {old.sha256} if action == "repair" else set())
    if told == "done" and action == "fetch":
        yield from (f"{one.path} is not there" for one in (new, small) if store.find(one) is None)
    if told == "done" and action == "materialise" and store.materialised([old], **NAMED) is None:
        yield "the model is not there"
    if told == "done" and action == "pin" and not list(store.notes()):
        yield "the pin is not there"
    since = time.monotonic()
    fetch(world.files, store, channels=[world.server.url], reporter=Reporter())
    store.materialise([old, small], **NAMED)
    if time.monotonic() - since > 10:
        yield "the next run waited"
    yield from half(store, set())
    yield from (f"{one.path} does not come" for one in world.files if store.find(one) is None)
    yield from (f"{one.name} is held" for one in (store.root / "partial").glob("*.lock") if is_held(one))
    if locked and told != "done" and (store.root / "partial" / new.sha256).exists():
        yield "the part file is left"


def is_held(path: Path) -> bool:
    lock = _lock.acquire(path)
    if lock is None:
        return True
    lock.release()
    return False


def half(store: Store, but: set[str]) -> Iterator[str]:
    for blob in (store.root / "blobs" / "sha256").glob("*/*"):
        if blob.name not in but and sha256_file(blob) != blob.name:
            yield f"{blob.name} is half"
