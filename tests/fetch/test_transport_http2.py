"""Many things in order over HTTP/2."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING, TypeAlias

import http2_server
import pytest
import scripted
import trustme
from h2.exceptions import H2Error  # noqa: TID253 - the extra is installed for tests
from h2.settings import SettingCodes  # noqa: TID253 - likewise
from scripted import take

from modeldeps.errors import BrokenTransferError
from modeldeps.fetch import Body, Request, _each, _http, _http2
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._leash import Leash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from http2_server import Peer

    Serve: TypeAlias = Callable[..., AbstractContextManager[scripted.Scripted]]

RANDOM = random.Random(11)  # noqa: S311 - no secret
FILES = {f"/{number}": RANDOM.randbytes(RANDOM.choice([0, 1, 500, 30_000, 700_000])) for number in range(40)}


MAY_PIPELINE = _each.Strikes.may_pipeline


@pytest.fixture(autouse=True)
def _no_pipelining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_each.Strikes, "may_pipeline", lambda *_: False)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("MODELDEPS_CERTIFICATES", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture
def serve(authority: trustme.CA) -> Serve:
    certificate = authority.issue_cert("127.0.0.1")

    def start(talk: Callable[[Peer], None], *protocols: str) -> AbstractContextManager[scripted.Scripted]:
        def speak(line: scripted.Line) -> None:
            peer = http2_server.Peer(line)
            with contextlib.suppress(H2Error):  # a client that fell back to HTTP/1
                peer.begin()
                talk(peer)

        return scripted.scripted(speak, http2_server.context_of(certificate, protocols or ("h2",)))

    return start


def good(peer: Peer) -> None:
    while asked := peer.request():
        stream, path = asked
        if path in FILES:
            peer.answer(stream, FILES[path])
        else:
            peer.answer(stream, b"there is none", status=404)


def requests(url: str, paths: Iterable[str] = FILES) -> Iterator[Request]:
    return (Request(f"{url.rstrip('/')}{path}") for path in paths)


def each(url: str, paths: Iterable[str] = FILES) -> list[bytes | str]:
    return [take(one) for one in HttpTransport().open_each(requests(url, paths))]


def test_answers_come_in_order_and_the_connection_is_kept(serve: Serve) -> None:
    with serve(good) as server:
        opener = HttpTransport()
        for _ in range(3):
            assert [take(one) for one in opener.open_each(requests(server.url))] == list(FILES.values())
        assert server.connections == 1


def test_who_used_a_connection_before_can_end_it_only_while_it_is_in_use(serve: Serve) -> None:
    def talk(peer: Peer) -> None:
        while asked := peer.request():
            if asked[1] != "/silent":
                peer.answer(asked[0], b"abc")

    with serve(talk) as server:
        opener, leash = HttpTransport(), Leash()
        urls = [f"{server.url}{number}" for number in range(3)]
        assert [take(one) for one in opener.open_each(Request(url, leash=leash) for url in urls)] == [
            b"abc"
        ] * 3
        leash.cut()
        assert [take(one) for one in opener.open_each(Request(url) for url in urls)] == [b"abc"] * 3
        assert server.connections == 1
        leash, began = Leash(), time.monotonic()
        threading.Timer(0.2, leash.cut).start()
        found = next(iter(opener.open_each([Request(f"{server.url}silent", leash=leash)])))
        assert isinstance(found, BrokenTransferError)
        assert time.monotonic() - began < 5


def test_a_server_on_which_pipelining_fails_again_and_again_is_asked_by_http2(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_each.Strikes, "may_pipeline", MAY_PIPELINE)
    with serve(good, "h2", "http/1.1") as server:
        opener = HttpTransport()
        found = [take(one) for one in opener.open_each(requests(server.url))]
        assert found[-len(FILES) + 2 * _each.MAX_STRIKES :] == list(FILES.values())[2 * _each.MAX_STRIKES :]
        before = server.connections
        assert [take(one) for one in opener.open_each(requests(server.url))] == list(FILES.values())
        assert server.connections == before


def test_answers_that_come_in_another_order_are_put_in_order(serve: Serve) -> None:
    def backwards(peer: Peer) -> None:
        while asked := peer.request():
            batch = [asked]
            while len(batch) < _http2.STREAMS and (more := peer.request()):
                batch.append(more)
            for stream, path in reversed(batch):
                peer.answer(stream, FILES[path])

    small = [path for path, data in FILES.items() if len(data) < _http2.STREAM_WINDOW]
    paths = small[: _http2.STREAMS]
    assert len(paths) == _http2.STREAMS
    with serve(backwards) as server:
        assert each(server.url, paths) == [FILES[path] for path in paths]


def test_what_is_not_asked_for_yet_is_held_back_in_bounds(serve: Serve) -> None:
    sent: dict[int, int] = {}
    stuck = threading.Event()

    def eager(peer: Peer) -> None:
        while len(peer.asked) < _http2.STREAMS:
            peer.hear()
        (_, _), *others = peer.asked
        for stream, _ in others:
            peer.head(stream, 200, {})
            sent[stream] = 0
            while room := min(peer.h2.local_flow_control_window(stream), 16_384):
                peer.h2.send_data(stream, bytes(room))
                sent[stream] += room
                peer.flush()
        stuck.set()
        while peer.hear():
            pass

    with serve(eager) as server:
        opener = HttpTransport().open_each(requests(server.url))
        threading.Thread(target=lambda: next(opener, None), daemon=True).start()
        assert stuck.wait(10)
        assert max(sent.values()) <= _http2.STREAM_WINDOW


def test_a_body_that_is_closed_early_is_cancelled_and_the_next_one_comes(serve: Serve) -> None:
    cancelled: list[list[int]] = []

    def talk(peer: Peer) -> None:
        try:
            good(peer)
        finally:
            cancelled.append(peer.cancelled)

    with serve(talk) as server:
        found = []
        for one in HttpTransport().open_each(requests(server.url)):
            assert isinstance(one, Body)
            with one:
                found.append(bytes(next(one.blocks, b"")))
            one.close()
    assert all(data.startswith(start) for start, data in zip(found, FILES.values(), strict=True))
    assert server.connections == 1


def test_what_is_not_there_and_ranges_that_are_wrong_are_errors_in_their_place(serve: Serve) -> None:
    def talk(peer: Peer) -> None:
        while asked := peer.request():
            stream, path = asked
            wrong = {"content_range": "bytes 0-2/9"}
            peer.answer(stream, b"abc", status=206 if path == "/part" else 404, **wrong)

    with serve(talk) as server:
        assert each(server.url, ["/x", "/y"]) == ["404, it is not there"] * 2


def test_a_server_that_goes_away_is_asked_for_the_rest_again(serve: Serve) -> None:
    def few(peer: Peer) -> None:
        stream = 0
        for _ in range(3):
            asked = peer.request()
            if not asked:
                return
            stream, path = asked
            peer.answer(stream, FILES[path])
        peer.h2.close_connection(last_stream_id=stream)
        peer.flush()
        while peer.line.sock.recv(1 << 16):  # h2 hears nothing more
            pass

    with serve(few) as server:
        assert each(server.url) == list(FILES.values())
        assert server.connections > 10


def test_what_a_server_answers_after_it_said_that_it_goes_away_is_heard(serve: Serve) -> None:
    def polite(peer: Peer) -> None:
        asked = [one for one in (peer.request() for _ in range(3)) if one]
        if asked:
            peer.line.send(b"\0\0\x08\x07\0\0\0\0\0" + asked[-1][0].to_bytes(4, "big") + bytes(4))
        for stream, path in asked:
            peer.answer(stream, FILES[path])
        while peer.line.sock.recv(1 << 16):
            pass

    paths = [path for path in FILES for _ in range(3)]  # so that each connection has three
    with serve(polite) as server:
        assert each(server.url, paths) == [FILES[path] for path in paths]


def test_an_answer_that_is_taken_back_before_it_began_is_asked_for_again(serve: Serve) -> None:
    refused: set[str] = set()

    def moody(peer: Peer) -> None:
        while asked := peer.request():
            stream, path = asked
            if path in ("/3", "/7") and path not in refused:
                refused.add(path)
                peer.h2.reset_stream(stream, 7)
                peer.flush()
            else:
                peer.answer(stream, FILES[path])

    with serve(moody) as server:
        assert each(server.url) == list(FILES.values())
    assert refused == {"/3", "/7"}


def test_an_answer_that_is_taken_back_in_the_middle_is_broken_and_the_next_ones_come(serve: Serve) -> None:
    def moody(peer: Peer) -> None:
        while asked := peer.request():
            stream, path = asked
            if path == "/3":
                peer.head(stream, 200, {"content-length": 100})
                peer.data(stream, b"abc", end=False)
                peer.h2.reset_stream(stream, 2)
                peer.flush()
            else:
                peer.answer(stream, FILES[path])

    with serve(moody) as server:
        found = each(server.url)
    assert found[3] == "the connection was closed before the end"
    assert [one for number, one in enumerate(found) if number != 3] == [
        data for path, data in FILES.items() if path != "/3"
    ]


@pytest.mark.parametrize(
    "words", [b"", b"garbage" * 100, b"\0\0\4\1\5\0\0\0\1junk", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_garbage_is_an_error_of_ours(serve: Serve, words: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.request()
        peer.line.send(words)

    with serve(talk) as server:
        assert all(isinstance(one, str) for one in each(server.url, ["/0", "/1"]))


def test_a_server_that_talks_without_answering_is_left(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.3)

    def pings(peer: Peer) -> None:
        peer.request()
        while True:
            peer.h2.ping(b"12345678")
            peer.flush()
            peer.hear()

    with serve(pings) as server:
        found = list(HttpTransport().open_each(requests(server.url, ["/0"])))
        assert isinstance(found[0], BrokenTransferError)


def test_a_length_that_lies_is_no_whole_answer(serve: Serve) -> None:
    def lies(peer: Peer) -> None:
        while asked := peer.request():
            peer.head(asked[0], 200, {"content-length": 10})
            peer.data(asked[0], b"short", end=True)

    with serve(lies) as server:
        assert all(isinstance(one, str) for one in each(server.url, ["/0", "/1"]))


def test_a_server_with_few_streams_is_not_asked_for_more(serve: Serve) -> None:
    most: list[int] = []

    def narrow(peer: Peer) -> None:
        peer.h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 2})
        peer.flush()
        while asked := peer.request():
            most.append(peer.h2.open_inbound_streams)
            peer.answer(asked[0], FILES[asked[1]])

    with serve(narrow) as server:
        found = each(server.url)
    assert found == list(FILES.values())
    assert max(most[_http2.STREAMS :]) <= 2


def test_redirects_and_secrets_are_as_with_http_1(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str | None] = []

    def target(peer: Peer) -> None:
        while asked := peer.request():
            peer.answer(asked[0], FILES[asked[1]])

    with serve(target) as there:

        def away(peer: Peer) -> None:
            while True:
                while not peer.asked:
                    if not peer.hear():
                        return
                told.append(peer.asked[0][1].get("authorization"))
                stream, headers = peer.asked.pop(0)
                peer.answer(stream, b"", status=302, location=f"{there.url[:-1]}{headers[':path']}")

        with serve(away) as server:
            monkeypatch.setenv("MODELDEPS_TOKENS", f"{server.url}=hidden")
            assert each(server.url) == list(FILES.values())
    assert set(told) == {"Bearer hidden"}


def test_a_server_that_does_not_speak_it_is_asked_as_ever(authority: trustme.CA) -> None:
    context = http2_server.context_of(authority.issue_cert("127.0.0.1"), ("http/1.1",))
    answers = scripted.always(lambda heard: scripted.ok(FILES[heard.path]))
    with scripted.scripted(answers, context) as server:
        assert each(server.url) == list(FILES.values())
        assert server.connections == 1


def test_without_the_library_http_1_is_spoken(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http2, "is_available", lambda: False)
    context = http2_server.context_of(authority.issue_cert("127.0.0.1"), ("h2", "http/1.1"))
    answers = scripted.always(lambda heard: scripted.ok(FILES[heard.path]))
    with scripted.scripted(answers, context) as server:
        assert each(server.url) == list(FILES.values())
        assert server.connections == 1
