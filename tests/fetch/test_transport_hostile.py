"""Answers that two readers may read in two ways, and values that could break a request."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import blob_server
import pytest
import scripted
from hypothesis import given
from hypothesis import strategies as st
from scripted import take

from modeldeps.errors import RefusedError, SourceError, UnreachableError
from modeldeps.fetch import Request, read_url
from modeldeps.fetch._head import WireError, parse_head
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._origin import Origin, split_credentials
from modeldeps.fetch._reasons import retry_after
from modeldeps.tokens import parse_entry, parse_variable

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer

OK = scripted.ok(b"good")


def first(answer: bytes) -> scripted.Talk:
    """Give the first request of a connection a bad answer, and what would follow it a good one."""

    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            line.send(answer if heard.path == "/bad" else OK)

    return talk


def outcomes(talk: scripted.Talk, *, start: int = 0, end: int | None = None) -> tuple[str, list[bytes | str]]:
    """Return why a bad answer was refused, and what good ones gave after it on the same transport."""
    with scripted.scripted(talk) as server:
        opener = HttpTransport()
        try:
            with opener.open(Request(f"{server.url}bad", start, end)) as body:
                found = b"".join(bytes(block) for block in body.blocks).decode("latin-1")
        except SourceError as error:
            found = error.reason
        good = Request(f"{server.url}good")
        return found, [take(opener.open(good)), *(take(one) for one in opener.open_each([good] * 3))]


BAD = [
    # a head that others read differently
    (b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nevil", "field of its answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 4\r\n\r\nevil", "field of its answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: a\r\n\tb\r\nContent-Length: 4\r\n\r\nevil", "field of its answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 4\r\n\r\nevil", "field of its answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\r\n\r\nevil", "field of its answer is not HTTP"),
    (b"HTTP/1.1 200 OK\r\n: 4\r\n\r\nevil", "field of its answer is not HTTP"),
    # a status that is none, or another protocol
    (b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n" + OK, "not HTTP"),
    (b"HTTP/1.1 000 X\r\n\r\n" + OK, "not HTTP"),
    (b"HTTP/1.1 20 X\r\n\r\n" + OK, "not HTTP"),
    (b"HTTP/1.1 2000 X\r\n\r\n" + OK, "not HTTP"),
    (b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nevil", "not HTTP"),
    (b"ICY 200 OK\r\nContent-Length: 4\r\n\r\nevil", "not HTTP"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + OK, "not HTTP"),
    (b"\r\n" + OK, "not HTTP"),
    # lengths
    (b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nevil", "length that is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nevil", "length that is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nevil", "length that is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nevil", "length that is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nevil", "length that is no number"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4,\r\n\r\nevil", "two lengths"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 04\r\n\r\nevil", "two lengths"),
    # forms
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "form that was not asked"),
    (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "form that was not asked"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\xadchunked\r\n\r\n0\r\n\r\n", "form that was not asked"),
    (scripted.ok(b"evil", "Content-Encoding: gzip, gzip"), "encoded"),
    (scripted.ok(b"evil", "Content-Encoding: br"), "encoded"),
    # statuses that bring nothing, with something behind them
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", "204 No Content"),
    (b"HTTP/1.1 204 No Content\r\n\r\n" + scripted.ok(b"evil"), "204 No Content"),
    (b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", "204 No Content"),
    (b"HTTP/1.1 205 X\r\nContent-Length: 4\r\n\r\nevil", "205 Reset Content"),
    (b"HTTP/1.1 304 X\r\nContent-Length: 4\r\n\r\n" + scripted.ok(b"evil"), "304 Not Modified"),
    (scripted.reply("206 Partial Content", b"evil", "Content-Range: bytes 0-3/4"), "206 Partial Content"),
    (scripted.reply("299 X", b"evil"), "299 is no status that is known"),
    (scripted.reply("999 X", b"evil"), "999 is no status that is known"),
    # places
    (scripted.reply("302 X", b"", "Location: /good", "Location: /evil"), "two places"),
    (scripted.reply("302 X", b""), "without saying where to"),
    (scripted.reply("302 X", b"", "Location: file:///etc/passwd"), "no http URL"),
    (scripted.reply("302 X", b"", "Location: /" + "a" * 9000), "more than 8192 characters"),
    # what is said after the answer
    (scripted.ok(b"bad") + scripted.ok(b"evil"), "bad"),
    (scripted.ok(b"bad", "Connection: close") + scripted.ok(b"evil"), "bad"),
    (scripted.ok(b"bad", "Connection: keep-alive, CLOSE") + scripted.ok(b"evil"), "bad"),
]


@pytest.mark.parametrize(("answer", "reason"), BAD)
def test_a_bad_answer_is_refused_and_nothing_of_it_is_taken_for_the_next(answer: bytes, reason: str) -> None:
    found, after = outcomes(first(answer))
    assert reason in found
    assert after == [b"good"] * 4


@pytest.mark.parametrize(("answer", "reason"), BAD)
def test_a_bad_answer_among_many_is_refused_and_the_others_come(answer: bytes, reason: str) -> None:
    with scripted.scripted(first(answer)) as server:
        paths = ["good", "bad", "good", "good"]
        requests = [Request(f"{server.url}{path}") for path in paths]
        found = [take(one) for one in HttpTransport().open_each(requests)]
    assert reason in (found[1] if isinstance(found[1], str) else found[1].decode())
    # what comes behind an answer on a connection with several on the way is the next one's: the digest tells
    assert {found[at] for at in (0, 2, 3)} <= {b"good", b"evil"}
    assert found[0] == b"good"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("Content-Range: bytes 2-5/9", "Content-Range: bytes 3-6/9"), "two ranges"),
        (("Content-Type: multipart/byteranges; boundary=x",), "with several"),
        (("Content-Type: Multipart/ByteRanges", "Content-Range: bytes 2-5/9"), "with several"),
        (("Content-Range: bytes 2-5/9", "Content-Encoding: deflate"), "encoded"),
        (("Content-Range: bytes -2-5/9",), "another range"),
        (("Content-Range: bytes 2-99999999999999999999/9",), "another range"),
        (("Content-Range: bytes 2-5/9, bytes 2-5/9",), "another range"),
        (("Content-Range: bytes 2-5/9", "Content-Range: bytes 2-5/9"), "good"),
        (("Content-Range: bytes 2-5/9", "Location: /a", "Location: /a"), "good"),
    ],
)
def test_a_part_says_its_range_in_one_way(lines: tuple[str, ...], reason: str) -> None:
    found, after = outcomes(first(scripted.reply("206 Partial Content", b"good", *lines)), start=2, end=6)
    assert reason in found
    assert after == [b"good"] * 4


def test_a_length_or_a_place_that_is_said_twice_alike_counts_once() -> None:
    assert outcomes(first(scripted.ok(b"same", "Content-Length: 4"))) == ("same", [b"good"] * 4)
    twice = scripted.reply("302 Found", b"", "Location: /good", "Location: /good")
    assert outcomes(first(twice)) == ("good", [b"good"] * 4)


@pytest.mark.parametrize(
    "chunks",
    [
        b"ffffffffffffffff\r\nevil",
        b"+4\r\nevil\r\n0\r\n\r\n",
        b"4 4\r\nevil\r\n0\r\n\r\n",
        b"4\r\r\nevil\r\n0\r\n\r\n;",
        b"4;" + b"x" * 5000 + b"\r\nevil\r\n0\r\n\r\n",
        b"4\r\nevil0\r\n\r\n",
        b"4\r\nevil\r\n\r\n",
        b"_4\r\nevil\r\n0\r\n\r\n",
    ],
)
def test_after_a_chunk_that_is_none_the_connection_is_not_used_again(chunks: bytes) -> None:
    _, after = outcomes(first(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert after == [b"good"] * 4


def test_a_chunk_of_an_absurd_size_takes_no_memory_and_no_more_than_what_is_wanted() -> None:
    stop = threading.Event()

    def talk(line: scripted.Line) -> None:
        line.request()
        line.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n")
        while not stop.is_set():
            line.send(bytes(1 << 16))

    with scripted.scripted(talk) as server:
        with pytest.raises(UnreachableError, match="larger than 1"):
            read_url(server.url, limit=1_000_000)
        stop.set()


def test_fields_behind_the_last_chunk_change_nothing() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsame\r\n0\r\n"
        b"Content-Length: 1\r\nContent-Encoding: gzip\r\nLocation: /evil\r\nConnection: close\r\n\r\n"
    )
    assert outcomes(first(answer)) == ("same", [b"good"] * 4)


# what is asked


@pytest.mark.parametrize("bad", ["\r\nX: y", "\n", "\0", "\r", " ", "\t", "\x7f", "\u20ac", "\u0130", "\x85"])
def test_nothing_in_a_url_can_break_the_request(server: BlobServer, bad: str) -> None:
    for url in (f"{server.url}a{bad}", f"{server.url}?{bad}", server.url.replace("127", f"{bad}127")):
        with pytest.raises(RefusedError, match="no URL that can be asked"):
            HttpTransport().open(Request(url))
        answer = next(iter(HttpTransport().open_each([Request(url)])))
        assert isinstance(answer, RefusedError)
    assert server.requests == []


@pytest.mark.parametrize("bad", ["%0d%0aX:%20y", "%00", "%0a"])
def test_nothing_in_a_password_can_break_the_request(server: BlobServer, bad: str) -> None:
    server.blobs["/x"] = b"x"
    url = server.url.replace("://", f"://me{bad}:word{bad}@") + "x"
    assert read_url(url, limit=1) == b"x"
    assert {"x", "x:"}.isdisjoint(server.requests[0].headers)


@pytest.mark.parametrize("target", ["/a\x01b", "/caf\xe9", "/a b", "/%0d%0aX: y", "/a\tb", "/\x7f"])
def test_a_place_with_odd_characters_is_asked_for_in_a_form_that_breaks_nothing(
    server: BlobServer, target: str
) -> None:
    server.faults["/x"] = [blob_server.redirect(target)]
    with pytest.raises((SourceError, UnreachableError)):
        read_url(f"{server.url}x", limit=1)
    assert all(one.path.isascii() and one.path.isprintable() for one in server.requests)
    assert all("x" not in one.headers for one in server.requests)


@pytest.mark.parametrize("secret", ["a\r\nX: y", "a\nb", "a b", "a\0", "\u20ac", ""])
def test_no_token_can_break_a_request(secret: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_entry("https://example.com/", secret)
    with pytest.raises(ValueError, match="expected"):
        list(parse_variable(f"https://example.com/={secret or ' '} x"))


def test_a_netrc_whose_password_holds_a_line_end_breaks_no_request(
    server: BlobServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.blobs["/x"] = b"x"
    (tmp_path / "netrc").write_text('machine 127.0.0.1 login "me" password "a\r\nX: y"\n')
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert read_url(f"{server.url}x", limit=1) == b"x"
    assert "x" not in server.requests[0].headers


# what is read in fewer steps is read alike


@given(
    st.sampled_from(["http", "https", "HTTP", "ftp"]),
    st.text("ab.-:1290@[]%/?#\\_", max_size=20),
    st.text("a/?#@:;.%\\ ", max_size=12),
)
def test_the_short_way_of_reading_a_url_gives_what_the_long_way_gives(
    scheme: str, host: str, path: str
) -> None:
    url = f"{scheme}://{host}{path}"
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        expected = Origin(parts.scheme, (parts.hostname or "").lower(), port)
        plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - urllib's own
            Origin.of(url)
        return
    assert Origin.of(url) == expected
    assert split_credentials(url)[0] == plain


@given(st.binary(max_size=120))
def test_a_head_is_read_alike_however_often(data: bytes) -> None:
    def read() -> object:
        try:
            return parse_head(b"HTTP/1.1 200 OK\r\n" + data)
        except WireError as error:
            return str(error)

    assert read() == read()


@given(st.one_of(st.text(max_size=40), st.text("0123456789:, GMTNovSu-+", max_size=40)))
def test_any_pause_that_is_asked_for_is_a_number_of_seconds_or_none(text: str) -> None:
    found = retry_after(text)
    assert found is None or (math.isfinite(found) and found >= 0)
