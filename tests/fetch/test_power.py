"""What real file systems bring back after the power was cut, at every moment of a store's life."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from disks import MAKE, Replay, cuts, logged
from fetching import fetch_one, file_of
from power_worker import NAMED, bytes_of, dump_files
from stores import root_only

from modeldeps.digest import sha256_file
from modeldeps.fetch import fetch
from modeldeps.manifest import File
from modeldeps.progress import Reporter
from modeldeps.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blob_server import BlobServer
    from disks import Disk, Record

SUPPORT = Path(__file__).parents[1] / "support"
EVERY = bool(os.environ.get("EVERY_POINT"))
"""Take the time that `nox -s disks` has."""
MOMENTS = 10_000 if EVERY else 12
"""How many moments of a life are looked at; `nox -s disks` looks at each."""
CHUNK = 100_000
pytestmark = [root_only, pytest.mark.skipif(sys.platform != "linux", reason="Linux mounts the disks")]


def work(action: str, disk: Disk, server: BlobServer, files: Sequence[File], listing: Path) -> None:
    """Let a process work on a disk."""
    dump_files(files, listing)
    words = [sys.executable, str(SUPPORT / "power_worker.py"), action, str(disk.folder), str(disk.marks)]
    environ = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    subprocess.run([*words, server.url, str(listing)], env=environ, check=True)


def life() -> list[File]:
    """Return the files of a store's life; the second is the first with another end."""
    sizes = {"model.onnx": 1_500_000, "later.onnx": 1_500_000, "found.onnx": 300_000, "copied": 200_000}
    sizes |= {"placed.onnx": 250_000, "hurried": 50_000, **{f"part-{number}": 40_000 for number in range(5)}}
    plain = [File(path, size, "0" * 64) for path, size in sizes.items()]
    data = {one.path: bytes_of(one) for one in plain}
    return [file_of(data[one.path], one.path, chunk=CHUNK if "o" in one.path else 0) for one in plain]


@dataclass
class Promised:
    """What marks say that holds."""

    here: set[str] = field(default_factory=set)
    """Digests of blobs that are there."""
    loose: set[str] = field(default_factory=set)
    """Digests of blobs that somebody takes away, or puts there by hand."""
    model: bool = False
    """The model is materialised."""
    pinned: bool = False
    """It is pinned."""
    spoiling: bool = False
    """Somebody writes to a blob: its bytes may reach the disk before its time of change does."""

    def hear(self, words: str) -> None:
        """Draw the consequences of a mark."""
        what, _, digest = words.partition(" ")
        if what == "here":
            self.here.add(digest)
            self.loose.discard(digest)
        elif what == "going":
            self.here.discard(digest)
            self.loose.add(digest)
            self.model = False
        else:
            self.model |= what == "model"
            self.pinned |= what == "pinned"
            self.spoiling = what == "spoiling"


def check(folder: Path, files: Sequence[File], promised: Promised) -> None:
    """Look at what a power cut left: nothing is half, nothing that was promised is missing."""
    store = Store(folder / "store")
    for blob in (store.root / "blobs" / "sha256").glob("*/*"):
        assert blob.name in promised.loose or sha256_file(blob) == blob.name, f"{blob.name} is half"
    for file in files:
        found = store.find(file)
        right = found is None or found.read_bytes() == bytes_of(file)
        assert right or promised.spoiling, f"{file.path} is wrong and trusted"
        assert found is not None or file.sha256 not in promised.here, f"{file.path} is gone"
    model = [files[0], *files[6:]]
    made = store.materialised(model, **NAMED)
    assert made is not None or not promised.model, "the model is gone"
    right = made is None or all((made / one.path).read_bytes() == bytes_of(one) for one in model)
    assert right or promised.spoiling
    assert not promised.pinned or [one.use.name for one in store.notes()] == ["digits"]


@pytest.mark.parametrize("system", MAKE)
def test_after_a_power_cut_at_any_moment_each_blob_is_whole_or_absent_and_what_was_told_is_there(
    server: BlobServer, tmp_path: Path, system: str
) -> None:
    files = life()
    for file in files:
        server.add(bytes_of(file), file.sha256)
    with logged(system, tmp_path) as disk:
        work("live", disk, server, files, tmp_path / "listing.json")
    records = disk.records()
    replay, promised, heard, count = Replay(disk, records, tmp_path), Promised(), 0, 0
    for cut in cuts(records, moments(records), seed=5):
        for record in records[heard : cut.at]:
            if record.kind == b"M":
                promised.hear(record.data.decode())
        heard = max(heard, cut.at)
        with replay.mounted(cut) as folder:
            check(folder, files, promised)
            count += 1
            if cut.torn is not None:
                fetch(files, Store(folder / "store"), channels=[server.url], reporter=Reporter())
    assert heard == len(records)
    print(f"{system}: {count} power cuts, {len(records)} writes, flushes and marks")  # noqa: T201


def moments(records: Sequence[Record]) -> list[int]:
    """Return moments just before and after each flush and each mark, or some of them, and the end."""
    found = {index + step for index, one in enumerate(records) if one.kind != b"W" for step in (0, 1)}
    some = random.Random(8).sample(sorted(found), min(len(found), MOMENTS))  # noqa: S311 - no secret
    return sorted({*some, len(records)})


WHOLE, CHUNKED = 0, 250_000


@pytest.mark.parametrize(
    ("system", "chunk"),
    [*((system, CHUNKED) for system in MAKE), ("xfs", WHOLE)],
    ids=[*MAKE, "xfs-no-chunks"],
)
def test_what_was_brought_to_disk_in_the_middle_of_a_fetch_is_not_fetched_again_after_a_power_cut(
    server: BlobServer, tmp_path: Path, system: str, chunk: int
) -> None:
    data = random.Random(4).randbytes(12_000_000)  # noqa: S311 - no secret
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.pause = 0.01
    with logged(system, tmp_path) as disk:
        work("fetch", disk, server, [file], tmp_path / "listing.json")
    server.pause = 0
    records = disk.records()
    told = marks(records, "safe")
    assert told, "nothing was brought to disk before the end"
    replay = Replay(disk, records, tmp_path)
    for at, safe in told[:: max(1, len(told) // 4)]:
        for cut in cuts(records, [at], seed=at):
            with replay.mounted(cut) as folder:
                fetched = fetch_one(file, Store(folder / "store"), server.url).bytes_fetched
            assert fetched <= len(data) - safe + (1 << 20)


def marks(records: Sequence[Record], word: str) -> list[tuple[int, int]]:
    """Return the marks of a kind: the moment after each, and its number."""
    found = ((at, one.data.split()) for at, one in enumerate(records, 1) if one.kind == b"M")
    return [(at, int(words[1])) for at, words in found if words[0] == word.encode()]


@pytest.mark.skipif(not EVERY, reason="takes a minute: nox -s disks")
@pytest.mark.parametrize("chunk", [CHUNKED, WHOLE], ids=["chunks", "no-chunks"])
@pytest.mark.parametrize("system", MAKE)
def test_a_power_cut_in_the_middle_of_a_long_fetch_costs_a_fifth_of_it_at_most(
    server: BlobServer, tmp_path: Path, system: str, chunk: int
) -> None:
    data = random.Random(4).randbytes(48_000_000)  # noqa: S311 - no secret
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.pause = 0.03
    with logged(system, tmp_path) as disk:
        work("fetch", disk, server, [file], tmp_path / "listing.json")
    server.pause = 0
    records = disk.records()
    replay = Replay(disk, records, tmp_path)
    kept = [
        (at, count) for at, count in marks(records, "kept") if 0.25 * len(data) < count < 0.98 * len(data)
    ]
    again = []
    for at, count in kept[:: max(1, len(kept) // 20)]:
        (cut, *_) = cuts(records, [at], seed=at)
        with replay.mounted(cut) as folder:
            fetched = fetch_one(file, Store(folder / "store"), server.url).bytes_fetched
        again.append((fetched - len(data) + count) / count)
    again.sort()
    print(f"{system}: of what was there, {again[len(again) // 2]:.1%} came again, {again[-1]:.1%} at most")  # noqa: T201
    assert again[-1] <= 0.2
