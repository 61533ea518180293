"""conda's session as a transport, and how a fetch speaks inside conda, without conda."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from blob_server import cut, mute, running, status
from conda_records import Context, session_of
from fetching import fetch_one, file_of, in_thread

from modeldeps.conda._session import CondaTransport, opener_for
from modeldeps.conda._words import CondaReporter, SilentReporter, reporter_for
from modeldeps.errors import SourceError
from modeldeps.fetch import Request, fetch
from modeldeps.progress import Reporter
from modeldeps.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _plain_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldeps.conda._session._session", session_of)


# conda's session as a transport


def test_ranges_are_asked_for_and_come(tmp_path: Path) -> None:
    data = os.urandom(5000)
    with running() as server:
        path = server.add(data, file_of(data).sha256)
        transport = CondaTransport(Context(), {})
        with transport.open(Request(server.url + path[1:], 100, 300)) as body:
            assert (body.start, body.end, body.size) == (100, 300, 5000)
            assert b"".join(bytes(one) for one in body.blocks) == data[100:300]
        (asked,) = server.requests
        assert (asked.start, asked.end) == (100, 300)


def test_a_large_file_comes_over_several_sessions_each_of_its_own_thread(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 24
    made: list[threading.Thread] = []

    def session(url: str) -> Any:
        made.append(threading.current_thread())
        return session_of(url)

    file = file_of(data)
    with running() as server:
        server.add(data, file.sha256)
        server.pause = 0.002
        transport = CondaTransport(Context(), {}, session)
        store = Store(tmp_path / "own")
        fetch([file], store, channels=[server.url], reporter=Reporter(), opener=lambda url: transport)  # noqa: ARG005
        assert store.blob(file.sha256).read_bytes() == data
        assert server.connections > 1
    assert len(made) == len(set(made))


def test_a_transfer_that_breaks_goes_on_where_it_ended(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 4
    file, store = file_of(data), Store(tmp_path / "own")
    with running() as server:
        server.add(data, file.sha256, cut(1 << 20))
        transport = CondaTransport(Context(), {})
        fetch([file], store, channels=[server.url], reporter=Reporter(), opener=lambda url: transport)  # noqa: ARG005
        assert store.blob(file.sha256).read_bytes() == data
        assert server.sent < len(data) * 1.5


@pytest.mark.parametrize(("code", "words"), [(401, "conda"), (403, "conda"), (404, "not there")])
def test_a_refusal_is_told_in_condas_terms(code: int, words: str) -> None:
    with running() as server:
        path = server.add(b"x", file_of(b"x").sha256, status(code))
        with pytest.raises(SourceError) as caught:
            CondaTransport(Context(), {}).open(Request(server.url + path[1:]))
    assert words in f"{caught.value} {getattr(caught.value, 'advice', '')}"


def test_a_server_that_is_not_there_is_refused_at_once() -> None:
    with running() as server:
        url = server.url
    with pytest.raises(SourceError, match="no connection"):
        CondaTransport(Context(), {}).open(Request(f"{url}x"))


def test_folders_and_the_users_own_channels_are_not_asked_through_conda() -> None:
    opener = opener_for(Context(), {}, ["https://mine.example/"])
    assert not isinstance(opener("file:///tmp/x"), CondaTransport)
    assert not isinstance(opener("https://mine.example/blobs/x"), CondaTransport)
    assert isinstance(opener("https://mine.example.org/x"), CondaTransport)


# how it speaks


def test_nothing_is_said_with_quiet_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    for context in (Context(quiet=True), Context(quiet=False, json=True)):
        reporter = reporter_for(context, "Verifying transaction")
        reporter.begin("digits", total=10)
        reporter.note("slow")
        reporter.end()
    assert capsys.readouterr().out == ""


def test_condas_line_is_left_and_begun_again(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = reporter_for(Context(quiet=False), "Verifying transaction")
    reporter.begin("digits 2.1.0", total=10)
    reporter.end()
    assert capsys.readouterr().out == "\ndigits 2.1.0 (10 B)\nVerifying transaction: "


def test_a_fetch_in_another_thread_ends_when_the_main_thread_leaves_the_transaction(tmp_path: Path) -> None:
    data = b"bytes that never come"
    transaction: dict[str, Any] = {"__name__": "conda.core.link"}
    code = "def run(work, until):\n    found = work()\n    until.wait(5)\n    return found"
    exec(code, transaction)  # noqa: S102 - a function of such a module
    asked = threading.Event()

    class Heard(SilentReporter):
        def beat(self) -> None:
            asked.set()
            super().beat()

    with running() as server:
        server.add(data, file_of(data).sha256, mute(20))

        def work() -> None:
            fetch_one(file_of(data), Store(tmp_path / "own"), server.url, reporter=Heard())

        # the main thread is in the transaction until the fetch goes on
        thread, errors = transaction["run"](lambda: in_thread(work), asked)
        thread.join(10)
        assert not thread.is_alive()
    assert [type(one) for one in errors] == [KeyboardInterrupt]


def test_a_fetch_that_no_transaction_began_is_not_ended() -> None:
    thread, errors = in_thread(lambda: CondaReporter("x", Reporter()).beat())
    thread.join(5)
    assert errors == []
