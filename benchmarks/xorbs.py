"""
A chunk store as `hf_xet` reads it: files as runs of chunks in larger objects, each chunk stored once.

Chunks are cut every 64 kB and stored uncompressed, as random weights are there, a thousand to an object (a
xorb), which may hold 64 MiB.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

CHUNK = 1 << 16
"""Bytes of a chunk."""
CHUNKS = 1000
"""Chunks of an object."""
HEADER = 8
"""Bytes before each chunk: version, stored length, scheme, length (lengths little-endian in 3 bytes)."""


@dataclass(frozen=True)
class Run:
    """Chunks of one object that follow each other in a file."""

    name: str
    """The object."""
    first: int
    """Number of the first chunk in the object."""
    count: int
    """How many."""
    offset: int
    """Where they begin in the file."""
    length: int
    """Their bytes."""


class Cutter:
    """Put files into the objects of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[bytes, tuple[str, int]] = {}
        folder.mkdir(exist_ok=True)

    def add(self, blob: Path) -> list[Run]:
        """Store the chunks of a file that are new, and return what it is made of."""
        runs: list[Run] = []
        with blob.open("rb") as stream:
            blocks = list(self._place(blob.name, iter(lambda: stream.read(CHUNK), b"")))
        offset = 0
        for name, number, length in blocks:
            last = runs[-1] if runs else None
            if last and last.name == name and last.first + last.count == number:
                runs[-1] = Run(name, last.first, last.count + 1, last.offset, last.length + length)
            else:
                runs.append(Run(name, number, 1, offset, length))
            offset += length
        return runs

    def _place(self, file: str, blocks: Iterator[bytes]) -> Iterator[tuple[str, int, int]]:
        """Return object, number and length of each chunk of a file."""
        fresh = 0
        for block in blocks:
            digest = hashlib.sha256(block).digest()
            if digest not in self._known:
                name = hashlib.sha256(f"{file} {fresh // CHUNKS}".encode()).hexdigest()
                self._known[digest] = name, fresh % CHUNKS
                fresh += 1
                self._append(name, block)
            yield (*self._known[digest], len(block))

    def _append(self, name: str, block: bytes) -> None:
        length = len(block).to_bytes(3, "little")
        with (self._folder / name).open("ab") as stream:
            stream.write(b"\0" + length + b"\0" + length + block)


def clip(runs: Iterable[Run], start: int, end: int) -> Iterator[Run]:
    """Return what of these runs holds the bytes of a file from start to end, in whole chunks."""
    for one in runs:
        if one.offset < end and start < one.offset + one.length:
            first = max(0, start - one.offset) // CHUNK
            behind = min(one.count, -(-(end - one.offset) // CHUNK))
            length = min(one.length, behind * CHUNK) - first * CHUNK
            yield Run(one.name, one.first + first, behind - first, one.offset + first * CHUNK, length)


def reconstruction(version: str, runs: Sequence[Run], *, start: int, store: str) -> dict[str, object]:
    """Return what the chunk store answers to what a range of a file is made of, in `v1` or `v2`."""
    terms = [{"hash": one.name, "unpacked_length": one.length, "range": _chunks_of(one)} for one in runs]
    objects: dict[str, list[dict[str, object]]] = {}
    for one in runs:
        at = one.first * (CHUNK + HEADER)
        bytes_ = {"start": at, "end": at + one.length + one.count * HEADER - 1}
        url = f"{store}/xorbs/{one.name}"
        if version == "v1":
            entry: dict[str, object] = {"range": _chunks_of(one), "url": url, "url_range": bytes_}
        else:
            entry = {"url": url, "ranges": [{"chunks": _chunks_of(one), "bytes": bytes_}]}
        objects.setdefault(one.name, []).append(entry)
    skip = start - runs[0].offset
    key = "fetch_info" if version == "v1" else "xorbs"
    return {"offset_into_first_range": skip, "terms": terms, key: objects}


def _chunks_of(one: Run) -> dict[str, int]:
    return {"start": one.first, "end": one.first + one.count}
