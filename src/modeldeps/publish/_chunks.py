"""Cut a file into chunks at the bounds of its tensors, and digest them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.digest import new_hash, sha256_bytes
from modeldeps.errors import FileChangedError
from modeldeps.manifest import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from modeldeps.progress import Reporter

PIECE = 4 << 20
"""Bytes of a chunk at most."""
SMALL = 64 << 10
"""Bytes; smaller neighbours are joined until they are as large as this."""


def cut(size: int, tensors: Iterable[tuple[int, int]]) -> list[int]:
    """
    Return the offsets at which chunks end, for a file of `size` bytes with tensors at (start, length).

    A large tensor has chunks of its own, which hold its elements and nothing else: exporters rename tensors
    and nodes from one version to the next, and what does not change must not share a digest with names
    that do. What lies between large tensors is joined, and cut where small tensors end.
    """
    ends: list[int] = []
    at = 0
    for start, end in _in_order(size, tensors):
        if end - start >= SMALL:
            ends += _pieces(at, start)
            ends += _pieces(start, end)
            at = end
        elif end - at >= SMALL:
            ends += _pieces(at, end)
            at = end
    return [*ends, *_pieces(at, size)]


def _in_order(size: int, tensors: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the tensors in the file, in order; one that overlaps another is left out."""
    last = 0
    for start, length in sorted(tensors):
        if length > 0 and start >= last and start + length <= size:
            last = start + length
            yield start, last


def _pieces(start: int, end: int) -> Iterator[int]:
    """Yield the ends of equal pieces between two places, none of them longer than PIECE."""
    length = end - start
    count = -(-length // PIECE)
    for index in range(1, count):
        yield start + length * index // count
    if length:
        yield end


def digest_file(path: Path, ends: Sequence[int], reporter: Reporter) -> tuple[str, tuple[Chunk, ...]]:
    """
    Return the digest of a file and of its chunks, read once; a file of one chunk has none of its own.

    Raises FileChangedError where the file does not end where the last chunk does, and OSError.
    """
    whole, at, chunks = new_hash(), 0, []
    with path.open("rb") as stream:
        for end in ends:
            data = stream.read(end - at)
            if len(data) != end - at:
                raise FileChangedError(path)
            whole.update(data)
            if len(ends) > 1:
                chunks.append(Chunk(at, end - at, sha256_bytes(data)))
            reporter.advance(len(data))
            at = end
        if stream.read(1):
            raise FileChangedError(path)
    return whole.hexdigest(), tuple(chunks)
