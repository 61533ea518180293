"""Sources that fail some connections, some requests or some bytes, against many connections at once."""

from __future__ import annotations

import contextlib
import gc
import itertools
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import blob_server
import pytest
from blob_server import by_connection, in_turn, serve
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import DigestError, SourceError, UnreachableError
from modeldeps.fetch import _host, _http, _open, _orders, _retry, _task, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blob_server import BlobServer, Fault

    from modeldeps.manifest import File
    from modeldeps.store import Store

CHUNKS = pytest.mark.parametrize("chunk", [0, 70_000, 1_000_000])
IN_FLIGHT = 16 * (_host.LEAST // 4)
"""Bytes that 16 connections may have read and not written when they are broken off, at most."""

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def _far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every source for one that is far away, so that many connections are made, for short ranges."""
    monkeypatch.setattr(_host, "NEAR", -1.0)
    monkeypatch.setattr(_orders, "SEGMENT", 200_000)
    monkeypatch.setattr(_orders, "LEAST", 50_000)
    monkeypatch.setattr(_host, "LEAST", 50_000)
    monkeypatch.setattr(_orders, "SMALL", 10_000)
    monkeypatch.setattr(_retry, "FIRST_PAUSE", 0.02)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for answers no longer than half a second."""
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.5)
    monkeypatch.setattr(_task, "MOVING", 0.1)
    _open._http.cache_clear()
    yield
    _open._http.cache_clear()


def served(server: BlobServer, data: bytes, chunk: int, habit: Fault) -> File:
    """Return a file that a server has, and serves as it is used to."""
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.habit = habit
    return file


def check(store: Store, file: File, data: bytes) -> None:
    """Check that the store holds the right bytes and nothing else."""
    assert store.blob(file.sha256).read_bytes() == data
    assert list((store.root / "partial").iterdir()) == []


FEEBLE = {
    "drops on some connections": by_connection(lambda n: blob_server.cut(30_000) if n % 3 else serve),
    "drops now and then": in_turn(serve, blob_server.cut(30_000), blob_server.cut(1)),
    "resets now and then": in_turn(blob_server.reset(40_000), serve),
    "resets at once now and then": in_turn(serve, blob_server.reset(0), serve, blob_server.raw(b"")),
    "is busy most of the time": in_turn(*[blob_server.status(503)] * 2, serve),
    "serves three at once": blob_server.crowded(3, blob_server.status(503)),
    "serves one at once": blob_server.crowded(1, blob_server.status(429)),
    "serves three at once and names a pause": blob_server.crowded(
        3, blob_server.status(429, Retry_After="1")
    ),
    "breaks off heads": in_turn(serve, blob_server.raw(b"HTTP/1.1 206 Part")),
    "says no length": blob_server.without_length,
    "says no length now and then": in_turn(serve, blob_server.without_length, serve, blob_server.chunked),
    "ignores every second range": in_turn(serve, blob_server.whole),
    "ignores most ranges": in_turn(blob_server.whole, blob_server.whole, serve),
    "ignores ranges and drops": in_turn(blob_server.whole_but_cut(1_000_000), serve, blob_server.whole),
}


@CHUNKS
@pytest.mark.parametrize("name", FEEBLE)
def test_what_a_feeble_source_has_comes_in_the_end(
    server: BlobServer, store: Store, data: bytes, chunk: int, name: str
) -> None:
    file = served(server, data, chunk, FEEBLE[name])
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    check(store, file, data)
    assert reporter.done == len(data)
    assert fetched.wrong == ()
    wholes = ("ignores", "no length")
    bodies = 1 + sum(any(word in name for word in wholes) for _ in server.requests)
    assert fetched.bytes_fetched <= bodies * len(data) + IN_FLIGHT


def announce(length: int) -> Fault:
    """Say that ten bytes come, by a length of its own, and send everything."""

    def answer(handler: blob_server.Handler, data: bytes) -> None:
        handler.head(206, Content_Length=length, Content_Range=f"bytes 0-9/{len(data)}")
        handler.body(data)

    return answer


LIARS = {
    "other ranges": blob_server.wrong_range,
    "other ranges now and then": in_turn(serve, serve, blob_server.wrong_range),
    "a wrong byte": blob_server.flipped(1_500_000),
    "a wrong byte now and then": in_turn(serve, blob_server.flipped(1_500_000)),
    "another blob": lambda handler, data: serve(handler, bytes(len(data))),
    "a longer blob": lambda handler, data: serve(handler, data + b"more"),
    "a shorter blob": lambda handler, data: serve(handler, data[:-70_001]),
    "nothing": blob_server.status(404),
    "zeros without end": blob_server.endless,
    "more than it announced": announce(10),
    "a length that is not that of its range": announce(3_000_000),
    "a redirect in a circle": blob_server.redirect("?again"),
    "words": blob_server.raw(b"220 mail ESMTP\r\n"),
}


@CHUNKS
@pytest.mark.parametrize("name", LIARS)
def test_behind_a_liar_the_good_source_that_is_last_brings_the_right_bytes(  # noqa: PLR0917 - fixtures are asked for by name
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int, name: str
) -> None:
    file = served(server, data, chunk, LIARS[name])
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    check(store, file, data)
    assert reporter.done == len(data)
    assert fetched.bytes_fetched <= 3 * len(data) + IN_FLIGHT
    assert all(error.source.startswith(server.url) for error in fetched.wrong)
    assert not any(mirror.url in note for note in reporter.notes)


@CHUNKS
@pytest.mark.parametrize("name", LIARS)
def test_a_liar_alone_ends_in_an_error_that_names_it_and_no_blob(
    server: BlobServer, store: Store, data: bytes, chunk: int, name: str
) -> None:
    file = served(server, data, chunk, LIARS[name])
    try:
        fetch_one(file, store, server.url)
    except (DigestError, UnreachableError) as error:
        assert server.url.rstrip("/") in str(error)
        assert store.find(file) is None
    else:
        check(store, file, data)
    bound = 2 * len(data) + IN_FLIGHT
    assert sum(min(one.sent, len(data)) for one in server.requests) <= bound


def lying_after_the_first(size: int) -> Fault:
    """Serve each part of so many bytes well to whoever asks first for it, and wrongly afterwards."""
    asked: set[int] = set()
    lock = threading.Lock()

    def answer(handler: blob_server.Handler, data: bytes) -> None:
        start = handler.request_record.start
        with lock:
            known = start // size in asked
            asked.add(start // size)
        if known:
            serve(handler, bytes(len(data)))
        else:
            blob_server.promise(handler, data)
            handler.body(data[start : start + size // 3])
            handler.hang_up()

    return answer


@CHUNKS
def test_a_liar_that_is_honest_at_first_is_found_out(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = served(server, data, chunk, lying_after_the_first(200_000))
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    check(store, file, data)
    assert reporter.done == len(data)
    assert fetched.bytes_fetched <= 3 * len(data) + IN_FLIGHT
    assert all(error.source.startswith(server.url) for error in fetched.wrong)


@CHUNKS
@pytest.mark.parametrize("pattern", [(1,), (1, 0), (1, 1, 0, 0, 0)])
def test_of_two_liars_and_a_good_source_each_liar_is_named_and_the_good_one_believed(  # noqa: PLR0917 - fixtures are asked for by name
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int, pattern: tuple[int, ...]
) -> None:
    file = served(
        server, data, chunk, in_turn(*[blob_server.flipped(100) if one else serve for one in pattern])
    )
    mirror.add(data, file.sha256)
    mirror.habit = lambda handler, data: serve(handler, bytes(len(data)))
    with blob_server.running() as third:
        third.add(data, file.sha256)
        reporter = Remember()
        fetched = fetch_one(file, store, server.url, mirror.url, third.url, reporter=reporter)
    check(store, file, data)
    assert reporter.done == len(data)
    wrong = {error.source for error in fetched.wrong}
    assert len(wrong) == len(fetched.wrong)
    assert not any(third.url in one for one in wrong)
    assert all(("warning" in note) == ("served other bytes" in note) for note in reporter.notes)
    assert fetched.bytes_fetched <= 4 * len(data) + 2 * IN_FLIGHT


def test_of_a_server_without_ranges_that_always_breaks_off_only_a_few_copies_are_taken(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_retry, "PROGRESS", 100_000)
    file = served(server, data, 0, blob_server.whole_but_cut(1_500_000))
    with pytest.raises(UnreachableError, match=r"closed before the end"):
        fetch_one(file, store, server.url)
    assert len(server.requests) <= 2 * _retry.ATTEMPTS
    assert store.begun(file) >= 1_400_000


TAILS = {
    "stalls": blob_server.stall(10_000, 40),
    "is mute": blob_server.mute(40),
    "trickles": blob_server.trickle(100, 0.05),
}


@CHUNKS
@pytest.mark.parametrize("name", TAILS)
def test_the_end_does_not_wait_for_one_bad_connection(
    server: BlobServer, store: Store, data: bytes, chunk: int, name: str
) -> None:
    file = served(server, data, chunk, by_connection(lambda number: TAILS[name] if number == 3 else serve))
    server.pause = 0.01
    start = time.monotonic()
    fetched = fetch_one(file, store, server.url)
    took = time.monotonic() - start
    check(store, file, data)

    assert took < 8
    assert fetched.bytes_fetched <= len(data) + IN_FLIGHT


@CHUNKS
def test_a_source_that_falls_silent_on_all_connections_is_left(  # noqa: PLR0917 - fixtures are asked for by name
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int, hasty: None
) -> None:
    file = served(server, data, chunk, by_connection(lambda _: blob_server.stall(3_000, 5)))
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    check(store, file, data)
    assert reporter.notes[-1].endswith("no more bytes came in time")


@CHUNKS
@pytest.mark.parametrize("name", ["stalls", "is mute"])
def test_while_a_source_is_silent_another_one_is_asked(  # noqa: PLR0917 - fixtures are asked for by name
    server: BlobServer,
    mirror: BlobServer,
    store: Store,
    data: bytes,
    chunk: int,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_host, "SILENT", 0.5)
    file = served(server, data, chunk, TAILS[name])
    mirror.add(data, file.sha256)
    start = time.monotonic()
    fetched = fetch_one(file, store, server.url, mirror.url)
    assert time.monotonic() - start < 10
    check(store, file, data)
    assert fetched.wrong == ()
    assert fetched.bytes_fetched <= len(data) + IN_FLIGHT


def test_small_files_do_not_wait_for_one_bad_connection(server: BlobServer, store: Store) -> None:
    files = []
    for number in range(200):
        blob = bytes([number]) * 5_000
        files.append(file_of(blob, f"{number}.bin"))
        server.add(blob, files[-1].sha256)
    server.habit = by_connection(lambda number: blob_server.trickle(10, 0.05) if number == 3 else serve)
    start = time.monotonic()
    fetch(files, store, channels=[server.url], reporter=Remember())
    assert time.monotonic() - start < 15
    assert all(store.find(one) for one in files)


def test_a_redirect_for_each_range_to_a_target_that_expires_is_followed(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    keys = itertools.count()
    uses: Counter[str] = Counter()

    def sign(handler: blob_server.Handler, data: bytes) -> None:
        blob_server.redirect(f"{mirror.url}signed?key={next(keys)}")(handler, data)

    def expire(handler: blob_server.Handler, data: bytes) -> None:
        uses[handler.path] += 1
        (serve if uses[handler.path] <= 3 else blob_server.status(403))(handler, data)

    file = served(server, data, 100_000, sign)
    mirror.blobs["/signed"] = data
    mirror.habit = expire
    fetched = fetch_one(file, store, server.url)
    check(store, file, data)
    assert fetched.bytes_fetched == len(data)
    assert len(server.requests) < len(mirror.requests)


EDGES = sorted(
    {
        max(0, edge + step)
        for edge in (0, blob_server.BLOCK, 70_000, 140_000, 200_000, 210_000, 2_950_000, 3_000_000)
        for step in (-1, 0, 1)
    }
)


@pytest.mark.parametrize("chunk", [0, 70_000])
@pytest.mark.parametrize("after", EDGES)
def test_a_body_that_ends_at_any_edge_is_gone_on_with_there(
    server: BlobServer, store: Store, data: bytes, chunk: int, after: int
) -> None:
    file = served(server, data, chunk, serve)
    (path,) = server.blobs
    server.faults[path] = [blob_server.cut(after), blob_server.whole_but_cut(after)]
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    check(store, file, data)
    assert reporter.done == len(data)
    assert fetched.wrong == ()
    assert fetched.bytes_fetched <= 2 * len(data) + IN_FLIGHT


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("after", range(len(HEAD) + 1))
def test_a_head_that_ends_anywhere_is_an_answer_that_broke(
    server: BlobServer, store: Store, data: bytes, after: int
) -> None:
    file = served(server, data, 0, serve)
    (path,) = server.blobs
    server.faults[path] = [blob_server.raw(HEAD[:after])]
    fetched = fetch_one(file, store, server.url)
    check(store, file, data)
    assert fetched.bytes_fetched == len(data)


@CHUNKS
def test_a_file_that_changes_while_it_is_read_is_an_error_or_right(
    store: Store, data: bytes, chunk: int, tmp_path: Path
) -> None:
    file = file_of(data, chunk=chunk)
    place = tmp_path / "channel" / "blobs" / "sha256" / file.sha256[:2] / file.sha256
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    over = threading.Event()

    def alter() -> None:
        while not over.is_set():
            for there in (data, data[:1_000_000], bytes(len(data)), data + b"more", b""):
                place.write_bytes(there)
                time.sleep(0.002)

    thread = threading.Thread(target=alter)
    thread.start()
    try:
        for _ in range(20):
            with contextlib.suppress(DigestError, UnreachableError):
                fetch_one(file, store, (tmp_path / "channel").as_uri())
            blob = store.blob(file.sha256)
            if blob.exists():
                assert blob.read_bytes() == data
                blob.unlink()
    finally:
        over.set()
        thread.join()
    place.write_bytes(data)
    fetch_one(file, store, (tmp_path / "channel").as_uri())
    check(store, file, data)


def handles() -> int:
    """Return how many handles this process has open."""
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.is_dir() else 0


def test_hostile_sources_leave_no_threads_and_no_handles(
    server: BlobServer, store: Store, data: bytes, hasty: None
) -> None:
    before, others = handles(), set(threading.enumerate())
    for number, habit in enumerate(
        (blob_server.stall(10_000, 1), blob_server.flipped(5), blob_server.cut(3))
    ):
        file = served(server, bytes([number]) + data, 70_000, habit)
        with pytest.raises((DigestError, SourceError, UnreachableError)):
            fetch_one(file, store, server.url)
    deadline = time.monotonic() + 10
    while left := [one for one in {*threading.enumerate()} - others if "modeldeps" in one.name]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    _open._http.cache_clear()
    gc.collect()
    deadline = time.monotonic() + 10
    while handles() > before:  # the server's own end with its connections
        assert time.monotonic() < deadline, "handles are left"
        time.sleep(0.05)
