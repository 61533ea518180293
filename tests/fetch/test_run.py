"""Many ranges and many files at once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import ContradictionError, DigestError, StoreFailedError, UnreachableError
from modeldeps.fetch import Body, _host, _orders, fetch
from modeldeps.progress import Reporter
from modeldeps.store import Store, _landing

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer

    from modeldeps.manifest import File

CHUNKS = pytest.mark.parametrize("chunk", [0, 70_000, 1_000_000])


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every source for one that is far away, so that many connections are made, for short ranges."""
    monkeypatch.setattr(_host, "NEAR", -1.0)
    monkeypatch.setattr(_orders, "SEGMENT", 200_000)
    monkeypatch.setattr(_orders, "LEAST", 100_000)
    monkeypatch.setattr(_orders, "SMALL", 150_000)


def small_files(server: BlobServer, count: int, size: int = 5_000) -> list[File]:
    source = random.Random(count)  # noqa: S311 - no secret
    files = []
    for number in range(count):
        data = source.randbytes(size)
        files.append(file_of(data, f"{number}.bin"))
        server.add(data, files[-1].sha256)
    return files


@CHUNKS
def test_ranges_come_over_many_connections_and_none_twice(
    server: BlobServer, store: Store, data: bytes, far: None, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.pause = 0.002
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == data
    assert server.connections > 2
    assert all(one.is_range for one in server.requests)
    assert fetched.bytes_fetched == server.sent == len(data)
    assert reporter.done == len(data)
    parts = sorted((one.start, one.end or len(data)) for one in server.requests)
    assert parts[0][0] == 0
    assert parts[-1][1] == len(data)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))


@CHUNKS
def test_a_server_without_ranges_is_asked_once_for_all(
    server: BlobServer, store: Store, data: bytes, far: None, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256, *[blob_server.whole] * 99)
    fetched = fetch_one(file, store, server.url)
    assert fetched.bytes_fetched == len(data)
    assert len(server.requests) == 1
    again = file_of(data[1:], chunk=chunk)
    server.add(data[1:], again.sha256, blob_server.whole_but_cut(1_234_567), *[blob_server.whole] * 99)
    reporter = Remember()
    fetch_one(again, store, server.url, reporter=reporter)
    assert store.blob(again.sha256).read_bytes() == data[1:]
    assert reporter.done == len(data) - 1
    assert len(server.requests) == 3


def test_a_broken_range_is_asked_for_again_where_it_broke_and_no_other_is(
    server: BlobServer, store: Store, data: bytes, far: None
) -> None:
    file = file_of(data, chunk=50_000)
    server.add(data, file.sha256, blob_server.serve, blob_server.cut(30_000), blob_server.cut(1))
    fetched = fetch_one(file, store, server.url)
    assert fetched.bytes_fetched == len(data)


def test_of_a_wrong_chunk_that_chunk_alone_comes_again_from_the_next_source(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, far: None
) -> None:
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256)
    spoiled = data[:2_450_000] + b"?" + data[2_450_001:]
    (path,) = server.blobs
    server.blobs[path] = spoiled
    mirror.add(data, file.sha256)
    fetched = fetch_one(file, store, server.url, mirror.url)
    assert store.blob(file.sha256).read_bytes() == data
    assert [error.part for error in fetched.wrong] == ["bytes 2400000 to 2499999"]
    assert 2_400_000 in [one.start for one in mirror.requests]
    assert fetched.bytes_fetched <= len(data) + 200_000 + 16 * 65_536


def test_bytes_that_come_faster_than_they_are_hashed_are_proved_in_the_end_chunk_by_chunk(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host.Host, "outruns_hashing", True)
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256)
    mirror.add(data, file.sha256)
    (path,) = server.blobs
    server.blobs[path] = data[:450_000] + b"?" + data[450_001:2_450_000] + b"?" + data[2_450_001:]
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == data
    assert [error.part for error in fetched.wrong] == ["bytes 400000 to 499999"]
    assert fetched.bytes_fetched == len(data) + 200_000
    assert sorted((one.start, one.end) for one in mirror.requests) == [
        (400_000, 500_000),
        (2_400_000, 2_500_000),
    ]
    assert reporter.done == len(data)


def test_a_source_that_alone_outruns_hashing_and_lies_is_named(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host.Host, "outruns_hashing", True)
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256, *[blob_server.flipped(450_000)] * 9)
    with pytest.raises(DigestError, match="bytes 400000 to 499999"):
        fetch_one(file, store, server.url)
    assert store.find(file) is None
    server.faults.clear()
    assert fetch_one(file, store, server.url).bytes_fetched == 100_000


def test_many_small_files_come_over_few_connections(server: BlobServer, store: Store, far: None) -> None:
    files = small_files(server, 300)
    reporter = Remember()
    fetched = fetch(files, store, channels=[server.url], reporter=reporter)
    assert len(server.requests) == 300
    assert server.connections <= 16
    assert fetched.bytes_fetched == reporter.done == 300 * 5_000
    assert all(store.find(one) for one in files)
    assert list((store.root / "partial").iterdir()) == []


def test_small_files_of_which_some_are_missing_broken_or_wrong_come_from_the_next_source(
    server: BlobServer, mirror: BlobServer, store: Store, far: None
) -> None:
    files = small_files(server, 60)
    paths = list(server.blobs)
    mirror.blobs.update(server.blobs)
    for number in range(0, 60, 7):
        server.faults[paths[number]] = [blob_server.status(404)]
    server.faults[paths[3]] = [blob_server.cut(100), blob_server.cut(4_999)]
    server.faults[paths[12]] = [blob_server.other(b"something else")] * 2
    server.faults[paths[50]] = [blob_server.flipped(17)] * 2
    reporter = Remember()
    fetched = fetch(files, store, channels=[server.url, mirror.url], reporter=reporter)
    assert all(store.find(one) for one in files)
    assert [error.path for error in fetched.wrong] == ["50.bin"]
    assert reporter.done == 300_000
    assert paths[7] in [one.path for one in mirror.requests]
    assert paths[12] in [one.path for one in mirror.requests]


def test_an_answer_that_came_for_another_file_is_asked_for_again_alone_and_nobody_is_blamed(
    server: BlobServer, store: Store, far: None
) -> None:
    files = small_files(server, 40)
    paths = list(server.blobs)
    for one, other in ((5, 6), (20, 31)):
        server.faults[paths[one]] = [blob_server.other(server.blobs[paths[other]])]
        server.faults[paths[other]] = [blob_server.other(server.blobs[paths[one]])]
    server.faults[paths[9]] = [blob_server.other(b"the answer to something else")]
    reporter = Remember()
    fetched = fetch(files, store, channels=[server.url], reporter=reporter)
    assert all(store.find(one) for one in files)
    assert fetched.wrong == ()
    assert reporter.notes == []
    assert 45 <= len(server.requests) <= 80  # more: what was sent ahead over a connection that ended


def test_a_server_that_lets_few_requests_through_is_waited_for_while_it_serves(
    server: BlobServer, store: Store, far: None
) -> None:
    files = small_files(server, 12)
    turns = itertools.count(1)

    def limited(handler: blob_server.Handler, data: bytes) -> None:
        (blob_server.status(429) if next(turns) % 4 else blob_server.serve)(handler, data)

    for path in server.blobs:
        server.faults[path] = [limited] * 99
    reporter = Remember()
    fetch(files, store, channels=[server.url], reporter=reporter)
    assert all(store.find(one) for one in files)
    assert reporter.notes == []


def test_one_file_that_nobody_has_ends_the_run_and_keeps_the_others(
    server: BlobServer, store: Store, far: None
) -> None:
    files = small_files(server, 20)
    lost = file_of(b"lost", "lost.bin")
    with pytest.raises(UnreachableError, match=r"could not fetch lost\.bin of digits"):
        fetch([*files, lost], store, channels=[server.url], reporter=Reporter(), model="digits")
    fetch(files, store, channels=[server.url], reporter=Reporter())
    assert all(store.find(one) for one in files)


def test_each_file_is_named_with_its_own_model(server: BlobServer, store: Store) -> None:
    files = small_files(server, 2)
    server.blobs.popitem()
    names = {files[0].sha256: "digits", files[1].sha256: "wakeword"}
    with pytest.raises(UnreachableError, match=r"1\.bin of wakeword"):
        fetch(files, store, channels=[server.url], reporter=Reporter(), model="2 models", models=names)


def test_what_travelled_is_told_for_each_file(server: BlobServer, store: Store) -> None:
    files = small_files(server, 3)
    fetch(files[:1], store, channels=[server.url], reporter=Reporter())
    fetched = fetch(files, store, channels=[server.url], reporter=Reporter())
    assert fetched.travelled == {files[1].sha256: 5_000, files[2].sha256: 5_000}


def test_a_slow_source_is_left_for_another_one_and_said(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host, "SLOW_WINDOW", 0.2)
    monkeypatch.setattr(_host, "SLOW", 10_000_000)
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256)
    server.pause = 0.05
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    assert [note.partition(": ")[2] for note in reporter.notes] == ["it is slow; another source is asked"]
    assert mirror.requests
    assert fetched.bytes_fetched <= len(data) + 200_000


def test_where_every_source_is_slow_the_slow_one_still_serves(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host, "SLOW_WINDOW", 0.1)
    monkeypatch.setattr(_host, "SLOW", 1_000_000_000)
    file = file_of(data)
    server.add(data, file.sha256)
    server.pause = 0.02
    reporter = Remember()
    fetch_one(file, store, server.url, "http://127.0.0.1:9/", reporter=reporter)
    assert store.find(file)


def test_a_busy_server_is_asked_by_fewer_connections_at_a_time() -> None:
    host = _host.Host(limit=16)
    host.rest(1.0)
    assert host.limit == 8
    assert host.rests_until > time.monotonic()
    for _ in range(9):
        host.rest(1.0)
    assert host.limit == 1


def test_more_connections_are_made_while_they_bring_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    host = _host.Host()
    host.hear(blob_server_body(0.001))
    limits = []
    for rate in (20, 20, 40, 41, 80, 80, 80):
        host.count(0 if not host._mark[0] else int(rate * 1e6 * _host.WINDOW))
        limits.append(host.limit)
        now[0] += _host.WINDOW
    assert limits == [2, 4, 8, 8, 16, 16, 16]


def blob_server_body(round_trip: float) -> Body:
    return Body(0, 1, iter(()), round_trip=round_trip)


def test_a_far_source_is_asked_by_many_connections_and_a_near_one_by_few() -> None:
    near, far = _host.Host(), _host.Host()
    near.hear(blob_server_body(0.0005))
    far.hear(blob_server_body(0.05))
    assert (near.limit, far.limit) == (_host.FEW, far.most)


@CHUNKS
def test_an_error_of_the_disk_ends_the_run_with_its_words(
    server: BlobServer, store: Store, data: bytes, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(handle: int, view: memoryview, offset: int) -> None:
        raise OSError(5, "Input/output error")

    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    monkeypatch.setattr(_landing, "write_all", broken)
    with pytest.raises(StoreFailedError, match="input/output error"):
        fetch_one(file, store, server.url)
    assert store.find(file) is None


def test_no_thread_is_left_behind(server: BlobServer, store: Store, data: bytes, far: None) -> None:
    before = set(threading.enumerate())
    file = file_of(data)
    server.add(data, file.sha256, *[blob_server.flipped(5)] * 99)
    with pytest.raises(DigestError):
        fetch_one(file, store, server.url)
    names = {one.name for one in set(threading.enumerate()) - before if "modeldeps" in one.name}
    assert names == set()


def test_a_new_version_takes_from_the_old_one_what_did_not_change(
    server: BlobServer, store: Store, data: bytes, far: None
) -> None:
    old = file_of(data, chunk=100_000)
    changed = data[:1_500_000] + b"new head" + data[1_500_008:]
    new = file_of(changed, chunk=100_000)
    for file, blob in ((old, data), (new, changed)):
        server.add(blob, file.sha256)
    fetch_one(old, store, server.url)
    reporter = Remember()
    fetched = fetch_one(new, store, server.url, reporter=reporter)
    assert fetched.bytes_fetched == 100_000
    assert store.blob(new.sha256).read_bytes() == changed
    assert reporter.done == len(data)
    assert [(one.start, one.end) for one in server.requests if new.sha256 in one.path] == [
        (1_500_000, 1_600_000)
    ]


def test_chunks_are_also_taken_from_read_only_stores_and_from_other_places_of_a_blob(
    server: BlobServer, store: Store, data: bytes, tmp_path: Path
) -> None:
    old = file_of(data, chunk=100_000)
    server.add(data, old.sha256)
    fetch_one(old, store, server.url)
    moved = data[1_000_000:2_000_000] + data[:1_000_000]
    new = file_of(moved, chunk=100_000)
    other = Store(tmp_path / "other", layers=(store.root,))
    assert fetch_one(new, other).bytes_fetched == 0
    assert other.blob(new.sha256).read_bytes() == moved


def test_an_altered_donor_spoils_nothing(server: BlobServer, store: Store, data: bytes) -> None:
    old = file_of(data, chunk=100_000)
    changed = data[:-5] + b"other"
    new = file_of(changed, chunk=100_000)
    for file, blob in ((old, data), (new, changed)):
        server.add(blob, file.sha256)
    fetch_one(old, store, server.url)
    donor = store.blob(old.sha256)
    times = donor.stat()
    donor.chmod(0o644)
    donor.write_bytes(b"?" + data[1:])
    donor.chmod(0o444)
    import os  # noqa: PLC0415 - this test alone

    os.utime(donor, ns=(times.st_atime_ns, times.st_mtime_ns))  # the seal of a liar
    reporter = Remember()
    fetched = fetch_one(new, store, server.url, reporter=reporter)
    assert store.blob(new.sha256).read_bytes() == changed
    assert fetched.bytes_fetched == 200_000
    assert reporter.notes == [
        "model.onnx: parts of several downloads don't fit; fetching what is wrong again"
    ]
    assert reporter.done == len(data)


def test_mirrors_are_asked_first_and_by_as_many_connections_as_the_user_wants(
    server: BlobServer, mirror: BlobServer, store: Store, far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_MIRRORS", mirror.url)
    monkeypatch.setenv("MODELDEPS_CONNECTIONS", "1")
    files = small_files(server, 20)
    mirror.blobs.update(list(server.blobs.items())[:10])
    fetched = fetch(files, store, channels=[server.url], reporter=Reporter())
    assert fetched.bytes_fetched == 100_000
    assert len(mirror.requests) == 20
    assert len(server.requests) == 10
    assert mirror.connections == 1


def test_a_wrong_link_of_one_manifest_spoils_no_other_model_on_that_host(
    server: BlobServer, store: Store, data: bytes, far: None
) -> None:
    files = small_files(server, 10)
    server.blobs["/moved.onnx"] = data[::-1]
    link = f"{server.url}moved.onnx"
    stale = file_of(data, sources=[link, f"{server.url}mirror.onnx"])
    server.blobs["/mirror.onnx"] = data
    fetched = fetch([stale, *files], store, channels=[server.url], reporter=Reporter())
    assert all(store.find(one) for one in (stale, *files))
    assert [error.source for error in fetched.wrong] == [link]


def test_two_manifests_that_cut_one_blob_in_different_ways_are_both_served(
    server: BlobServer, store: Store, data: bytes
) -> None:
    honest, liar = file_of(data, chunk=500_000), file_of(data[::-1], chunk=700_000)
    server.add(data, honest.sha256)
    lying = replace(liar, sha256=honest.sha256)
    fetch([honest, lying], store, channels=[server.url], reporter=Reporter())
    assert store.blob(honest.sha256).read_bytes() == data


def test_two_manifests_that_give_one_blob_two_sizes_are_told(store: Store, data: bytes) -> None:
    file = file_of(data)
    with pytest.raises(ContradictionError, match="found:    5 bytes for the same digest"):
        fetch([file, replace(file, size=5)], store, channels=[], reporter=Reporter())
