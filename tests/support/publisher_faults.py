"""
Publishers that are killed, that meet a full disk, or that work at the same time.

Run as a program: it forks, which a test's own process with its threads can't do safely.
Faults are put before every single call that changes a file system, by an audit hook (PEP 578).
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import random
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from channels import check_channel, check_conda, snapshot
from releases import Release

from modeldeps.errors import AlreadyPublishedError, ChannelWriteError
from modeldeps.fetch.index import Channel
from modeldeps.publish.channel import publish, yank
from modeldeps.publish.conda import write_bundled

if TYPE_CHECKING:
    from collections.abc import Callable

CHANGES = frozenset({"os.link", "os.mkdir", "os.remove", "os.rename"})
KILLED, REFUSED, SURVIVED, LATE = 9, 3, 4, 5
OLD = Release(version="2.0.0", payload=b"old weights")
NEW = Release(version="2.1.0", payload=b"new weights")


def in_child(work: Callable[[], int]) -> int:
    """Run in a fork and return its exit status."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def on_change(root: Path, act: Callable[[int], None], *, leaving: str = "") -> list[int]:
    """Call `act` with a running number before each change below a folder."""
    count = [0]

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event != leaving and _is_change(event, args) and any(_below(one, root) for one in args):
            count[0] += 1
            act(count[0])

    sys.addaudithook(hook)
    return count


def _is_change(event: str, args: tuple[object, ...]) -> bool:
    if event == "open" and len(args) > 2:
        return isinstance(args[2], int) and bool(args[2] & (os.O_WRONLY | os.O_RDWR))
    return event in CHANGES


def _below(path: object, root: Path) -> bool:
    return isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(str(root))


def sweep(folder: Path, kind: str, work: Callable[[Path], object]) -> int:
    """Fault each change of `work` in turn; return how many there were. The channel is good after each."""
    base = folder / "base"
    publish(OLD.build(folder / "old"), base)
    dist = NEW.build(folder / "new")
    write_bundled(dist / NEW.filename, dist / "blobs" / "sha256", dist, timestamp=1_700_000_000_000)
    reference = Path(shutil.copytree(base, folder / "reference"))
    work(reference)
    root = folder / "channel"
    for point in itertools.count(1):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(base, root)
        status = in_child(lambda: _with_fault(root, point, kind, work))  # noqa: B023 - runs at once
        versions = check_channel(root)["modeldeps-digits"]
        assert "2.0.0" in versions, (point, versions)
        if status == 0:
            return point - 1
        assert status in ((KILLED,) if kind == "kill" else (REFUSED, SURVIVED)), (point, status)
        assert status == KILLED or not list(root.glob(".incoming/*.part")), point
        if status != SURVIVED:
            work(root)
        assert check_channel(root) == check_channel(reference), point
        assert check_conda(root) == check_conda(reference), point
        assert snapshot(root) == snapshot(reference), point
    raise AssertionError


def _with_fault(root: Path, point: int, kind: str, work: Callable[[Path], object]) -> int:
    def fault(number: int) -> None:
        if number == point and kind == "kill":
            os._exit(KILLED)
        if number == point:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root))

    count = on_change(root, fault, leaving="os.remove" if kind == "full" else "")
    try:
        work(root)
    except ChannelWriteError:
        return REFUSED
    return 0 if count[0] < point else SURVIVED


def together(folder: Path, rounds: int, *, lock: bool) -> int:
    """Let four publish, one yank and one read at once, many times; return how many were published."""
    if not lock:
        fcntl.flock = lambda *_: None
    for number in range(4):
        for version in range(rounds):
            name = "digits" if number < 3 else "letters"
            release = Release(
                name=name, version=f"1.{number}.{version}", payload=b"%d %d" % (number, version)
            )
            release.build(folder / f"dist-{number}-{version}")
    root = folder / "channel"
    publish(OLD.build(folder / "old"), root)
    for version in range(rounds):
        start = time.monotonic() + 0.02
        works: list[Callable[[], object]] = [
            partial(publish, folder / f"dist-{number}-{version}", root) for number in range(4)
        ]
        works.append(partial(yank, root, "digits", "2.0.0", reason=f"round {version}"))
        works.append(partial(_read, root))
        statuses = _at_once(root, start, works)
        assert statuses == [0] * 6, (version, statuses)
        expected = {f"1.{number}.{done}" for number in range(3) for done in range(version + 1)} | {"2.0.0"}
        found = check_channel(root)
        assert set(found["modeldeps-digits"]) == expected, (
            version,
            expected - set(found["modeldeps-digits"]),
        )
        assert set(found["modeldeps-letters"]) == {f"1.3.{done}" for done in range(version + 1)}, version
        solvable = {one["version"] for one in check_conda(root).values() if one["name"] == "modeldeps-digits"}
        assert solvable == expected - {"2.0.0"}, (version, solvable)
        page = (root / "simple/modeldeps-digits/index.html").read_text()
        assert f'data-yanked="round {version}"' in page, version
        assert f"round {version}" in (root / "models/digits/2.0.0/index.html").read_text(), version
    return rounds * 4


def _read(root: Path) -> None:
    for _ in range(10):
        check_channel(root)
        channel = Channel(str(root))
        for name in channel.models():
            assert all(channel.manifest(one).version == one.version for one in channel.releases(name))


def clash(folder: Path, rounds: int, *, lock: bool) -> int:
    """Let three publish the same version with different bytes at once: one wins, all see the same."""
    if not lock:
        fcntl.flock = lambda *_: None
    root = folder / "channel"
    for version in range(rounds):
        for number in range(3):
            release = Release(version=f"1.{version}.0", payload=b"%d %d" % (number, version))
            release.build(folder / f"dist-{number}-{version}")
        start = time.monotonic() + 0.02
        works: list[Callable[[], object]] = [
            partial(publish, folder / f"dist-{number}-{version}", root) for number in range(3)
        ]
        statuses = _at_once(root, start, works)
        assert sorted(statuses) == [0, LATE, LATE], (version, statuses)
        winner = folder / f"dist-{statuses.index(0)}-{version}"
        digest = check_channel(root)["modeldeps-digits"][f"1.{version}.0"]
        assert [digest] == [value for key, value in snapshot(winner).items() if key.endswith(".whl")], version
    return rounds


def _at_once(root: Path, start: float, works: list[Callable[[], object]]) -> list[int]:
    """Run each in a process of its own, with pauses of random length before each change."""
    pids = []
    for work in works:
        pid = os.fork()
        if pid == 0:
            os._exit(_hesitantly(root, start, work))
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def _hesitantly(root: Path, start: float, work: Callable[[], object]) -> int:
    dice = random.Random(os.getpid())  # noqa: S311 - pauses, no secrets
    on_change(root, lambda _: time.sleep(dice.random() ** 4 * 0.01))
    time.sleep(max(0.0, start - time.monotonic()))
    try:
        work()
    except AlreadyPublishedError:
        return LATE
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        sys.stderr.write(f"{error!r}\n")
        return 99
    return 0


def main(what: str, folder: str, rounds: str = "20") -> None:
    """Do one of the trials and say how much of it there was."""
    os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
    root = Path(folder)
    trials: dict[str, Callable[[], int]] = {
        "clash": lambda: clash(root, int(rounds), lock=True),
        "clash-without-lock": lambda: clash(root, int(rounds), lock=False),
        "full": lambda: sweep(root, "full", lambda channel: publish(root / "new", channel)),
        "full-yank": lambda: sweep(root, "full", _yank),
        "kill": lambda: sweep(root, "kill", lambda channel: publish(root / "new", channel)),
        "kill-yank": lambda: sweep(root, "kill", _yank),
        "together": lambda: together(root, int(rounds), lock=True),
        "together-without-lock": lambda: together(root, int(rounds), lock=False),
    }
    sys.stdout.write(f"{trials[what]()}\n")


def _yank(channel: Path) -> object:
    return yank(channel, "digits", "2.0.0", reason="wrong labels")


if __name__ == "__main__":
    main(*sys.argv[1:])
