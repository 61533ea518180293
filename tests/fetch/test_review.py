"""What a careful reader of the engine asked: races, broken-off runs, manifests that can't be right."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of, in_thread

from modeldeps.errors import ContradictionError, DigestError, NotFoundError, UnreachableError
from modeldeps.fetch import fetch
from modeldeps.fetch._host import Host
from modeldeps.fetch._run import Run
from modeldeps.fetch._task import Place, Source, State, Task
from modeldeps.manifest import File
from modeldeps.progress import Reporter
from modeldeps.store import Berth, Busy, Landing, Store, _prefix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blob_server import BlobServer

SIZE = 5 << 20
DATA = random.Random(11).randbytes(SIZE)  # noqa: S311 - no secret
FLAGS = os.O_RDWR | os.O_CREAT
NOTHING = File("empty.bin", 0, "ab" * 32)


def is_closed(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return True
    return False


def test_what_earlier_runs_left_of_many_files_outlives_a_run_that_ends_at_once(
    server: BlobServer, store: Store
) -> None:
    datas = [random.Random(number).randbytes(4_000_000) for number in range(8)]  # noqa: S311 - no secret
    files = [file_of(one, f"{number}.bin", chunk=500_000) for number, one in enumerate(datas)]
    for file, one in zip(files, datas, strict=True):
        server.add(one, file.sha256, blob_server.cut(2_200_000), *[blob_server.status(404)] * 9)
        with pytest.raises(UnreachableError):
            fetch_one(file, store, server.url)
    began = [store.begun(file) for file in files]
    assert min(began) > 0
    with pytest.raises(UnreachableError):
        fetch(files, store, channels=[server.url], reporter=Reporter())
    assert [store.begun(file) >= before for file, before in zip(files, began, strict=True)] == [True] * 8


def test_a_manifest_whose_empty_file_has_another_digest_ends_in_an_error(store: Store) -> None:
    thread, errors = in_thread(lambda: fetch_one(NOTHING, store, "http://127.0.0.1:9/"))
    thread.join(20)
    assert [type(one) for one in errors] == [ContradictionError]


def test_an_empty_file_is_adopted_under_no_other_digest(store: Store, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises((ContradictionError, DigestError)):
        store.adopt(tmp_path / "empty", NOTHING.sha256, 0)
    assert not store.blob(NOTHING.sha256).exists()


def bring(landing: Landing, data: bytes, source: str) -> int | None:
    """Bring the first bytes that lack, up to the end of their chunk; return where they begin."""
    claim = landing.take(1)
    if claim is None:
        return None
    start, claim.source = claim.position, source
    try:
        claim.write(data[start : claim.end])
    finally:
        claim.release()
    return start


def test_two_threads_that_end_one_chunk_never_let_wrong_bytes_pass(tmp_path: Path) -> None:
    path = tmp_path / "part"
    landing = Landing(file_of(DATA, chunk=1 << 20), path, os.open(path, FLAGS))
    landing.resume()
    first = landing.take(1)
    assert first is not None
    first.write(DATA[: 1 << 19])
    first.release()
    hash_now, is_hashed, goes_on = landing._pieces.digest, threading.Event(), threading.Event()

    def digest(place: int) -> str:
        found = hash_now(place)
        if not is_hashed.is_set():  # the first to hash it
            is_hashed.set()
            goes_on.wait(20)
        return found

    landing._pieces.digest = digest  # type: ignore[method-assign]
    slow, errors = in_thread(lambda: bring(landing, bytes(SIZE), "http://liar.example.com/"))
    assert is_hashed.wait(20)
    landing.check(0, found=None)  # as the thread does that wrote the first half and ends at this moment, too
    bring(landing, DATA, "http://models.example.com/")
    goes_on.set()
    slow.join(20)
    assert not errors
    with pytest.raises(DigestError):
        bring(landing, bytes(SIZE), "http://liar.example.com/")
    while bring(landing, DATA, "http://models.example.com/") is not None:
        pass
    assert landing.is_full
    assert landing.prove()
    assert path.read_bytes() == DATA
    landing.close()


def test_nobody_gets_a_part_file_while_somebody_still_writes_to_it(store: Store) -> None:
    file = file_of(DATA, chunk=1 << 20)
    is_writing, goes_on = threading.Event(), threading.Event()

    def advance(count: int) -> None:
        if count > 0:
            is_writing.set()
            goes_on.wait(20)

    berth = store.berth(file, advance=advance)
    assert isinstance(berth, Berth)
    berth.landing.resume()
    claim = berth.landing.take(1 << 20)
    assert claim is not None
    thread, errors = in_thread(lambda: claim.write(DATA[: 1 << 20]))
    assert is_writing.wait(20)
    berth.leave()
    assert isinstance(store.berth(file), Busy)
    goes_on.set()
    thread.join(20)
    claim.release()
    assert not errors
    after = store.berth(file)
    assert isinstance(after, Berth)
    after.landing.resume()
    assert after.landing.kept == 1 << 20
    after.leave()


@pytest.mark.parametrize("chunk", [0, 1 << 20])
def test_a_file_that_is_hashed_stays_open_until_that_is_broken_off(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part"
    path.write_bytes(DATA)
    handle = os.open(path, FLAGS)
    landing = Landing(file_of(DATA, chunk=chunk), path, handle)
    began, goes_on = threading.Event(), threading.Event()

    def slow_disk(number: int, view: memoryview, offset: int) -> int:
        began.set()
        goes_on.wait(20)
        return os.preadv(number, [view], offset)

    def slow_digest(index: int, hash_now: Callable[[int], str] = landing._pieces._digest) -> str:
        began.set()
        goes_on.wait(20)
        return hash_now(index)

    monkeypatch.setattr(_prefix, "_read_into", slow_disk)
    monkeypatch.setattr(landing._pieces, "_digest", slow_digest)
    thread, errors = in_thread(landing.resume)
    assert began.wait(20)
    landing.close()
    assert not is_closed(handle)
    goes_on.set()
    thread.join(20)
    assert not thread.is_alive()
    assert [type(one) for one in errors] == [OSError]
    assert is_closed(handle)
    assert not landing.is_known


def test_whatever_ends_the_thread_that_hashes_is_heard_by_who_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int, view: memoryview, offset: int) -> int:
        raise MemoryError

    monkeypatch.setattr(_prefix, "_read_into", fail)
    path = tmp_path / "part"
    landing = Landing(file_of(DATA), path, os.open(path, FLAGS))
    landing.resume()
    (claim,) = landing.take_all()
    claim.write(DATA)
    claim.release()
    thread, errors = in_thread(landing.prove)
    thread.join(20)
    assert [type(one) for one in errors] == [MemoryError]
    landing.close()


def test_a_file_system_that_can_tell_no_holes_has_its_files_written_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int, place: int, how: int) -> int:
        raise OSError(errno.ENOTTY, "inappropriate ioctl for device")

    monkeypatch.setattr(os, "lseek", refuse)
    path = tmp_path / "part"
    path.write_bytes(DATA[:300_000])
    landing = Landing(file_of(DATA), path, os.open(path, FLAGS))
    landing.resume()
    assert landing.sequential
    assert landing.kept == 300_000
    landing.close()


def test_a_chunk_that_a_bad_disk_can_no_longer_read_is_fetched_instead(tmp_path: Path) -> None:
    path = tmp_path / "part"
    landing = Landing(file_of(DATA, chunk=1 << 20), path, os.open(path, FLAGS))
    landing.resume()
    donor = os.open(tmp_path / "donor", os.O_WRONLY | os.O_CREAT)  # nothing can be read from it
    os.ftruncate(donor, SIZE)
    assert not landing.copy(0, donor, 0)
    os.close(donor)
    assert landing.kept == 0
    landing.close()


def test_a_source_that_no_transport_serves_is_passed_over_for_short_files_too(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "good").write_bytes(DATA[:1000])
    sources = ("ftp://models.example.com/short.bin", (tmp_path / "good").as_uri())
    file = file_of(DATA[:1000], "short.bin", sources=sources)
    reporter = Remember()
    fetch_one(file, store, reporter=reporter)
    assert store.blob(file.sha256).read_bytes() == DATA[:1000]
    assert [note for note in reporter.notes if "ftp://models.example.com/short.bin" in note]


@pytest.mark.parametrize("state", [State.FULL, State.DONE])
def test_a_request_that_nobody_waits_for_any_more_fails_without_harm(store: Store, state: State) -> None:
    place = Place("http://models.example.com/blob", Host(), Source())
    task = Task(file_of(DATA), "", [place], state=state)
    run = Run(store, [task], Reporter(), window=4)
    with run.turn:
        run.failed(task, place, NotFoundError(place.url), began=0, gained=0)
    assert run.error is None
    with run.turn:
        task.state = State.READY  # such as where the whole came out wrong
        run.check_place(task)
    assert isinstance(run.error, UnreachableError)


def test_whoever_is_interrupted_twice_holds_no_lock_afterwards(server: BlobServer, store: Store) -> None:
    file = file_of(DATA, chunk=1 << 20)
    server.add(DATA, file.sha256, *[blob_server.stall(2 << 20, 3)] * 9)
    timers = [threading.Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)) for after in (0.7, 0.75)]
    for timer in timers:
        timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fetch_one(file, store, server.url)
    finally:
        for timer in timers:
            with suppress(KeyboardInterrupt):  # the second one, where the fetch was over before it
                timer.join()
            timer.join()
    berth = store.berth(file)
    assert isinstance(berth, Berth)
    berth.landing.resume()
    assert berth.landing.kept >= 1 << 20
    berth.leave()


def test_a_source_that_fails_for_one_file_leaves_no_other_one_waiting_for_ever(
    server: BlobServer, mirror: BlobServer, store: Store
) -> None:
    datas = [random.Random(number).randbytes(1_500_000) for number in range(6)]  # noqa: S311 - no secret
    files = []
    for number, data in enumerate(datas):
        file = file_of(data, f"{number}.bin")
        path = server.add(data, file.sha256, *[blob_server.mute(0.0)] * 99)
        urls = [f"{server.url}{path[1:]}"]
        if number == 0:
            mirror.add(data, file.sha256)
            urls.append(f"{mirror.url}{path[1:]}")
        files.append(File(file.path, file.size, file.sha256, (), tuple(urls)))
    thread, errors = in_thread(lambda: fetch(files, store, channels=[], reporter=Reporter()))
    thread.join(20)
    assert [type(one) for one in errors] == [UnreachableError]
