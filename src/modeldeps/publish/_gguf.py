"""
Where the tensors of a GGUF file lie.

The format is that of ggml's docs/gguf.md: a header, keys with typed values, a table of tensors, data.
"""

from __future__ import annotations

import mmap
import struct
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from modeldeps.errors import CorruptModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_ENTRIES = 10_000_000
"""Keys, values and tensors that are read; a vocabulary has some 100,000."""
MAX_DEPTH = 4
"""Arrays inside arrays."""
MAX_RANK = 8
"""Dimensions of a tensor; ggml itself has four."""
MAX_ALIGNMENT = 1 << 20
"""Bytes."""
VERSIONS = (2, 3)
"""What is read; version 1 had shorter numbers and was gone after two months."""

_TEXT, _ARRAY = 8, 9
_SIZES: Mapping[int, int] = MappingProxyType(
    {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
)
"""Bytes of a value by its type; texts and arrays say their own."""
BLOCKS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40),
     10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
     16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
     23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
     34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18)}
)  # fmt: skip
"""Elements and bytes of a block, by the type of a tensor (ggml_type)."""


class _Entry(NamedTuple):
    """One row of the table of tensors."""

    offset: int
    """From the start of the data."""
    length: int | None
    """None for a type that is not known here."""


def tensors(path: Path) -> list[tuple[int, int]]:
    """
    Read the start and the length of each tensor, in the order of the file.

    A tensor of an unknown type reaches to the next one. Raises CorruptModelError and OSError.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            raise _corrupt(path, "an empty file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            found = _walk(mapped)
    if isinstance(found, str):
        raise _corrupt(path, found)
    return found


def _corrupt(path: Path, found: str) -> CorruptModelError:
    return CorruptModelError(path, found, expected="a whole GGUF file")


def _walk(mapped: mmap.mmap) -> list[tuple[int, int]] | str:
    """Walk a mapped file, or say why it can't be; an error that left here would hold the mapping open."""
    try:
        return places(memoryview(mapped))
    except ValueError as error:
        return str(error)


def places(view: memoryview) -> list[tuple[int, int]]:
    """Return the start and the length of each tensor of a GGUF file. Raises ValueError."""
    reader = _Reader(view)
    count, keys = reader.head()
    alignment = 32
    for _ in range(keys):
        alignment = reader.key() or alignment
    table = sorted((reader.entry() for _ in range(count)), key=lambda one: (one.offset, one.length or 0))
    data = -(-reader.at // alignment) * alignment
    found = []
    for index, (offset, length) in enumerate(table):
        start = data + offset
        following = data + table[index + 1].offset if index + 1 < len(table) else len(view)
        end = following if length is None else start + length
        if offset % alignment:
            raise ValueError(f"a tensor at byte {start}, which is no multiple of {alignment}")
        if end > (last := min(following, len(view))):
            raise ValueError(f"a tensor from byte {start} to {end}, beyond its end at {last}")
        found.append((start, end - start))
    return found


class _Reader:
    """Read numbers and texts one after another, never beyond the end. Each method raises ValueError."""

    def __init__(self, view: memoryview) -> None:
        self.at = 0
        self._view = view
        self._order = "<"
        self._left = MAX_ENTRIES

    def head(self) -> tuple[int, int]:
        """Read the magic and the version; return how many tensors and how many keys there are."""
        if bytes(self._take(4)) != b"GGUF":
            raise ValueError("a file that does not begin with GGUF")
        version = self._number("I")
        if version > 0xFFFF:  # noqa: PLR2004 - the bytes stand the other way round
            self._order = ">"
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        if version not in VERSIONS:
            raise ValueError(f"GGUF version {version}; the versions {VERSIONS[0]} and {VERSIONS[1]} are read")
        return self._number("Q"), self._number("Q")

    def key(self) -> int:
        """Read one key and its value; return the alignment if it is that, else 0."""
        self._count(1)
        name, kind = self._text(), self._number("I")
        if bytes(name) != b"general.alignment":
            self._value(kind, MAX_DEPTH)
            return 0
        alignment = self._number("I") if _SIZES.get(kind) == 4 else 0  # noqa: PLR2004 - a 32-bit number
        if not 0 < alignment <= MAX_ALIGNMENT:
            raise ValueError(f"an alignment that is no number from 1 to {MAX_ALIGNMENT}")
        return alignment

    def entry(self) -> _Entry:
        """Read one row of the table of tensors."""
        self._count(1)
        name, rank = self._text(), self._number("I")
        if rank > MAX_RANK:
            raise ValueError(f"a tensor with {rank} dimensions")
        elements = prod(self._number("Q") for _ in range(rank))
        kind, offset = self._number("I"), self._number("Q")
        block, size = BLOCKS.get(kind, (1, 0))
        if elements % block:
            raise ValueError(f"tensor {bytes(name[:80])!r} with {elements} elements in blocks of {block}")
        return _Entry(offset, elements // block * size if size else None)

    def _value(self, kind: int, depth: int) -> None:
        if kind == _TEXT:
            self._text()
        elif kind == _ARRAY and depth:
            inner, count = self._number("I"), self._number("Q")
            if inner in _SIZES:
                self._take(_SIZES[inner] * count)
                return
            self._count(count)
            for _ in range(count):
                self._value(inner, depth - 1)
        elif kind in _SIZES:
            self._take(_SIZES[kind])
        else:
            raise ValueError(f"a value of type {kind} at byte {self.at}")

    def _text(self) -> memoryview:
        return self._take(self._number("Q"))

    def _number(self, kind: str) -> int:
        value: int = struct.unpack(self._order + kind, self._take(struct.calcsize(self._order + kind)))[0]
        return value

    def _take(self, count: int) -> memoryview:
        if count > len(self._view) - self.at:
            raise ValueError(f"a header that ends beyond its {len(self._view)} bytes")
        self.at += count
        return self._view[self.at - count : self.at]

    def _count(self, entries: int) -> None:
        """Count what is read one by one: a hostile file could ask for centuries."""
        self._left -= entries
        if self._left < 0:
            raise ValueError(f"more than {MAX_ENTRIES} keys, values and tensors")
