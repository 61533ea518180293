"""Waits that servers could stretch, and who ends them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
import scripted

from modeldeps.errors import BrokenTransferError, DigestError, SourceError, UnreachableError
from modeldeps.fetch import Request, _dial, _document, _http, _names, fetch, read_url
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._leash import LOOSE, Leash
from modeldeps.manifest import File
from modeldeps.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modeldeps.store import Store


def whole(url: str) -> bytes:
    with HttpTransport().open(Request(url)) as body:
        return b"".join(bytes(block) for block in body.blocks)


def ours() -> list[str]:
    """Return the threads of a fetch that are alive."""
    return [one.name for one in threading.enumerate() if one.name.startswith("modeldeps")]


# heads


def test_interim_answers_have_no_more_time_than_one_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.2)

    def talk(line: scripted.Line) -> None:
        line.request()
        for _ in range(9):
            time.sleep(0.15)
            line.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        line.send(scripted.ok(b"late"))

    began = time.monotonic()
    with scripted.scripted(talk) as server, pytest.raises(BrokenTransferError, match="in time"):
        whole(server.url)
    assert time.monotonic() - began < 1.0


# documents


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a document a moment, and a second for each 1000 bytes."""
    monkeypatch.setattr(_document, "FIRST_TIME", 0.5)
    monkeypatch.setattr(_document, "MIN_RATE", 1000)


def drip(line: scripted.Line) -> None:
    line.request()
    line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        time.sleep(0.05)
        line.send(b"x" * 10)


def drip_chunks(line: scripted.Line) -> None:
    line.request()
    line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        time.sleep(0.05)
        line.send(b"1\r\nx\r\n")


def drip_head(line: scripted.Line) -> None:
    line.request()
    for count in itertools.count():
        time.sleep(0.05)
        line.send(b"HTTP/1.1 200 OK\r\nX: " if not count else b"x")


def say_nothing(line: scripted.Line) -> None:
    line.request()
    line.sock.recv(1)


def redirect_slowly(line: scripted.Line) -> None:
    while heard := line.request():
        time.sleep(0.2)
        line.send(scripted.reply("302 Found", b"", f"Location: {heard.path}x"))


def break_off_slowly(line: scripted.Line) -> None:
    line.request()
    time.sleep(0.3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "talk", [drip, drip_chunks, drip_head, say_nothing, redirect_slowly, break_off_slowly]
)
def test_a_document_that_does_not_come_is_given_up_whatever_the_server_does_meanwhile(
    talk: scripted.Talk,
) -> None:
    began = time.monotonic()
    with (
        scripted.scripted(talk) as server,
        pytest.raises(UnreachableError, match=r"did not come within [01] s"),
    ):
        read_url(server.url, limit=1_000_000)
    assert time.monotonic() - began < 3


@pytest.mark.usefixtures("hurried")
def test_a_document_that_comes_steadily_has_the_time_that_its_bytes_need() -> None:
    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(10):
            time.sleep(0.1)
            line.send(b"x" * 400)

    with scripted.scripted(talk) as server:
        assert read_url(server.url, limit=4000) == b"x" * 4000


# names


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the server of names be dead, and tell who asked it."""
    asked: list[str] = []
    alive = threading.Event()
    true = socket.getaddrinfo

    def hang(host: str, port: int, **options: int) -> object:
        if host.endswith(".example"):
            asked.append(host)
            alive.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return true(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield asked
    alive.set()


def test_a_server_of_names_that_is_dead_is_given_up_and_asked_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch, no_names: list[str]
) -> None:
    monkeypatch.setattr(_http, "CONNECT_TIMEOUT", 0.3)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(BrokenTransferError, match=r"told the address of dead\.example in time"):
            whole("http://dead.example/")
    assert 0.8 < time.monotonic() - began < 3
    assert no_names == ["dead.example"]


def test_an_address_and_this_machine_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(threading, "Thread", no_thread)
    for host in ("127.0.0.1", "::1", "localhost"):
        assert _names.addresses(host, 80, timeout=1, leash=LOOSE)


def test_a_name_is_asked_for_once_in_a_while_and_again_where_no_address_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def tell(host: str, port: int, **_: int) -> object:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", tell)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        for _ in range(3):
            _dial.connect("some.example", port, timeout=5).close()
        assert len(asked) == 1
    with pytest.raises(ConnectionRefusedError):
        _dial.connect("some.example", port, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        _dial.connect("some.example", port, timeout=5)
    assert len(asked) == 2


# the leash


@pytest.mark.parametrize("talk", [say_nothing, drip_head], ids=["silent", "drips"])
def test_a_wait_for_an_answer_ends_when_it_is_cut(talk: scripted.Talk) -> None:
    leash = Leash()
    with scripted.scripted(talk) as server:
        threading.Timer(0.2, leash.cut).start()
        began = time.monotonic()
        with pytest.raises(BrokenTransferError):
            HttpTransport().open(Request(server.url, leash=leash))
        assert time.monotonic() - began < 2
        with pytest.raises(BrokenTransferError, match="nobody wants it"):
            HttpTransport().open(Request(server.url, leash=leash))
        answer = next(iter(HttpTransport().open_each([Request(server.url, leash=leash)])))
        assert isinstance(answer, SourceError)


def test_a_wait_for_a_name_a_connection_and_a_handshake_end_when_they_are_cut(no_names: list[str]) -> None:
    silent = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = silent.getsockname()[1]
    with contextlib.ExitStack() as stack:
        stack.enter_context(silent)
        urls = [f"https://127.0.0.1:{port}/", "http://deaf.example/"]
        for number in range(3):
            one = stack.enter_context(socket.socket())
            one.settimeout(0)
            if number:  # the first one is the handshake's; then a full queue answers nobody
                one.connect_ex(("127.0.0.1", port))
        for url in urls:
            leash = Leash()
            threading.Timer(0.2, leash.cut).start()
            began = time.monotonic()
            with pytest.raises(SourceError):
                HttpTransport().open(Request(url, leash=leash))
            assert time.monotonic() - began < 2
    assert no_names == ["deaf.example"]


def test_a_connection_that_was_kept_is_not_on_the_leash_of_who_used_it_before() -> None:
    opener, leash = HttpTransport(), Leash()
    with scripted.scripted(scripted.always(scripted.ok(b"abc"))) as server:
        for asked in (Request(server.url, leash=leash), Request(server.url)):
            for one in itertools.chain([opener.open(asked)], opener.open_each([asked, asked])):
                assert scripted.take(one) == b"abc"
            leash.cut()
        assert server.connections == 1


# threads


def hanging(good: bytes) -> scripted.Talk:
    """Serve bytes, but leave the second connection without an answer."""

    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            if line.number % 2 == 0:
                line.sock.recv(1)
                return
            line.send(scripted.part(good, heard) if "range" in heard.headers else scripted.ok(good))

    return talk


def big_file(data: bytes) -> File:
    return File(path="x", size=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_no_thread_is_left_when_a_fetch_is_over_though_a_connection_is_dead(store: Store) -> None:
    data = bytes(40_000_000)
    with scripted.scripted(hanging(data)) as server:
        fetch([big_file(data)], store, channels=[server.url], reporter=Reporter())
        assert ours() == []
        assert server.connections > 1


def test_no_thread_is_left_when_a_fetch_failed_though_a_connection_is_dead(store: Store) -> None:
    data = bytes(40_000_000)
    wrong = b"x" * len(data)
    with scripted.scripted(hanging(wrong)) as server:
        with pytest.raises((DigestError, UnreachableError)):
            fetch([big_file(data)], store, channels=[server.url], reporter=Reporter())
        assert ours() == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_no_thread_is_left_after_ctrl_c(tmp_path: Path) -> None:
    code = f"""
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from modeldeps.fetch import fetch
from modeldeps.manifest import File
from modeldeps.progress import Reporter
from modeldeps.store import Store
try:
    fetch([File(path="x", size=9_000_000, sha256="ab" * 32)], Store(Path({str(tmp_path / "s")!r})),
          channels=[sys.argv[1]], reporter=Reporter())
except KeyboardInterrupt:
    print("left:", [one.name for one in threading.enumerate() if one.name.startswith("modeldeps")])
"""
    asked = threading.Event()

    def talk(line: scripted.Line) -> None:
        line.request()
        asked.set()
        line.sock.recv(1)

    with scripted.scripted(talk) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", code, server.url],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert asked.wait(20)
        time.sleep(0.2)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=20)
        assert (out, child.returncode) == ("left: []\n", 0)
        assert time.monotonic() - began < 3
