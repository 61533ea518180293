"""Many things in order: pipelines, and what happens when they break."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import blob_server
import pytest
import scripted
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import take

from modeldeps.errors import BrokenTransferError, NotFoundError, RefusedError
from modeldeps.fetch import Body, Request
from modeldeps.fetch._http import HttpTransport
from modeldeps.fetch._open import transport
from modeldeps.fetch._pipeline import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from blob_server import BlobServer

RANDOM = random.Random(5)  # noqa: S311 - no secret
FILES = {f"/{number}": RANDOM.randbytes(RANDOM.choice([0, 1, 500, 30_000])) for number in range(100)}


def answer(heard: scripted.Heard) -> bytes:
    if heard.path not in FILES:
        return scripted.reply("404 Not Found", b"there is none")
    return scripted.ok(FILES[heard.path])


def each(url: str, paths: Iterable[str]) -> list[bytes | str]:
    requests = (Request(f"{url.rstrip('/')}{path}") for path in paths)
    return [take(one) for one in HttpTransport().open_each(requests)]


def test_answers_come_in_order_on_one_connection_without_a_round_trip_each() -> None:
    def talk(line: scripted.Line) -> None:
        while heard := line.request():
            if len(line.server.heard) == 1:
                time.sleep(0.2)  # the others come meanwhile
            line.send(answer(heard))

    with scripted.scripted(talk) as server:
        assert each(server.url, FILES) == list(FILES.values())
        assert server.connections == 1
        assert len(server.heard) == len(FILES)


def test_requests_are_sent_before_the_answers_came() -> None:
    seen: list[int] = []

    def talk(line: scripted.Line) -> None:
        first = [line.request() for _ in range(WINDOW)]
        seen.append(len(first))
        for heard in first:
            assert heard
            line.send(answer(heard))
        scripted.always(answer)(line)

    with scripted.scripted(talk) as server:
        assert each(server.url, FILES) == list(FILES.values())
    assert seen == [WINDOW]


def test_requests_are_taken_from_their_source_as_they_are_needed() -> None:
    taken: list[str] = []

    def paths() -> Iterable[str]:
        for path in FILES:
            taken.append(path)
            yield path

    with scripted.scripted(scripted.always(answer)) as server:
        answers = HttpTransport().open_each(Request(f"{server.url[:-1]}{path}") for path in paths())
        assert take(next(answers)) == FILES["/0"]
        assert len(taken) <= WINDOW + 1
        answers.close()  # type: ignore[attr-defined]


def test_the_connection_is_kept_for_the_next_order_and_for_lone_requests() -> None:
    with scripted.scripted(scripted.always(answer)) as server:
        opener = HttpTransport()
        for _ in range(3):
            requests = [Request(f"{server.url[:-1]}{path}") for path in FILES]
            assert [take(one) for one in opener.open_each(requests)] == list(FILES.values())
            assert take(opener.open(Request(f"{server.url}3"))) == FILES["/3"]
        assert server.connections == 1


def test_what_is_not_there_is_an_error_in_its_place() -> None:
    paths = ["/0", "/nothing", "/1", "/nothing", "/2"]
    with scripted.scripted(scripted.always(answer)) as server:
        found = each(server.url, paths)
        assert found == [
            FILES["/0"],
            "404, it is not there",
            FILES["/1"],
            "404, it is not there",
            FILES["/2"],
        ]
        assert server.connections == 1


def test_ranges_are_asked_for_and_checked(server: BlobServer) -> None:
    data = RANDOM.randbytes(1000)
    server.blobs["/x"] = data
    requests = [Request(f"{server.url}x", at, at + 10) for at in range(0, 1000, 10)]
    assert b"".join(take(one) for one in transport(server.url).open_each(requests)) == data  # type: ignore[misc]
    assert server.connections == 1


def test_a_body_that_is_closed_early_does_not_spoil_the_next_one() -> None:
    with scripted.scripted(scripted.always(answer)) as server:
        found = []
        for one in HttpTransport().open_each([Request(f"{server.url[:-1]}{path}") for path in FILES]):
            assert isinstance(one, Body)
            with one:
                found.append(bytes(next(one.blocks, b"")))
            one.close()
    assert all(data.startswith(start) for start, data in zip(found, FILES.values(), strict=True))


def test_a_body_that_is_closed_late_does_not_touch_the_next_one() -> None:
    with scripted.scripted(scripted.always(answer)) as server:
        before: Body | None = None
        for one, data in zip(
            HttpTransport().open_each([Request(f"{server.url[:-1]}{path}") for path in FILES]),
            FILES.values(),
            strict=True,
        ):
            assert isinstance(one, Body)
            blocks = [bytes(block) for block in one.blocks]
            if before:
                before.close()
            assert b"".join(blocks) == data
            before = one


def hang_up_after(count: int, how: str) -> Callable[[scripted.Line], None]:
    def talk(line: scripted.Line) -> None:
        for number in range(count):
            if not (heard := line.request()):
                return
            last = number == count - 1 and how == "close"
            line.send(
                answer(heard).replace(b"\r\n", b"\r\nConnection: close\r\n", 1) if last else answer(heard)
            )
        if how == "reset":
            line.reset()

    return talk


@pytest.mark.parametrize("how", ["close", "silent", "reset"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_server_that_hangs_up_is_asked_for_the_rest_again(count: int, how: str) -> None:
    with scripted.scripted(hang_up_after(count, how)) as server:
        found = each(server.url, FILES)
    for one, data in zip(found, FILES.values(), strict=True):
        assert one == data or (
            how == "reset" and isinstance(one, str)
        )  # a reset may take what came before it


def test_a_server_that_closes_after_each_answer_is_soon_asked_one_thing_at_a_time() -> None:
    with scripted.scripted(hang_up_after(1, "close")) as server:
        assert each(server.url, FILES) == list(FILES.values())
        assert len(server.heard) == len(FILES)


def test_a_server_of_http_1_0_is_asked_one_thing_at_a_time() -> None:
    def talk(line: scripted.Line) -> None:
        heard = line.request()
        assert heard
        line.send(b"HTTP/1.0 200 OK\r\n\r\n" + FILES[heard.path])

    with scripted.scripted(talk) as server:
        assert each(server.url, FILES) == list(FILES.values())
        assert server.connections == len(FILES)


def test_answers_that_are_mixed_up_are_asked_for_again_one_at_a_time() -> None:
    data = RANDOM.randbytes(1000)

    def talk(line: scripted.Line) -> None:
        first, second = line.request(), line.request()
        if first and second:
            line.send(scripted.part(data, second) + scripted.part(data, first))

    def alone(line: scripted.Line) -> None:
        while heard := line.request():
            line.send(scripted.part(data, heard))

    def choose(line: scripted.Line) -> None:
        (talk if line.number == 1 else alone)(line)

    with scripted.scripted(choose) as server:
        requests = [Request(server.url, at, at + 100) for at in range(0, 1000, 100)]
        assert b"".join(take(one) for one in HttpTransport().open_each(requests)) == data  # type: ignore[misc]


def test_a_part_that_stays_wrong_is_refused() -> None:
    with scripted.scripted(
        scripted.always(lambda _: scripted.reply("206 X", b"abc", "Content-Range: bytes 7-9/10"))
    ) as server:
        found = list(HttpTransport().open_each([Request(server.url, 1, 4)] * 2))
        assert all(isinstance(one, RefusedError) for one in found)


def test_a_busy_server_is_told_in_its_place_with_the_pause_that_it_names() -> None:
    def busy(heard: scripted.Heard) -> bytes:
        return scripted.reply("503 Busy", b"", "Retry-After: 3") if heard.path == "/1" else answer(heard)

    with scripted.scripted(scripted.always(busy)) as server:
        found = list(HttpTransport().open_each([Request(f"{server.url}{number}") for number in range(3)]))
        assert isinstance(found[1], BrokenTransferError)
        assert found[1].retry_after == 3


def test_redirects_are_followed_together() -> None:
    with scripted.scripted(scripted.always(answer)) as target:

        def away(heard: scripted.Heard) -> bytes:
            return scripted.reply("302 Found", b"moved", f"Location: {target.url[:-1]}{heard.path}")

        with scripted.scripted(scripted.always(away)) as server:
            opener = HttpTransport()
            for _ in range(2):
                requests = [Request(f"{server.url[:-1]}{path}") for path in FILES]
                assert [take(one) for one in opener.open_each(requests)] == list(FILES.values())
            assert len(server.heard) == len(FILES)
            assert server.connections == target.connections == 1


def test_redirects_among_other_answers_keep_the_order() -> None:
    with scripted.scripted(scripted.always(answer)) as target:

        def some(heard: scripted.Heard) -> bytes:
            if int(heard.path[1:]) % 3:
                return answer(heard)
            return scripted.reply("307 Temporary Redirect", b"", f"Location: {target.url[:-1]}{heard.path}")

        with scripted.scripted(scripted.always(some)) as server:
            assert each(server.url, FILES) == list(FILES.values())


def test_a_redirect_that_leads_nowhere_is_an_error_in_its_place() -> None:
    def some(heard: scripted.Heard) -> bytes:
        wrong = {"/1": "ftp://x/", "/2": "/2"}.get(heard.path)
        return scripted.reply("302 Found", b"", f"Location: {wrong}") if wrong else answer(heard)

    with scripted.scripted(scripted.always(some)) as server:
        found = each(server.url, ["/0", "/1", "/2", "/3"])
        assert found == [
            FILES["/0"],
            "it redirects to ftp://x/, which is no http URL",
            "it redirects more than 10 times",
            FILES["/3"],
        ]


def test_an_expired_target_is_asked_for_from_the_start() -> None:
    key = ["old"]

    def signed(heard: scripted.Heard) -> bytes:
        path, _, said = heard.path.partition("?")
        return scripted.ok(FILES[path]) if said == key[0] else scripted.reply("403 Forbidden")

    with scripted.scripted(scripted.always(signed)) as target:

        def away(heard: scripted.Heard) -> bytes:
            return scripted.reply("302 Found", b"", f"Location: {target.url[:-1]}{heard.path}?{key[0]}")

        with scripted.scripted(scripted.always(away)) as server:
            opener = HttpTransport()
            for key[0] in ("old", "new"):
                requests = [Request(f"{server.url[:-1]}{path}") for path in FILES]
                assert [take(one) for one in opener.open_each(requests)] == list(FILES.values())


def test_several_hosts_may_be_asked_in_one_order(
    server: BlobServer, mirror: BlobServer, tmp_path: Path
) -> None:
    requests = []
    for number in range(40):
        host = (server, mirror)[number // 3 % 2]
        host.blobs[f"/{number}"] = str(number).encode()
        requests.append(Request(f"{host.url}{number}"))
    assert [take(one) for one in HttpTransport().open_each(requests)] == [b"%d" % n for n in range(40)]
    (tmp_path / "x").write_bytes(b"local")
    local = Request((tmp_path / "x").as_uri())
    missing = Request((tmp_path / "y").as_uri())
    found = list(transport(local.url).open_each([local, missing, local]))
    assert [type(one) for one in found] == [Body, NotFoundError, Body]
    assert take(found[2]) == b"local"
    assert isinstance(found[0], Body)
    found[0].close()


def test_urls_that_can_t_be_asked_and_hosts_that_are_down_are_errors_in_their_place(
    server: BlobServer,
) -> None:
    server.blobs["/x"] = b"fine"
    urls = [f"{server.url}x", "http://[bad/", f"{server.url}x", "http://127.0.0.1:1/", f"{server.url}x"]
    found = [take(one) for one in HttpTransport().open_each(map(Request, urls))]
    assert found == [b"fine", "it is no URL that can be asked", b"fine", "connection refused", b"fine"]


def test_a_proxy_is_asked_one_thing_at_a_time(server: BlobServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    for number in range(5):
        server.faults[f"http://far.example/{number}"] = [blob_server.status(200, b"far")]
    found = each("http://far.example/", [f"/{number}" for number in range(5)])
    assert found == [b"far"] * 5


def test_an_order_that_is_given_up_lets_go_of_its_connection() -> None:
    closed = threading.Event()

    def talk(line: scripted.Line) -> None:
        try:
            scripted.always(answer)(line)
        finally:
            closed.set()

    with scripted.scripted(talk) as server:
        answers = HttpTransport().open_each([Request(f"{server.url[:-1]}{path}") for path in FILES])
        next(answers)
        answers.close()  # type: ignore[attr-defined]
        assert closed.wait(5)


SMALL = {path: data[:200] for path, data in list(FILES.items())[:12]}


def small_answer(heard: scripted.Heard) -> bytes:
    data = SMALL[heard.path]
    if len(data) % 2:
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (
            len(data),
            data,
        )
    return scripted.ok(data)


WHOLE = sum(len(small_answer(scripted.Heard(f"GET {path} HTTP/1.1", {}, 1))) for path in SMALL)


@settings(max_examples=150)
@given(st.lists(st.integers(0, WHOLE), min_size=1, max_size=4), st.booleans())
def test_wherever_the_answers_are_cut_each_is_whole_or_an_error(cuts: list[int], reset: bool) -> None:  # noqa: FBT001 - hypothesis
    def talk(line: scripted.Line) -> None:
        left = cuts[line.number - 1] if line.number <= len(cuts) else 1 << 30
        while heard := line.request():
            said = small_answer(heard)[:left]
            line.send(said)
            left -= len(said)
            if left <= 0:
                if reset:
                    line.reset()
                return

    with scripted.scripted(talk) as server:
        found = each(server.url, SMALL)
    assert len(found) == len(SMALL)
    wrong = [one for one, data in zip(found, SMALL.values(), strict=True) if one != data]
    assert all(isinstance(one, str) for one in wrong)
    assert len(wrong) <= len(cuts)
