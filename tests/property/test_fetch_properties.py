"""Whatever sources do, a store shows no wrong blob, and only errors of this project come out."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modeldeps.digest import sha256_file
from modeldeps.errors import DigestError, UnreachableError
from modeldeps.fetch import _host, _orders, _retry
from modeldeps.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blob_server import BlobServer, Fault

DATA = random.Random(11).randbytes(150_000)  # noqa: S311 - no secret
PLACES = st.integers(0, len(DATA) - 1)


def short(handler: blob_server.Handler, data: bytes) -> None:
    """Serve a blob of another size."""
    blob_server.serve(handler, data[:-1])


FAULTS = st.one_of(
    PLACES.map(blob_server.cut),
    PLACES.map(blob_server.flipped),
    PLACES.map(blob_server.whole_but_cut),
    PLACES.map(blob_server.without_length_but_cut),
    PLACES.map(blob_server.reset),
    st.sampled_from([404, 403, 416, 429, 500, 503, 204, 206]).map(blob_server.status),
    st.binary(max_size=200).map(blob_server.raw),
    st.binary(max_size=200).map(lambda tail: blob_server.raw(b"HTTP/1.1 200 OK\r\n" + tail)),
    st.sampled_from(
        [
            blob_server.whole,
            blob_server.without_length,
            blob_server.chunked,
            blob_server.wrong_range,
            blob_server.redirect("/nowhere"),
            short,
            blob_server.serve,
        ]
    ),
)


@pytest.fixture(params=["near", "far"])
def distance(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch small files one after another, or ranges over many connections."""
    if request.param == "far":
        monkeypatch.setattr(_host, "NEAR", -1.0)
        monkeypatch.setattr(_host, "LEAST", 7_000)
        monkeypatch.setattr(_orders, "LEAST", 7_000)
        monkeypatch.setattr(_orders, "SEGMENT", 20_000)
        monkeypatch.setattr(_orders, "SMALL", 1_000)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[BlobServer, BlobServer]]:
    pauses = _retry.FIRST_PAUSE
    _retry.FIRST_PAUSE = 0.0
    with blob_server.running() as one, blob_server.running() as two:
        yield one, two
    _retry.FIRST_PAUSE = pauses


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    first=st.lists(FAULTS, max_size=12),
    second=st.lists(FAULTS, max_size=12),
    chunk=st.sampled_from([0, 40_000, 150_000]),
    left=st.one_of(PLACES, st.binary(max_size=100)),
)
def test_a_store_never_shows_a_wrong_blob(  # noqa: PLR0917 - fixtures are asked for by name
    servers: tuple[BlobServer, BlobServer],
    distance: None,
    first: list[Fault],
    second: list[Fault],
    chunk: int,
    left: int | bytes,
) -> None:
    file = file_of(DATA, chunk=chunk)
    for server, faults in zip(servers, (first, second), strict=True):
        server.add(DATA, file.sha256, *faults)
    folder = Path(tempfile.mkdtemp())
    try:
        store = Store(folder)
        part = folder / "partial" / file.sha256
        part.parent.mkdir()
        part.write_bytes(DATA[:left] if isinstance(left, int) else left)
        attempt(store, file.sha256, servers, chunk)
        for server in servers:
            server.faults.clear()
        fetch_one(file, store, *(server.url for server in servers))
        assert sha256_file(store.blob(file.sha256)) == file.sha256
        assert list(part.parent.iterdir()) == []
    finally:
        shutil.rmtree(folder)


def attempt(store: Store, digest: str, servers: tuple[BlobServer, BlobServer], chunk: int) -> None:
    """Fetch while the faults last; the blob is right or not there, and progress adds up."""
    reporter = Remember()
    try:
        fetch_one(file_of(DATA, chunk=chunk), store, *(one.url for one in servers), reporter=reporter)
    except (DigestError, UnreachableError):
        assert not store.blob(digest).exists()
    else:
        assert sha256_file(store.blob(digest)) == digest
        assert reporter.done == len(DATA)
    assert reporter.open == 0
