"""What a transport opens, and what it refuses."""

from __future__ import annotations

import contextlib
import gc
import gzip
import os
import random
import socket
import threading
import time
import zlib
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted
from hypothesis import given
from hypothesis import strategies as st

from modeldeps.errors import BrokenTransferError, NotFoundError, RefusedError, SourceError
from modeldeps.fetch import Request, _dial, _http, _redirects
from modeldeps.fetch._coding import decoded
from modeldeps.fetch._head import MAX_HEAD, WireError, parse_head
from modeldeps.fetch._open import transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blob_server import BlobServer

DATA = random.Random(3).randbytes(1_000_000)  # noqa: S311 - no secret


def read(url: str, start: int = 0, end: int | None = None) -> bytes:
    with transport(url).open(Request(url, start, end)) as body:
        return b"".join(bytes(block) for block in body.blocks)


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (0, 1_000_000), (10, 500_000), (999_999, None), (5, 9_999_999), (0, 2_000_000)]
)
def test_a_range_brings_the_bytes_that_were_asked_for(
    server: BlobServer, tmp_path: Path, start: int, end: int | None
) -> None:
    server.blobs["/x"] = DATA
    file = tmp_path / "x"
    file.write_bytes(DATA)
    for url in (f"{server.url}x", file.as_uri()):
        with transport(url).open(Request(url, start, end)) as body:
            assert (body.start, body.size) == (start, len(DATA))
            assert body.end == min(end or len(DATA), len(DATA))
            assert b"".join(bytes(block) for block in body.blocks) == DATA[start:end]


def test_a_server_that_ignores_a_range_brings_all_from_the_first_byte(server: BlobServer) -> None:
    server.blobs["/x"] = DATA
    server.faults["/x"] = [blob_server.whole]
    with transport(server.url).open(Request(f"{server.url}x", 5, 10)) as body:
        assert (body.start, body.end, body.size) == (0, len(DATA), len(DATA))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Content-Range: bytes 5-8/10", "another range"),
        ("Content-Range: bytes 4-9/10", "another range"),
        ("Content-Range: bytes 5-10/20", "another range"),
        ("Content-Range: bytes */10", "another range"),
        ("Content-Range: bytes 5-9/7", "another range"),
        ("Content-Range: bytes 9-5/10", "another range"),
        ("Content-Range: 5-9/10", "another range"),
        ("X: y", "another range"),
        ("Content-Range: bytes 5-9/10\r\nContent-Encoding: gzip", "encoded"),
        ("Content-Range: bytes 5-7/8", "announces 5 bytes for a range of 3"),
    ],
)
def test_a_part_that_is_not_the_one_that_was_asked_for_is_refused(answer: str, reason: str) -> None:
    with (
        scripted.scripted(scripted.always(scripted.reply("206 Partial Content", b"56789", answer))) as server,
        pytest.raises(RefusedError, match=reason),
    ):
        read(server.url, 5, 10)


def test_a_part_without_a_length_must_still_be_as_long_as_its_range() -> None:
    def says(size: int) -> bytes:
        head = b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 5-9/10\r\n\r\n"
        return head + b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)

    with scripted.scripted(scripted.always(lambda _: says(5))) as server:
        assert read(server.url, 5, 10) == b"xxxxx"
    more = scripted.scripted(scripted.always(lambda _: says(6)))
    with more as server, pytest.raises(RefusedError, match="more than the 5 bytes"):
        read(server.url, 5, 10)
    less = scripted.scripted(scripted.always(lambda _: says(4)))
    with less as server, pytest.raises(BrokenTransferError, match="ended after 4 of 5 bytes"):
        read(server.url, 5, 10)


def test_a_range_beyond_the_end_is_refused_with_the_size(server: BlobServer) -> None:
    server.blobs["/x"] = b"0123456789"
    with pytest.raises(RefusedError, match=r"416 .*: it has 10 bytes"):
        read(f"{server.url}x", 10, 20)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("Content-Length: 3\r\nContent-Length: 4", "two lengths"),
        ("Content-Length: 3, 4", "two lengths"),
        ("Content-Length: -3", "no number"),
        ("Content-Length: 3x", "no number"),
        ("Content-Length: 9999999999999999999999", "no number"),
        ("Transfer-Encoding: gzip, chunked", "a form that was not asked for"),
        ("Transfer-Encoding: identity", "a form that was not asked for"),
        ("Bad Name: x", "not HTTP"),
        ("NoColon", "not HTTP"),
        (" folded: x", "not HTTP"),
        ("X: a\0b", "not HTTP"),
    ],
)
def test_a_head_that_contradicts_itself_is_no_answer(lines: str, reason: str) -> None:
    head = f"HTTP/1.1 200 OK\r\n{lines}\r\n\r\nabc".encode()
    with (
        scripted.scripted(scripted.always(head)) as server,
        pytest.raises(SourceError, match=reason),
    ):
        read(server.url)


@pytest.mark.parametrize(
    "flood",
    [b"X: " + b"y" * MAX_HEAD, b"X: y\r\n" * 201, b"X: y\r\n" * 40_000],
    ids=["long", "many", "both"],
)
def test_a_flood_of_fields_is_bounded(flood: bytes) -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(b"HTTP/1.1 200 OK\r\n" + flood)
        line.send(b"\r\n\r\n")

    with scripted.scripted(talk) as server, pytest.raises(BrokenTransferError, match=r"of its answer|fields"):
        read(server.url)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"]
)
def test_a_head_and_a_chunk_that_drip_are_given_up(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.1)

    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(start)
        while True:
            line.send(b"x")
            time.sleep(0.02)

    opener = _http.HttpTransport()
    with scripted.scripted(talk) as server, pytest.raises(BrokenTransferError, match="in time"):
        b"".join(bytes(block) for block in opener.open(Request(server.url)).blocks)


def test_an_endless_row_of_interim_answers_ends() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        while True:
            line.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    with scripted.scripted(talk) as server, pytest.raises(BrokenTransferError, match="not HTTP"):
        read(server.url)


def test_interim_answers_come_before_the_real_one() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3
    with scripted.scripted(scripted.always(hints + scripted.ok(b"abc"))) as server:
        assert read(server.url) == b"abc"


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabc\r\n0\r\n\r\n",
        b"3;x=y\r\nabc\r\n0;z\r\nTrailer: x\r\n\r\n",
        b"1\r\na\r\n2\r\nbc\r\n000\r\n\r\n",
        b"3\nabc\n0\n\n",
    ],
)
def test_chunks_are_put_together_and_the_connection_is_kept(body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with scripted.scripted(scripted.always(answer)) as server:
        assert [read(server.url) for _ in range(3)] == [b"abc"] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n",
        b"-3\r\nabc",
        b"0x3\r\nabc",
        b"3\r\nabcd\r\n",
        b"f" * 16 + b"\r\n",
        b"3" * 5000,
        b"\r\n",
        b"3\r\nabc\r\n0\r\n" + b"T: x\r\n" * 20_000,
    ],
)
def test_a_broken_chunk_is_an_error(body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    with scripted.scripted(scripted.always(answer)) as server, pytest.raises(BrokenTransferError):
        read(server.url)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_an_answer_that_is_cut_anywhere_is_never_taken_for_whole(
    pieces: list[bytes], data: st.DataObject
) -> None:
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
    cut = data.draw(st.integers(0, len(whole) - 1))

    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(whole[:cut])

    with scripted.scripted(talk) as server, pytest.raises(BrokenTransferError):
        read(server.url)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(DATA)),
        ("x-gzip", gzip.compress(DATA[:500_000]) + gzip.compress(DATA[500_000:])),
        ("deflate", zlib.compress(DATA)),
        ("deflate", zlib.compress(DATA)[2:-4]),
        ("GZIP", gzip.compress(DATA)),
    ],
)
def test_bytes_that_a_server_compresses_unasked_are_unpacked(coding: str, packed: bytes) -> None:
    answer = scripted.ok(packed, f"Content-Encoding: {coding}")
    with scripted.scripted(scripted.always(answer)) as server:
        with transport(server.url).open(Request(server.url)) as body:
            assert (body.start, body.size, body.end) == (0, None, None)
            assert b"".join(bytes(block) for block in body.blocks) == DATA
        assert server.heard[0].headers["accept-encoding"] == "identity"


def test_a_small_body_that_unpacks_to_much_comes_in_bounded_blocks() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    sizes = [len(block) for block in decoded(iter([bomb]), "gzip", "http://x/")]
    assert sum(sizes) == 50_000_000
    assert max(sizes) <= 1 << 20


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=30), st.data())
def test_compressed_bytes_are_unpacked_however_they_are_cut(
    data: bytes, cuts: list[int], draw: st.DataObject
) -> None:
    packed = gzip.compress(data)
    blocks, at = [], 0
    for cut in [*cuts, len(packed)]:
        blocks.append(packed[at : at + cut])
        at += cut
    assert b"".join(bytes(one) for one in decoded(iter(blocks), "gzip", "http://x/")) == data
    short = packed[: draw.draw(st.integers(1, len(packed) - 1))]
    with pytest.raises(BrokenTransferError):
        list(decoded(iter([short]), "gzip", "http://x/"))


def test_compressed_bytes_that_mean_nothing_are_refused() -> None:
    with pytest.raises(RefusedError, match="can't be read"):
        list(decoded(iter([b"no gzip at all"]), "gzip", "http://x/"))


def test_closing_a_body_early_does_not_read_the_rest(server: BlobServer) -> None:
    server.blobs["/x"] = bytes(50_000_000)
    with transport(server.url).open(Request(f"{server.url}x")) as body:
        next(body.blocks)
    time.sleep(0.2)
    assert server.sent < 20_000_000


def test_a_connection_is_kept_after_a_body_that_was_read_or_was_here_already(server: BlobServer) -> None:
    server.blobs["/x"] = b"short"
    for _ in range(3):
        assert read(f"{server.url}x") == b"short"
        with transport(server.url).open(Request(f"{server.url}x")) as body:
            next(body.blocks)  # all of it, though the end was not asked for
        with pytest.raises(NotFoundError):
            read(f"{server.url}y")
    assert server.connections == 1


def test_a_kept_connection_that_the_server_closed_is_replaced_without_a_word() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(scripted.ok(b"abc"))

    with scripted.scripted(talk) as server:
        assert [read(server.url) for _ in range(4)] == [b"abc"] * 4
        assert server.connections == 4


def test_a_kept_connection_that_ends_instead_of_an_answer_is_replaced_without_a_word() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(scripted.ok(b"abc"))
        if line.number == 1:
            line.request()
            return
        while line.request():
            line.send(scripted.ok(b"def"))

    with scripted.scripted(talk) as server:
        assert [read(server.url) for _ in range(2)] == [b"abc", b"abc"]
        assert server.connections == 2


def test_what_nobody_asked_for_on_a_kept_connection_is_no_answer() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(scripted.ok(b"abc") + scripted.ok(b"evil"))
        while line.request():
            line.send(scripted.ok(b"evil"))

    with scripted.scripted(talk) as server:
        assert [read(server.url) for _ in range(3)] == [b"abc"] * 3


def test_an_answer_tells_how_long_the_way_is() -> None:
    def slow(heard: scripted.Heard) -> bytes:
        time.sleep(0.05)
        return scripted.ok(b"abc")

    with scripted.scripted(scripted.always(slow)) as server:
        for _ in range(2):
            with transport(server.url).open(Request(server.url)) as body:
                assert body.round_trip is not None
                assert 0.05 <= body.round_trip < 1


def test_the_target_of_a_redirect_is_asked_at_once_the_next_time(
    server: BlobServer, mirror: BlobServer
) -> None:
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url}signed?key=1")] * 9
    mirror.blobs["/signed"] = DATA
    assert read(f"{server.url}x", 0, 10) == DATA[:10]
    assert read(f"{server.url}x", 10, 20) == DATA[10:20]
    assert (len(server.requests), len(mirror.requests)) == (1, 2)


def test_a_target_that_expired_is_asked_for_once_more_from_the_start(
    server: BlobServer, mirror: BlobServer
) -> None:
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url}signed?key={key}") for key in range(9)]
    mirror.blobs["/signed"] = DATA
    assert read(f"{server.url}x", 0, 10) == DATA[:10]
    mirror.faults["/signed"] = [blob_server.status(403)]
    assert read(f"{server.url}x", 10, 20) == DATA[10:20]
    assert [one.path for one in mirror.requests] == ["/signed?key=0", "/signed?key=0", "/signed?key=1"]
    mirror.faults["/signed"] = [blob_server.status(403)] * 2
    with pytest.raises(RefusedError, match="403"):
        read(f"{server.url}x", 20, 30)
    assert len(server.requests) == 3


def test_a_target_is_forgotten_after_a_while(
    server: BlobServer, mirror: BlobServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redirects, "MEMORY", 0.0)
    server.faults["/x"] = [blob_server.redirect(f"{mirror.url}y")] * 9
    mirror.blobs["/y"] = DATA
    for _ in range(2):
        read(f"{server.url}x", 0, 10)
    assert len(server.requests) == 2


def test_the_memory_of_redirects_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_redirects, "_MAX_KNOWN", 10)
    known = _redirects.Redirects()
    for number in range(100):
        known.learn(f"http://x/{number}", _redirects.Hop("http://y/"))
    assert known.of("http://x/0") is None
    assert known.of("http://x/99") == _redirects.Hop("http://y/")
    assert len(known._known) == 10


def test_the_next_address_is_tried_while_the_first_one_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = socket.create_server(("127.0.0.2", 0), backlog=0)
    port = silent.getsockname()[1]
    blockers = [socket.socket() for _ in range(3)]
    for one in blockers:  # a full queue answers nobody
        one.settimeout(0)
        one.connect_ex(("127.0.0.2", port))
    listening = socket.create_server(("127.0.0.1", port))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with _dial.connect("x", port, timeout=5) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)
    for one in (silent, listening, *blockers):
        one.close()


def test_an_address_that_refuses_is_followed_by_the_next_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        hosts = ("127.0.0.3", "255.255.255.255", "127.0.0.1")
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port)) for host in hosts]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        began = time.monotonic()
        _dial.connect("x", port, timeout=5).close()
        assert time.monotonic() - began < _dial.STAGGER


def test_a_host_that_refuses_and_one_that_does_not_exist_are_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    with pytest.raises(BrokenTransferError, match="connection refused"):
        read(url)
    with pytest.raises(BrokenTransferError, match=r"name or service not known|name resolution|nodename"):
        read("http://nothing.invalid/")


def test_another_thread_can_end_the_wait_for_bytes() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        line.request()

    with scripted.scripted(talk) as server:
        body = transport(server.url).open(Request(server.url))
        assert bytes(next(body.blocks)) == b"abc"
        threading.Timer(0.1, body.close).start()
        began = time.monotonic()
        with pytest.raises(BrokenTransferError):
            next(body.blocks)
        assert time.monotonic() - began < 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
def test_a_forked_child_leaves_the_connections_of_its_parent_alone(server: BlobServer) -> None:
    server.blobs["/x"] = DATA
    assert read(f"{server.url}x", 0, 5) == DATA[:5]
    child = os.fork()
    if not child:
        fine = read(f"{server.url}x", 5, 10) == DATA[5:10]
        gc.collect()
        os._exit(0 if fine else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert read(f"{server.url}x", 10, 20) == DATA[10:20]
    assert server.connections == 2


def test_headers_that_would_break_the_request_are_refused(server: BlobServer) -> None:
    for headers in ({"X": "a\r\nHost: evil"}, {"X\r\n": "a"}, {"X": "\u20ac"}):
        with pytest.raises(RefusedError, match="what no header may hold"):
            transport(server.url).open(Request(server.url, headers=headers))
    assert server.requests == []


@given(st.binary(max_size=400))
def test_any_bytes_are_a_head_or_an_error_of_ours(data: bytes) -> None:
    for head in (data, b"HTTP/1.1 200 OK\r\n" + data):
        with contextlib.suppress(WireError):
            assert parse_head(head).status < 1000


@pytest.mark.parametrize("opened", [read, lambda url: [*transport(url).open_each([Request(url)])]])
def test_many_threads_share_a_transport(opened: Callable[[str], object]) -> None:
    with scripted.scripted(scripted.always(scripted.ok(DATA))) as server:
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(5):
                    opened(server.url)
            except BaseException as error:  # noqa: BLE001 - told by the test
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
