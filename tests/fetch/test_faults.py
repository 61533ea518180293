"""Sources that stop, lie, or speak something else."""

from __future__ import annotations

import email.utils
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import (
    BrokenTransferError,
    ContradictionError,
    DigestError,
    RefusedError,
    UnreachableError,
)
from modeldeps.fetch import _host, _http, _open, _pace, _reasons, _redirects, _retry

if TYPE_CHECKING:
    from blob_server import BlobServer, Fault

    from modeldeps.store import Store

CHUNKS = pytest.mark.parametrize("chunk", [0, 500_000])


def reason(caught: pytest.ExceptionInfo[UnreachableError]) -> str:
    return caught.value.failures[0].reason


@CHUNKS
def test_a_transfer_that_breaks_goes_on_where_it_stopped(
    server: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256, blob_server.cut(1_200_000), blob_server.cut(1_100_000))
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    starts = [one.start for one in server.requests]
    assert starts[0] == 0
    assert 1_000_000 <= starts[1] <= 1_200_000
    assert 2_000_000 <= starts[2] <= 2_300_000
    assert reporter.done == len(data)
    assert fetched.bytes_fetched <= len(data) + chunk * 2
    assert store.blob(file.sha256).read_bytes() == data


@CHUNKS
def test_another_source_goes_on_where_the_first_one_died(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256, blob_server.cut(2_000_000), *[blob_server.status(500)] * 9)
    mirror.add(data, file.sha256)
    fetch_one(file, store, server.url, mirror.url)
    assert mirror.requests[0].start == 2_000_000
    assert mirror.sent == 1_000_000


@CHUNKS
def test_a_server_that_ignores_ranges_still_brings_the_rest(
    server: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256, blob_server.whole_but_cut(1_500_000), blob_server.whole)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert fetched.bytes_fetched == 4_500_000
    assert reporter.done == len(data)


@pytest.mark.parametrize("fault", [blob_server.without_length, blob_server.chunked])
def test_a_server_that_says_no_length_is_fine(
    server: BlobServer, store: Store, data: bytes, fault: Fault
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, fault)
    assert fetch_one(file, store, server.url).bytes_fetched == len(data)


def test_an_end_that_comes_too_early_without_a_length_is_noticed(
    server: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.without_length_but_cut(1_000_000))
    fetch_one(file, store, server.url)
    assert [one.start for one in server.requests] == [0, 1_000_000]


def test_a_source_that_always_stops_is_given_up_and_what_came_is_kept(
    server: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    faults = [blob_server.cut(100_000), *[blob_server.cut(0)] * 20]
    server.add(data, file.sha256, *faults)
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, server.url)
    assert reason(caught) == "the connection was closed before the end"
    assert len(server.requests) == _retry.ATTEMPTS
    assert store.begun(file) >= 100_000
    server.faults.clear()
    assert fetch_one(file, store, server.url).bytes_fetched <= len(data) - 100_000 + 2 * 4096


def test_a_source_that_gives_crumbs_is_left_in_the_end(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_retry, "PROGRESS", 1)
    monkeypatch.setattr(_retry, "MAX_ATTEMPTS", 12)
    file = file_of(data)
    server.add(data, file.sha256, *[blob_server.cut(1000)] * 50)
    with pytest.raises(UnreachableError):
        fetch_one(file, store, server.url)
    assert len(server.requests) == 12


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (blob_server.status(401), "401 Unauthorized; it was sent no credentials"),
        (blob_server.status(403), "403 Forbidden; it was sent no credentials"),
        (blob_server.status(410), "410, it is not there"),
        (blob_server.status(204), "204 No Content"),
        (blob_server.status(206), "206 Partial Content"),
        (blob_server.status(299), "299 is no status that is known"),
        (blob_server.status(304), "304 Not Modified"),
        (blob_server.other(b"<html>Please log in</html>"), "it has 26 bytes, the manifest says 3000000"),
        (
            blob_server.status(200, b"x", Content_Encoding="br"),
            "it sends the bytes encoded ('br'), which was not asked for",
        ),
        (
            blob_server.redirect("ftp://127.0.0.1/x"),
            "it redirects to ftp://127.0.0.1/x, which is no http URL",
        ),
        (
            blob_server.redirect("file:///etc/passwd"),
            "it redirects to file:///etc/passwd, which is no http URL",
        ),
        (blob_server.redirect("http://[::1"), "it redirects to something that is no URL"),
        (blob_server.redirect(""), "it redirects without saying where to"),
        (blob_server.redirect("http://127.0.0.1:99999/"), "it redirects to something that is no URL"),
        (blob_server.endless, "it sends more than the 3000000 bytes that the manifest says"),
    ],
)
def test_an_answer_that_is_no_blob_is_refused_without_asking_again(
    server: BlobServer, store: Store, data: bytes, fault: Fault, expected: str
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, fault)
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, server.url)
    assert reason(caught) == expected
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\nstump",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnope",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["nothing", "words", "status", "stump", "chunk", "many headers", "long header"],
)
def test_garbage_is_an_error_of_ours(server: BlobServer, store: Store, data: bytes, garbage: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256, *[blob_server.raw(garbage)] * 9)
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, server.url)
    assert reason(caught)
    assert store.find(file) is None


def test_a_range_that_was_not_asked_for_is_refused(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.cut(1_000_000), blob_server.wrong_range)
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, server.url)
    assert reason(caught) == "it answers a request for the bytes from 1000000 on with another range"


def test_a_busy_server_is_asked_again_after_the_pause_that_it_names(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(_host.Host, "rest", lambda _, pause: pauses.append(pause))
    file = file_of(data)
    server.add(
        data,
        file.sha256,
        blob_server.status(503, Retry_After="7"),
        blob_server.status(429, Retry_After=email.utils.formatdate(time.time() + 20, usegmt=True)),
        blob_server.status(502),
    )
    reporter = Remember()
    fetch_one(file, store, server.url, reporter=reporter)
    assert ": 503 Service Unavailable; asking again in " in reporter.notes[0]
    assert len(reporter.notes) == 2
    assert 7 <= pauses[0] <= 7 * (1 + _retry.JITTER)
    assert 15 < pauses[1] <= 20 * (1 + _retry.JITTER)
    assert 0.004 <= pauses[2] <= 0.005


def test_nobody_is_asked_while_he_rests(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.status(503, Retry_After="1"))
    start = time.monotonic()
    fetch_one(file, store, server.url)
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("answer", ["3600", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_server_that_asks_for_a_long_pause_is_left_at_once(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, answer: str
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.status(503, Retry_After=answer))
    mirror.add(data, file.sha256)
    fetch_one(file, store, server.url, mirror.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("", None), ("12", 12.0), (" 3 ", 3.0), ("-1", None), ("soon", None), ("1e3", None)],
)
def test_the_pause_that_a_server_asks_for_is_read(text: str | None, seconds: float | None) -> None:
    assert _reasons.retry_after(text) == seconds


def test_a_server_that_drips_is_left(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pace, "WINDOW", 0.2)
    monkeypatch.setattr(_retry, "ATTEMPTS", 1)
    file = file_of(data)
    server.add(data, file.sha256, blob_server.drip(0.02))
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    assert reporter.notes[0].endswith("fewer than 1000 bytes a second came")


def test_a_server_that_never_answers_is_left(
    mirror: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "READ_TIMEOUT", 0.2)
    monkeypatch.setattr(_retry, "ATTEMPTS", 1)
    _open._http.cache_clear()
    file = file_of(data)
    mirror.add(data, file.sha256)
    reporter = Remember()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/"
        fetch_one(file, store, url, mirror.url, reporter=reporter)
    _open._http.cache_clear()
    assert reporter.notes[0].endswith("no more bytes came in time")


def test_a_redirect_to_another_server_is_followed(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    mirror.blobs["/signed"] = data
    server.add(data, file.sha256, blob_server.redirect(f"{mirror.url}signed?token=secret"))
    assert fetch_one(file, store, server.url).bytes_fetched == len(data)
    assert mirror.requests[0].path == "/signed?token=secret"


def test_a_redirect_whose_target_is_not_escaped_is_followed(
    server: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.blobs["/a%20b/%C3%A9%25"] = data
    server.add(data, file.sha256, blob_server.redirect("/a b/\u00c3\u00a9%25"))
    assert fetch_one(file, store, server.url).bytes_fetched == len(data)


def test_a_redirect_in_a_circle_ends(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data)
    path = server.add(data, file.sha256)
    server.faults[path] = [blob_server.redirect(path)] * 50
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, server.url)
    assert reason(caught) == "it redirects more than 10 times"
    assert len(server.requests) == 11


def test_credentials_go_to_their_own_host_and_into_no_message(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    path = server.add(data, file.sha256, blob_server.redirect("/inner"))
    server.blobs["/inner"] = b""
    server.faults["/inner"] = [blob_server.redirect(f"{mirror.url}away?sig=hidden")]
    mirror.faults["/away"] = [blob_server.status(403)]
    channel = server.url.replace("http://", "http://user:p%40ss@")
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file, store, channel)
    basic = "Basic dXNlcjpwQHNz"
    assert [(one.path, one.headers.get("authorization")) for one in server.requests] == [
        (path, basic),
        ("/inner", basic),
    ]
    assert "authorization" not in mirror.requests[0].headers
    for secret in ("user", "p%40ss", "p@ss", "hidden", "dXNl"):
        assert secret not in str(caught.value)
    assert "away?***: 403 Forbidden" in str(caught.value)


def test_a_secure_connection_is_not_left_for_an_open_one() -> None:
    with pytest.raises(RefusedError, match="which is not protected"):
        _redirects.target("https://models.example.com/x", "http://models.example.com/x")
    assert (
        _redirects.target("http://models.example.com/x", "https://models.example.com/y")
        == "https://models.example.com/y"
    )


def test_many_threads_fetch_one_file_once(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data, chunk=500_000)
    server.add(data, file.sha256)
    server.pause = 0.005
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch_one(file, store, server.url).bytes_fetched))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 0, 0, 0, 0, len(data)]
    assert len(server.requests) == 1


def test_an_error_tells_how_long_a_source_wants_to_rest() -> None:
    assert BrokenTransferError("http://x/", "busy", retry_after=3.0).retry_after == 3.0


def test_a_bad_beginning_of_a_dead_source_does_not_spoil_a_good_one(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    bad = bytes(1_000_000)
    lie = blob_server.without_length_but_cut(len(bad))
    server.add(data, file.sha256, lambda handler, _: lie(handler, bad), *[blob_server.status(500)] * 9)
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    assert [one.start for one in mirror.requests] == [1_000_000, 0]
    assert fetched.bytes_fetched == 1_000_000 + 2_000_000 + 3_000_000
    assert reporter.notes[-1] == "model.onnx: parts of several downloads don't fit; fetching all of it again"
    assert reporter.done == len(data)


def test_a_good_beginning_does_not_save_a_source_that_lies_after_it(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.cut(1_000_000), *[blob_server.status(500)] * 9)
    mirror.add(data, file.sha256, *[blob_server.flipped(2_000_000)] * 2)
    with pytest.raises(DigestError) as caught:
        fetch_one(file, store, server.url, mirror.url)
    assert caught.value.source.startswith(mirror.url)
    assert len(mirror.requests) == 2
    assert store.begun(file) == 0


def test_chunks_of_a_manifest_that_contradict_its_digest_are_no_way_in(
    server: BlobServer, store: Store, data: bytes
) -> None:
    other = bytes(len(data))
    file = replace(file_of(data), chunks=file_of(other, chunk=500_000).chunks)
    server.add(other, file.sha256)
    with pytest.raises(ContradictionError, match="the manifest contradicts itself"):
        fetch_one(file, store, server.url)
    assert store.find(file) is None
    assert store.begun(file) == 0


def test_a_proxy_that_is_down_is_named_as_the_cause(
    store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:word@127.0.0.1:9")
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file_of(data), store, "http://models.example.com/")
    assert reason(caught) == "the proxy can't be reached"
    assert "word" not in str(caught.value)
