"""Secrets that others could hear, answers that frame themselves twice, and waits that had no end."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import itertools
import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import http2_server
import pytest
import scripted
import trustme
from h2.exceptions import H2Error  # noqa: TID253 - the extra is installed for tests

from modeldeps.errors import BrokenTransferError, RefusedError, SourceError, UnreachableError, redact
from modeldeps.fetch import Request, _each, _http, _retry, fetch, read_url
from modeldeps.fetch._client import Client
from modeldeps.fetch._credentials import covers
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._origin import Origin
from modeldeps.fetch._proxy import proxy_of
from modeldeps.fetch._redirects import Hop
from modeldeps.fetch._route import Timeouts
from modeldeps.manifest import File
from modeldeps.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from http2_server import Peer

    from modeldeps.config import Settings
    from modeldeps.store import Store

    Serve: TypeAlias = Callable[
        [Callable[[Peer], None]], contextlib.AbstractContextManager[scripted.Scripted]
    ]

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


def whole(url: str) -> bytes:
    with HttpTransport().open(Request(url)) as body:
        return b"".join(bytes(block) for block in body.blocks)


def outcome(call: Callable[[], object], *, within: float) -> object:
    """Return what a call returns or raises; None where that takes longer."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except SourceError as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(within)
    return found[0] if found else None


# secrets


def test_netrc_for_this_machine_is_not_told_to_a_proxy_that_reads_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login me password hidden\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted.scripted(scripted.always(scripted.ok(b"x"))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert whole("http://localhost:1/a") == b"x"
        monkeypatch.setenv("no_proxy", "localhost")
        assert whole(proxy.url.replace("127.0.0.1", "localhost")) == b"x"
        through, straight = (one.headers.get("authorization") for one in proxy.heard)
    assert through is None
    assert straight is not None


def test_a_request_is_shown_without_its_credential(store_settings: Settings) -> None:
    client = Client(store_settings, timeouts=Timeouts(1, 1))
    url = "https://me:hidden@example.com/"
    asked = client.prepare(Request(url), Hop(url))
    assert asked.fields["Authorization"]
    assert asked.fields["Authorization"] not in repr(asked)


@pytest.mark.parametrize("mark", ["/", "?", "#"])
def test_a_password_that_ends_the_host_too_early_is_not_shown(mark: str) -> None:
    assert "hid" not in redact(f"https://me:hid{mark}den@example.com/")


@pytest.mark.parametrize("path", ["/team/..;/b", "/team/..;x=y/b", "/team/a;/../b"])
def test_steps_up_with_parameters_leave_what_a_token_is_for(path: str) -> None:
    assert not covers("https://example.com/team/", f"https://example.com{path}")
    assert covers("https://example.com/team/", "https://example.com/team/a;x=y")


@pytest.mark.parametrize("words", ["[::1]", "::1", "a, [fe80::/10] ,[::1]"])
def test_no_proxy_may_name_an_address_in_brackets(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:8080")
    monkeypatch.setenv("no_proxy", words)
    url = "http://[::1]:8000/"
    assert proxy_of(Origin.of(url), url) is None
    assert proxy_of(Origin.of("http://[::2]/"), "http://[::2]/") is not None


# framing


def test_an_answer_with_two_kinds_of_length_is_the_last_one_on_its_connection() -> None:
    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            name = heard.path[1:].encode()
            line.send(CHUNKED + b"Content-Length: 3\r\n\r\n1\r\n" + name + b"\r\n0\r\n\r\n")

    with scripted.scripted(talk) as server:
        transport = HttpTransport()
        for name in ("a", "b"):
            with transport.open(Request(f"{server.url}{name}")) as body:
                assert b"".join(bytes(block) for block in body.blocks) == name.encode()
        assert [one.connection for one in server.heard] == [1, 2]


@pytest.mark.parametrize("pause", [0, 0.02])
def test_a_reader_who_has_all_chunks_and_stops_leaves_the_next_answers_where_they_are(pause: float) -> None:
    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            line.send(CHUNKED + b"\r\n2\r\n" + heard.path[1:].encode() * 2)
            time.sleep(pause)
            line.send(b"\r\n0\r\n\r\n")

    with scripted.scripted(talk) as server:
        transport = HttpTransport()
        requests = [Request(f"{server.url}{name}") for name in "abcdefgh"]
        found = []
        for body in transport.open_each(requests):
            assert not isinstance(body, SourceError)
            with body:
                found.append(bytes(next(body.blocks)))
        with transport.open(requests[0]) as body:
            found.append(bytes(next(body.blocks)))
        assert found == [b"aa", b"bb", b"cc", b"dd", b"ee", b"ff", b"gg", b"hh", b"aa"]
        assert (server.connections, len(server.heard)) == (1, 9)


@pytest.mark.parametrize(
    "end", [b"\r\n1\r\nz\r\n0\r\n\r\n", b"\r\n0\r\na: b\r\n\r\n", b"\r\n0\r\nHTTP/", b""]
)
def test_a_reader_who_stops_before_the_end_of_the_chunks_gets_no_rest_as_an_answer(end: bytes) -> None:
    def talk(line: scripted.Line) -> None:
        while line.request():
            line.send(CHUNKED + b"\r\n2\r\nab" + end)

    with scripted.scripted(talk) as server:
        transport = HttpTransport()
        for _ in range(2):
            with transport.open(Request(server.url)) as body:
                assert bytes(next(body.blocks)) == b"ab"
        assert [one.connection for one in server.heard] == [1, 2]


def test_a_body_that_another_thread_closes_is_not_read_on_into_the_next_answer() -> None:
    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            line.send(scripted.ok(heard.path[1:].encode() * 100_000))

    with scripted.scripted(talk) as server:
        transport = HttpTransport()
        first = transport.open(Request(f"{server.url}a"))
        came = 0
        while came < 100_000:
            came += len(next(first.blocks))
        closing = threading.Thread(target=first.close)
        closing.start()
        closing.join()
        with transport.open(Request(f"{server.url}b")) as second:
            with pytest.raises(SourceError, match="closed while it was read"):
                next(first.blocks)
            assert b"".join(bytes(block) for block in second.blocks) == b"b" * 100_000
        assert server.connections == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_drops_a_body_does_not_end_its_parents() -> None:
    with scripted.scripted(scripted.always(scripted.ok(b"x" * 5_000_000))) as server:
        body = HttpTransport().open(Request(server.url))
        came = len(next(body.blocks))
        child = os.fork()
        if not child:
            body.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert came + sum(len(block) for block in body.blocks) == 5_000_000


# waits


def test_fields_that_drip_behind_the_last_chunk_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.2)

    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(CHUNKED + b"\r\n1\r\nx\r\n0\r\n")
        while True:
            time.sleep(0.1)
            line.send(b"a: b\r\n")

    with scripted.scripted(talk) as server:
        assert isinstance(outcome(lambda: whole(server.url), within=5), BrokenTransferError)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_bytes_that_never_mean_anything_are_refused(coding: str) -> None:
    empty = gzip.compress(b"") * 1000 if coding == "gzip" else b"\0\0\0\xff\xff" * 4000
    start = b"" if coding == "gzip" else b"\x78\x9c"

    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(CHUNKED + f"Content-Encoding: {coding}\r\n\r\n".encode())
        for piece in itertools.chain([start + empty], itertools.repeat(empty)):
            line.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    with scripted.scripted(talk) as server:
        found = outcome(lambda: whole(server.url), within=10)
        assert isinstance(found, RefusedError)
        assert "next to nothing" in found.reason


def test_bytes_that_are_compressed_badly_are_read_all_the_same() -> None:
    data = os.urandom(3_000_000)
    packed = b"".join(gzip.compress(data[at : at + 50], 0) for at in range(0, len(data), 50))
    with scripted.scripted(scripted.always(scripted.ok(packed, "Content-Encoding: gzip"))) as server:
        assert whole(server.url) == data


@pytest.fixture
def over_http2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return a function that starts a server of HTTP/2."""
    monkeypatch.setattr(_each.Strikes, "may_pipeline", lambda *_: False)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MODELDEPS_CERTIFICATES", str(tmp_path / "ca.pem"))
    context = http2_server.context_of(authority.issue_cert("127.0.0.1"))

    def start(talk: Callable[[Peer], None]) -> contextlib.AbstractContextManager[scripted.Scripted]:
        def speak(line: scripted.Line) -> None:
            peer = http2_server.Peer(line)
            with contextlib.suppress(H2Error):
                peer.begin()
                talk(peer)

        return scripted.scripted(speak, context)

    return start


def test_crumbs_of_another_answer_do_not_keep_the_first_one_waiting(
    over_http2: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.3)

    def talk(peer: Peer) -> None:
        _, second = peer.request(), peer.request()
        assert second is not None
        peer.head(second[0], 200, {})
        while True:
            peer.data(second[0], b"x", end=False)
            time.sleep(0.1)

    with over_http2(talk) as server:
        requests = [Request(f"{server.url}{name}") for name in "ab"]
        found = outcome(lambda: next(iter(HttpTransport().open_each(requests))), within=10)
        assert isinstance(found, BrokenTransferError)


def test_the_time_that_a_reader_takes_is_not_the_servers(
    over_http2: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.4)

    def talk(peer: Peer) -> None:
        asked = peer.request()
        assert asked is not None
        peer.head(asked[0], 200, {"content-length": 2})
        peer.data(asked[0], b"a", end=False)
        time.sleep(0.7)
        peer.h2.ping(b"12345678")
        peer.flush()
        time.sleep(0.2)
        peer.data(asked[0], b"b", end=True)
        peer.hear()

    with over_http2(talk) as server:
        answers = HttpTransport().open_each([Request(server.url)])
        body = next(answers)
        assert not isinstance(body, SourceError)
        assert bytes(next(body.blocks)) == b"a"
        time.sleep(0.6)
        assert bytes(next(body.blocks)) == b"b"


# pauses


def test_a_source_that_asks_for_a_pause_gets_it_from_the_connection_that_it_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_retry, "LONG_PAUSE", 60.0)
    data = {hashlib.sha256(b"%d" % one).hexdigest(): b"%d" % one for one in range(100)}
    files = [File(path=f"{digest[:8]}", size=len(one), sha256=digest) for digest, one in data.items()]
    began, few, early = time.monotonic(), 5, Counter[str]()

    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            if len(server.heard) > few and time.monotonic() - began < 1:  # as nginx does: a burst is fine
                early[heard.path] += 1
                line.send(scripted.reply("429 Too Many Requests", b"", "Retry-After: 1"))
            else:
                line.send(scripted.ok(data[heard.path.rpartition("/")[2]]))

    with scripted.scripted(talk) as server:
        fetch(files, store, channels=[server.url], reporter=Reporter())
    assert early
    assert set(early.values()) == {1}


# folders


def test_a_file_url_that_is_none_is_refused() -> None:
    with pytest.raises(UnreachableError, match="it is no URL that can be asked"):
        read_url("file://[x/", limit=1)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_folder_whose_name_is_no_utf_8_is_read(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "a").write_bytes(b"x")
    assert read_url(f"{folder.as_uri()}/a", limit=1) == b"x"
