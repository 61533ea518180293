"""
Cut bytes where their content says so, so that an insertion moves only the chunks around it.

A gear hash runs over the bytes: it is doubled, and the number of the next byte is added, in 32 bits, so that
it depends on the last 32 bytes and on nothing else. A chunk ends behind a byte where the hash is small
enough: less than a hard limit while the chunk is shorter than the average, less than an easy one from
there on (normalised chunking, after FastCDC, Xia et al., USENIX ATC 2016). The numbers of the bytes, the
limits and the bounds are fixed for good: other ones would share nothing with what was published.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

MOST = 4 << 20
"""Bytes of a chunk at most, whatever the average."""
REACH = 32
"""Bytes that the hash depends on."""
_BLOCK = 64 << 10
"""Bytes that are hashed at a time by numpy; its scratch arrays stay in the processor's cache."""
_BITS = 0xFFFFFFFF


class Bounds(NamedTuple):
    """How long chunks are, and how small a hash ends one."""

    least: int
    """Bytes of a chunk at least, the last one of a stretch left out: a quarter of the average."""
    average: int
    most: int
    """Bytes of a chunk at most: four times the average, and no more than MOST."""
    hard: int
    """A hash below this ends a chunk that is shorter than the average: one byte in four averages."""
    easy: int
    """A hash below this ends a longer one: one byte in a quarter of an average."""

    @classmethod
    def around(cls, average: int) -> Bounds:
        """Return the bounds for an average, a power of two from 1 KiB to 4 MiB."""
        return cls(average // 4, average, min(4 * average, MOST), (1 << 30) // average, (1 << 34) // average)


@lru_cache(maxsize=1)
def gear() -> tuple[int, ...]:
    """Return the number of each byte: four bytes of `sha256(b"modeldeps gear " + byte)`, big-endian."""
    digests = (sha256(b"modeldeps gear " + bytes([byte])).digest() for byte in range(256))
    return tuple(int.from_bytes(digest[:4], "big") for digest in digests)


def ends(data: bytes | memoryview, average: int) -> list[int]:
    """
    Return the offsets at which the chunks of some bytes end; the last is their length.

    Each but the last stays where it is whatever bytes follow. numpy only makes it faster.
    """
    bounds = Bounds.around(average)
    find = _finder(data, bounds)
    found, at = [], 0
    while len(data) - at > bounds.least:
        at = find(at)
        found.append(at)
    return found if at == len(data) else [*found, len(data)]


def _finder(data: bytes | memoryview, bounds: Bounds) -> Callable[[int], int]:
    try:
        return finder_with_numpy(data, bounds)
    except ImportError:
        return finder(data, bounds)


def finder(data: bytes | memoryview, bounds: Bounds) -> Callable[[int], int]:
    """Return a function that tells where the chunk ends that begins at an offset, in plain Python."""
    numbers = gear()

    def first_below(limit: int, running: int, start: int, end: int) -> tuple[int, int]:
        """Return the offset behind the first small hash, or 0, and the hash there."""
        at = start
        for byte in data[start:end]:
            running = ((running << 1) + numbers[byte]) & _BITS
            at += 1
            if running < limit:
                return at, running
        return 0, running

    def find(at: int) -> int:
        least = at + bounds.least
        _, running = first_below(0, 0, least - REACH, least - 1)
        found, running = first_below(bounds.hard, running, least - 1, at + bounds.average - 1)
        if not found:
            found, _ = first_below(bounds.easy, running, at + bounds.average - 1, at + bounds.most)
        return found or min(at + bounds.most, len(data))

    return find


def finder_with_numpy(data: bytes | memoryview, bounds: Bounds) -> Callable[[int], int]:
    """Return the same function, which hashes all bytes at once. Raises ImportError without numpy."""
    places, hashes = _small_hashes(data, bounds.easy)

    def find(at: int) -> int:
        last = min(at + bounds.most, len(data))
        for index in range(bisect_left(places, at + bounds.least), len(places)):
            place = places[index]
            if place > last:
                break
            if place - at >= bounds.average or hashes[index] < bounds.hard:
                return place
        return last

    return find


def _small_hashes(data: bytes | memoryview, limit: int) -> tuple[list[int], list[int]]:
    """Return the offsets behind all bytes where the hash is below a limit, and these hashes."""
    import numpy as np

    content, numbers = np.frombuffer(data, np.uint8), np.array(gear(), np.uint32)
    places, hashes = [], []
    for at in range(0, len(content), _BLOCK):
        before = min(at, REACH - 1)
        hashed = _hash(content[at - before : at + _BLOCK], numbers)[before:]
        small = np.flatnonzero(hashed < limit)
        places += (small + at + 1).tolist()
        hashes += hashed[small].tolist()
    return places, hashes


def _hash(content: NDArray[np.uint8], numbers: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the gear hash behind each byte: sums over 1, 2, 4, … bytes are put together to those over 32."""
    import numpy as np

    hashed = np.take(numbers, content)
    for reach in (1, 2, 4, 8, 16):
        hashed[reach:] += hashed[:-reach] << np.uint32(reach)
    return hashed
