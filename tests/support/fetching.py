"""Files to fetch, and a reporter that remembers."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.fetch import fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modeldeps.fetch import Fetched
    from modeldeps.store import Store


def file_of(data: bytes, path: str = "model.onnx", *, chunk: int = 0, sources: Sequence[str] = ()) -> File:
    """Return what a manifest says about a file with these bytes, in chunks of that length or in none."""
    cuts = range(0, len(data), chunk) if chunk else ()
    chunks = tuple(Chunk(at, len(data[at : at + chunk]), sha256_bytes(data[at : at + chunk])) for at in cuts)
    return File(path, len(data), sha256_bytes(data), chunks, tuple(sources))


@dataclass
class Remember(Reporter):
    """Remember what was told."""

    done: int = 0
    total: int | None = None
    notes: list[str] = field(default_factory=list)
    open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, label: str, *, total: int | None) -> None:
        del label
        self.total, self.open = total, self.open + 1

    def advance(self, count: int) -> None:
        with self._lock:
            self.done += count

    def note(self, text: str) -> None:
        self.notes.append(text)

    def end(self) -> None:
        self.open -= 1


def fetch_one(file: File, store: Store, *channels: str, reporter: Reporter | None = None) -> Fetched:
    """Fetch one file from these channels."""
    return fetch([file], store, channels=channels, reporter=reporter or Reporter())


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    """Start some work; return its thread, and where its error will be."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, errors
