"""
Work on a store that lies on a disk with a log, and set marks that tell what is promised from then on.

python power_worker.py ACTION DISK MARKS CHANNEL LISTING.json

LISTING holds the files; DISK is the folder where the disk is mounted.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from disks import mark

from modeldeps.fetch import fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Store


class Counting(Reporter):
    """Set a mark with the bytes that are written, every few hundredths of a second."""

    def __init__(self, marks: Path) -> None:
        self.done = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=[marks])

    def begin(self, label: str, *, total: int | None) -> None:
        del label, total
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def advance(self, count: int) -> None:
        with self._lock:
            self.done += count

    def _run(self, marks: Path) -> None:
        while not self._over.wait(0.02):
            mark(marks, f"kept {self.done}")


def read_files(listing: str) -> list[File]:
    found = json.loads(Path(listing).read_text("utf-8"))
    return [
        File(one["path"], one["size"], one["sha256"], tuple(Chunk(*chunk) for chunk in one["chunks"]))
        for one in found
    ]


def main(action: str, disk: str, marks: str, channel: str, listing: str) -> None:
    files = read_files(listing)
    store = Store(Path(disk) / "store")
    if action == "slowly":
        fetch(files, store, channels=[channel], reporter=Counting(Path(marks)))
        mark(Path(marks), "told")


if __name__ == "__main__":
    main(*sys.argv[1:])
