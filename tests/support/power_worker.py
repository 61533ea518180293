"""
Work on a store that lies on a disk with a log, and set marks that tell what holds from then on.

python power_worker.py ACTION DISK MARKS CHANNEL LISTING.json

DISK is the folder where the disk is mounted, LISTING holds the files. Marks are `here DIGEST`,
`going DIGEST` before something takes a blob away, `model`, `pinned`, `spoiling` and `spoiled`, and while
bytes come in `kept COUNT` and `safe COUNT`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from disks import mark

from modeldeps.fetch import fetch
from modeldeps.files import write_atomically
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Berth, Rules, Store, Use, _ebb, pin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = {"name": "digits", "version": "2.1.0", "variant": "fp32"}


class Counting(Reporter):
    """Count the bytes that are written, and mark them at times."""

    def __init__(self, marks: Path) -> None:
        self.done = 0
        self._marks = marks
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def begin(self, label: str, *, total: int | None) -> None:
        del label, total
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def advance(self, count: int) -> None:
        with self._lock:
            self.done += count

    def _run(self) -> None:
        while not self._over.wait(0.02):
            mark(self._marks, f"kept {self.done}")


def tell_flushes(counting: Counting, marks: Path) -> None:
    """Mark what a flush in the middle brought to disk, as soon as it is done."""
    plain = _ebb.Ebb.flush

    def flush(self: _ebb.Ebb) -> None:
        before = counting.done
        plain(self)
        mark(marks, f"safe {before}")

    _ebb.Ebb.flush = flush  # type: ignore[method-assign]


def read_files(listing: str) -> list[File]:
    found = json.loads(Path(listing).read_text("utf-8"))
    return [
        File(one["path"], one["size"], one["sha256"], tuple(Chunk(*chunk) for chunk in one["chunks"]))
        for one in found
    ]


def dump_files(files: Sequence[File], listing: Path) -> None:
    """Write what `read_files` reads."""
    found = [
        {
            "path": one.path,
            "size": one.size,
            "sha256": one.sha256,
            "chunks": [[chunk.offset, chunk.length, chunk.sha256] for chunk in one.chunks],
        }
        for one in files
    ]
    listing.write_text(json.dumps(found), "utf-8")


class Life:
    """All that happens to a store."""

    def __init__(self, disk: Path, marks: Path, channel: str, files: Sequence[File]) -> None:
        self.disk = disk
        self.marks = marks
        self.channel = channel
        self.first, self.later, self.found, self.copied, self.placed, self.hurried, *self.small = files
        self.store = Store(disk / "store")

    def mark(self, words: str) -> None:
        mark(self.marks, words)

    def fetch(self, *files: File) -> None:
        fetch(files, self.store, channels=[self.channel], reporter=Reporter())
        for one in files:
            self.mark(f"here {one.sha256}")

    def live(self) -> None:
        """Do all of it."""
        self.fetch(self.first)
        self.fetch(*self.small)
        self.materialise()
        self.fetch(self.later)  # takes chunks from the first
        self.hurry()
        self.adopt()
        self.place()
        self.free()
        self.repair()

    def materialise(self) -> None:
        files = [self.first, *self.small]
        folder = self.store.materialise(files, **NAMED)
        self.mark("model")
        blobs = {one.sha256: one.size for one in files}
        self.store.pin(pin_of(None, Use("", "", "", **NAMED, folder=folder.name, blobs=blobs)))
        self.mark("pinned")

    def hurry(self) -> None:
        """Find what another process has just named and did not flush yet."""
        berth = self.store.berth(self.hurried)
        assert isinstance(berth, Berth)
        berth.landing.resume()
        (claim,) = berth.landing.take_all()
        claim.write(bytes_of(self.hurried))
        claim.release()
        assert berth.landing.prove()
        self.store.publish([berth])
        self.fetch(self.hurried)
        berth.leave()

    def adopt(self) -> None:
        """Take files that were just written and are not on disk."""
        for number, (file, share) in enumerate(((self.found, True), (self.copied, False))):
            folder = self.disk / f"elsewhere-{number}"
            folder.mkdir()
            self.write(folder / "file", file)
            self.store.gather([folder], [file], reporter=Reporter(), share=share)
            self.mark(f"here {file.sha256}")

    def place(self) -> None:
        """Put a blob by hand where only memory has its bytes, as a copying tool may, and find it."""
        blob = self.store.blob(self.placed.sha256)
        blob.parent.mkdir(parents=True, exist_ok=True)
        self.mark(f"going {self.placed.sha256}")
        self.write(blob, self.placed)
        if self.store.find(self.placed) is not None:
            self.mark(f"found {self.placed.sha256}")
        write_atomically(self.disk / "other", b"another program's")

    def write(self, path: Path, file: File) -> None:
        handle = os.open(path, os.O_RDWR | os.O_CREAT)
        os.posix_fallocate(handle, 0, file.size)
        os.write(handle, bytes_of(file))
        os.close(handle)

    def free(self) -> None:
        self.mark(f"going {self.later.sha256}")
        self.mark(f"going {self.found.sha256}")
        self.mark(f"going {self.copied.sha256}")
        self.mark(f"going {self.hurried.sha256}")
        self.store.collect(Rules(time.time() + 10, keep=0.0))

    def repair(self) -> None:
        """Let a disk spoil a blob, notice it, and fetch what is wrong."""
        self.mark(f"going {self.first.sha256}")
        blob = self.store.blob(self.first.sha256)
        blob.chmod(0o644)
        self.mark("spoiling")
        with blob.open("r+b") as stream:
            stream.write(b"spoiled")
            stream.flush()
            os.fsync(stream.fileno())
        self.mark("spoiled")
        self.store.restore(self.first, [])
        self.fetch(self.first)
        self.store.materialise([self.first, *self.small], **NAMED)
        self.mark("model")


def bytes_of(file: File) -> bytes:
    """Return the bytes of a file of a test: they repeat its name."""
    return (file.path.encode() * (file.size // len(file.path) + 1))[: file.size]


def main(action: str, disk: str, marks: str, channel: str, listing: str) -> None:
    files, place = read_files(listing), Path(marks)
    if action == "live":
        Life(Path(disk), place, channel, files).live()
        return
    counting = Counting(place)
    tell_flushes(counting, place)
    fetch(files, Store(Path(disk) / "store"), channels=[channel], reporter=counting)
    mark(place, "told")


if __name__ == "__main__":
    main(*sys.argv[1:])
