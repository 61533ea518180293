"""
Processes that do anything to one store and are killed while they do, started by a process that forks.

python store_life.py FOLDER CHANNEL [CHANNEL…] reads one line of JSON for each round: a list of lives, each
`{"steps": [[NAME, ARGUMENT…]…], "end": [SIGNAL, SECONDS] or null}`. It answers with a list of what became of
them: "done", "killed", "hung", or in words what went wrong. The last channel is a good one.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import gc_worker
from environments import at_once
from fetching import file_of

from modeldeps.errors import StoreBusyError
from modeldeps.fetch import _client, _host, _http, _orders, _retry, fetch
from modeldeps.progress import Reporter
from modeldeps.store import Expected, Store, Verdict, _delta, _gather, _mend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Self

    from modeldeps.manifest import File

__all__ = ["_client", "_delta", "_gather", "_http", "_mend"]

PATIENCE = 60.0
"""Seconds after which a process that was not killed hangs."""
Life = dict[str, object]
"""What one process is to do, and how it ends."""


def _catalogue() -> dict[str, tuple[bytes, int]]:
    """Return bytes and the length of their chunks, by name."""
    source = random.Random(12)  # noqa: S311 - no secret
    large, whole = source.randbytes(1_200_000), source.randbytes(400_000)
    changed = large[:500_000] + b"another layer" + large[500_000:]
    small = {f"small-{number}": (source.randbytes(3_000 * number), 0) for number in range(1, 6)}
    return {"large": (large, 50_000), "changed": (changed, 50_000), "whole": (whole, 0), **small}


CATALOGUE = _catalogue()
FILES = {name: file_of(data, f"{name}.bin", chunk=chunk) for name, (data, chunk) in CATALOGUE.items()}


@dataclass(frozen=True)
class Place:
    """Where lives take place."""

    folder: Path
    channels: tuple[str, ...]

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    @property
    def elsewhere(self) -> Path:
        """Holds files that another program keeps, right and wrong ones."""
        return self.folder / "elsewhere"

    @property
    def releases(self) -> Path:
        """A channel of small releases, which lie there already."""
        return self.folder / "releases"


def fetch_files(place: Place, *names: str) -> None:
    """Fetch some files, by many connections at times."""
    if random.random() < 0.5:  # noqa: S311 - no secret
        _host.NEAR, _orders.SEGMENT, _orders.SMALL = -1.0, 100_000, 10_000
    wanted = [FILES[name] for name in names]
    fetch(wanted, place.store, channels=place.channels, reporter=Reporter())
    read_files(place, *names)


def read_files(place: Place, *names: str) -> None:
    """Read what may be used of some files; somebody may free it meanwhile."""
    for name in names:
        with suppress(FileNotFoundError):
            if found := place.store.find(FILES[name]):
                assert found.read_bytes() == CATALOGUE[name][0], f"other bytes of {name}"


def build(place: Place, *names: str) -> None:
    """Fetch and materialise files, and read them, again and again if somebody frees them at once."""
    wanted = [FILES[name] for name in names]
    for _ in range(20):
        fetch(wanted, place.store, channels=place.channels, reporter=Reporter())
        with suppress(LookupError, FileNotFoundError):
            folder = _materialised(place.store, wanted)
            for name in names:
                assert (folder / f"{name}.bin").read_bytes() == CATALOGUE[name][0], f"other bytes of {name}"
            return


def _materialised(store: Store, files: list[File]) -> Path:
    from modeldeps.errors import BlobMissingError  # noqa: PLC0415 - this function alone

    try:
        return store.materialise(files, name="family", version=str(len(files)), variant="all")
    except BlobMissingError as error:
        raise LookupError from error


def load(place: Place) -> None:
    """Install releases into an environment of one's own, load them, uninstall them; none may ever lack."""
    site = place.folder / "sites" / os.urandom(6).hex()
    site.mkdir(parents=True)
    gc_worker.load(place.store, place.releases, site)


def free(place: Place) -> None:
    """Free all that nobody needs."""
    with suppress(StoreBusyError):
        place.store.collect(at_once())


def adopt(place: Place) -> None:
    """Take in what lies elsewhere."""
    place.store.gather([place.elsewhere], list(FILES.values()), reporter=Reporter())


def repair(place: Place) -> None:
    """Hash everything, and make anew what is wrong."""
    model = Expected("family", "1", "all", tuple(FILES.values()))
    found = place.store.verify([model], reporter=Reporter())
    wrong = {one.item.digest for one in found.findings if one.verdict is Verdict.WRONG}
    for name, file in FILES.items():
        if file.sha256 in wrong:
            place.store.restore(file, [])
            fetch_files(place, name)


STEPS: dict[str, Callable[..., None]] = {
    "fetch": fetch_files,
    "read": read_files,
    "build": build,
    "load": load,
    "free": free,
    "adopt": adopt,
    "repair": repair,
}


@dataclass
class _Child:
    """One life that is going on."""

    number: int
    pipe: int
    end: tuple[int, float] | None
    said: bytes = b""
    stopped: bool = False


def begin(place: Place, life: Life) -> _Child:
    """Fork a process that lives a life."""
    reading, writing = os.pipe()
    number = os.fork()
    if not number:
        os.close(reading)
        with open(writing, "wb", buffering=0) as out:  # noqa: PTH123 - a handle
            out.write(_live(place, life["steps"]))  # type: ignore[arg-type]
        os._exit(0)
    os.close(writing)
    end: list[float] | None = life["end"]  # type: ignore[assignment]
    return _Child(number, reading, (int(end[0]), time.monotonic() + end[1]) if end else None)


def _live(place: Place, steps: Sequence[Sequence[str]]) -> bytes:
    random.seed()
    try:
        for name, *words in steps:
            STEPS[name](place, *words)
    except KeyboardInterrupt:
        return b"killed"
    except BaseException:  # noqa: BLE001 - whatever it was is told
        return f"{steps}\n{traceback.format_exc()}".encode()
    return b"done"


def watch(children: Sequence[_Child]) -> list[str]:
    """End lives when their time has come; return what became of them."""
    waiting, deadline = {one.pipe: one for one in children}, time.monotonic() + PATIENCE
    while waiting:
        for pipe in select.select(list(waiting), [], [], 0.002)[0]:
            if more := os.read(pipe, 1 << 16):
                waiting[pipe].said += more
            else:
                os.close(pipe)
                os.waitpid(waiting.pop(pipe).number, 0)
        now = time.monotonic()
        for one in waiting.values():
            if one.end and now >= one.end[1]:
                _send(one, one.end[0], now)
            elif now > deadline:
                one.said = b"hung"
                os.kill(one.number, signal.SIGKILL)
    return [one.said.decode() or "killed" for one in children]


def _send(child: _Child, number: int, now: float) -> None:
    """Send a signal; a process that is stopped is killed a little later."""
    os.kill(child.number, number)
    child.end = (signal.SIGKILL, now + 0.2) if number == signal.SIGSTOP else None


def main(folder: str, *channels: str) -> None:
    _retry.FIRST_PAUSE = 0.001
    place = Place(Path(folder), channels)
    for line in sys.stdin:
        answer = watch([begin(place, life) for life in json.loads(line)])
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


@dataclass
class Lives:
    """The other side: let processes live on a store."""

    place: Place
    killed: int = 0
    """Processes that were killed before they were done."""
    done: int = 0
    """Processes that did all they were told."""
    _process: subprocess.Popen[str] | None = field(default=None)

    def __enter__(self) -> Self:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        words = [sys.executable, __file__, str(self.place.folder), *self.place.channels]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, env=environ, text=True, stdin=pipe, stdout=pipe)
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.communicate(timeout=PATIENCE)

    def live(self, *lives: Life) -> None:
        """Let these processes live at once; each must end well, or be killed."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(lives)}\n")
        self._process.stdin.flush()
        for said in json.loads(self._process.stdout.readline()):
            assert said in {"done", "killed"}, said
            self.killed += said == "killed"
            self.done += said == "done"


if __name__ == "__main__":
    main(*sys.argv[1:])
