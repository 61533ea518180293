"""How far what came may be ahead of what is on disk, and signs of life while nothing comes."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, file_of, in_thread

from modeldeps.store import Berth, Busy, Landing, Store, _ebb, _land, _lock, _prefix

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.store import Claim

BLOCK = 1 << 16
DATA = random.Random(5).randbytes(6 << 20)  # noqa: S311 - no secret


def landing_of(path: Path, file: File) -> Landing:
    return Landing(file, path, os.open(path, os.O_RDWR | os.O_CREAT))


@pytest.mark.parametrize("chunk", [0, 100_000])
def test_no_more_comes_than_the_disk_can_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    allowed, share, threads = 1 << 20, 0.25, 4
    monkeypatch.setattr(_ebb, "ALLOWED", allowed)
    monkeypatch.setattr(_ebb, "MOMENT", 0.0)
    monkeypatch.setattr(_ebb, "AHEAD", share)
    landing = landing_of(tmp_path / "part", file_of(DATA, chunk=chunk))
    landing.resume()
    safe, ahead = [0], []

    def flush(handle: int) -> None:
        del handle
        came = landing.kept
        time.sleep(0.05)
        ahead.append(landing.kept - safe[0] - max(allowed, share * safe[0]))
        safe[0] = came

    monkeypatch.setattr(_ebb, "flush_file", flush)

    def fill() -> None:
        while (claim := landing.take(BLOCK)) is not None:
            claim.write(DATA[claim.position : claim.end])
            claim.release()

    workers = [threading.Thread(target=fill) for _ in range(threads)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert landing.is_full
    assert len(ahead) > 4
    assert max(ahead) <= 2 * threads * max(BLOCK, chunk)
    assert landing.prove()
    landing.close()


def test_whoever_waits_for_the_disk_goes_on_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ebb, "ALLOWED", 4 * BLOCK)
    monkeypatch.setattr(_ebb, "MOMENT", 0.0)
    landing = landing_of(tmp_path / "part", file_of(DATA))
    landing.resume()
    began, fails = threading.Event(), threading.Event()

    def flush(handle: int) -> None:
        del handle
        began.set()
        fails.wait(10)
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(_ebb, "flush_file", flush)
    first, second = landing.take(16 * BLOCK), landing.take(16 * BLOCK)
    assert first is not None
    assert second is not None
    one, errors = in_thread(lambda: first.write(DATA[: 3 * BLOCK]))
    assert began.wait(10)
    other, others = in_thread(lambda: second.write(DATA[16 * BLOCK : 24 * BLOCK]))
    time.sleep(0.1)
    assert other.is_alive()
    fails.set()
    one.join(10)
    other.join(10)
    assert [type(error) for error in errors] == [OSError]
    assert all(isinstance(error, OSError) for error in others)
    assert not one.is_alive()
    assert not other.is_alive()
    landing.close()


def test_whoever_waits_for_the_disk_does_not_keep_a_part_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_ebb, "ALLOWED", 4 * BLOCK)
    monkeypatch.setattr(_ebb, "MOMENT", 0.0)
    landing = landing_of(tmp_path / "part", file_of(DATA))
    landing.resume()
    began, ends, over = threading.Event(), threading.Event(), threading.Event()

    def stays(handle: int) -> None:
        del handle
        began.set()
        ends.wait(10)

    def bring(claim: Claim, data: bytes) -> None:
        claim.write(data)
        claim.release()

    monkeypatch.setattr(_ebb, "flush_file", stays)
    first, second = landing.take(16 * BLOCK), landing.take(16 * BLOCK)
    assert first is not None
    assert second is not None
    one, _ = in_thread(lambda: bring(first, DATA[: 3 * BLOCK]))
    assert began.wait(10)
    other, _ = in_thread(lambda: bring(second, DATA[16 * BLOCK : 24 * BLOCK]))
    time.sleep(0.1)
    landing.close(over.set)
    other.join(5)
    assert not other.is_alive()
    ends.set()
    one.join(5)
    assert over.wait(5)


def test_a_part_file_that_is_whole_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "part").write_bytes(DATA)
    hashed = [0]
    real = _prefix.Prefix._step

    def step(self: _prefix.Prefix, buffer: bytearray, end: int) -> None:
        before = self._done
        real(self, buffer, end)
        hashed[0] += self._done - before

    monkeypatch.setattr(_prefix.Prefix, "_step", step)
    landing = landing_of(tmp_path / "part", file_of(DATA))
    landing.resume()
    assert landing.is_full
    assert landing.prove()
    landing.close()
    assert hashed[0] == len(DATA)


def test_who_hashes_what_an_earlier_run_left_is_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_land, "PATIENCE", 0.3)
    monkeypatch.setattr(_lock, "PULSE", 0.0)
    file = file_of(DATA, chunk=200_000)
    leader = store.berth(file)
    assert isinstance(leader, Berth)
    leader.landing.resume()
    assert isinstance(store.berth(file), Busy)
    watch = store.watch(file, Remember())
    assert watch.patient()
    for _ in range(6):
        time.sleep(0.1)
        leader.landing._pieces.wrong()  # hashes every chunk
        assert watch.patient()
    time.sleep(0.4)
    assert not watch.patient()
    leader.leave()
