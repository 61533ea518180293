"""A new version that lacks many short ranges: they are asked for together."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import UnreachableError
from modeldeps.fetch import _host, _worker, fetch
from modeldeps.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blob_server import BlobServer, Fault

    from modeldeps.fetch import Request
    from modeldeps.manifest import File
    from modeldeps.store import Store

CHUNK = 20_000
COUNT = 120
LACKING = COUNT // 2


@pytest.fixture
def two_versions(server: BlobServer, store: Store) -> tuple[File, bytes]:
    """Put an old version into the store, and return a new one of which every second chunk is another."""
    source = random.Random(7)  # noqa: S311 - no secret
    parts = [source.randbytes(CHUNK) for _ in range(COUNT)]
    old = b"".join(parts)
    parts[::2] = (source.randbytes(CHUNK) for _ in parts[::2])
    new = b"".join(parts)
    server.add(old, file_of(old).sha256)
    fetch_one(file_of(old, chunk=CHUNK), store, server.url)
    server.requests.clear()
    return file_of(new, chunk=CHUNK), new


@pytest.fixture(params=["near", "far"])
def distance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the server for one near by, and for one far away."""
    if request.param == "far":
        monkeypatch.setattr(_host, "NEAR", -1.0)


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many requests were made over one connection, each time."""
    counts: list[int] = []
    real = _worker._requests

    def counted(*words: object) -> Iterator[Request]:
        counts.append(0)
        place = len(counts) - 1
        for one in real(*words):  # type: ignore[arg-type]
            counts[place] += 1
            yield one

    monkeypatch.setattr(_worker, "_requests", counted)
    return counts


def test_short_ranges_come_together_each_once(
    server: BlobServer, store: Store, two_versions: tuple[File, bytes], distance: None, together: list[int]
) -> None:
    file, new = two_versions
    server.add(new, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == new
    assert fetched.bytes_fetched == server.sent == LACKING * CHUNK
    assert len(server.requests) == LACKING
    assert reporter.done == file.size
    assert sum(together) >= LACKING // 2
    assert max(together) > 2


@pytest.mark.parametrize(
    "faults",
    [
        [blob_server.cut(7)] * 2,
        [blob_server.reset(7)] * 2,
        [blob_server.status(503)] * 2,
        [blob_server.status(429, Retry_After=0)] * 2,
        [blob_server.other(b"an answer to something else")],
    ],
)
def test_a_fault_among_ranges_that_come_together_costs_little_more(
    server: BlobServer, store: Store, two_versions: tuple[File, bytes], distance: None, faults: list[Fault]
) -> None:
    file, new = two_versions
    server.add(new, file.sha256, *[blob_server.serve] * 9, faults[0], *[blob_server.serve] * 20, *faults[1:])
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == new
    assert fetched.wrong == ()
    assert reporter.done == file.size
    assert fetched.bytes_fetched <= 1.5 * LACKING * CHUNK


def test_a_server_that_forgets_about_ranges_in_the_middle_costs_a_few_times_the_file_at_most(
    server: BlobServer, store: Store, two_versions: tuple[File, bytes], distance: None
) -> None:
    file, new = two_versions
    path = server.add(new, file.sha256, *[blob_server.serve] * 9)
    server.habit = blob_server.whole
    fetched = fetch_one(file, store, server.url)
    assert store.blob(file.sha256).read_bytes() == new
    assert fetched.bytes_fetched <= 4 * len(new)
    assert len([one for one in server.requests if one.path == path]) <= LACKING + 9


def test_a_liar_among_ranges_is_asked_again_alone_before_it_is_left(
    server: BlobServer, mirror: BlobServer, store: Store, two_versions: tuple[File, bytes], distance: None
) -> None:
    file, new = two_versions
    server.add(new, file.sha256)
    server.habit = blob_server.flipped(0)
    mirror.add(new, file.sha256)
    fetched = fetch_one(file, store, server.url, mirror.url)
    assert store.blob(file.sha256).read_bytes() == new
    assert [one.source for one in fetched.wrong] == [
        f"{server.url}blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    ]


def test_ranges_that_nobody_has_are_an_error_and_what_came_is_kept(
    server: BlobServer, store: Store, two_versions: tuple[File, bytes], distance: None
) -> None:
    file, new = two_versions
    server.add(new, file.sha256, *[blob_server.serve] * 30)
    server.habit = blob_server.status(404)
    with pytest.raises(UnreachableError):
        fetch_one(file, store, server.url)
    server.habit = None
    fetched = fetch_one(file, store, server.url)
    assert store.blob(file.sha256).read_bytes() == new
    assert fetched.bytes_fetched <= (LACKING - 10) * CHUNK


def test_small_files_do_not_wait_for_a_connection_that_went_mute(
    server: BlobServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_host, "NEAR", -1.0)
    source = random.Random(11)  # noqa: S311 - no secret
    datas = [source.randbytes(CHUNK) for _ in range(300)]
    files = [file_of(one, f"{number}.bin") for number, one in enumerate(datas)]
    for one, file in zip(datas, files, strict=True):
        server.add(one, file.sha256)
    fault = blob_server.mute(20)
    server.habit = blob_server.by_connection(lambda number: fault if number == 3 else blob_server.serve)
    server.pause = 0.01
    since = time.monotonic()
    fetch(files, store, channels=[server.url], reporter=Reporter())
    assert all(map(store.find, files))
    assert time.monotonic() - since < 12
