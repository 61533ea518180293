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
GAP = 4 << 10
"""Bytes; what lies before a large tensor, such as its name, goes with it when it is smaller than this."""


def cut(size: int, tensors: Iterable[tuple[int, int]]) -> list[int]:
    """
    Return the offsets at which chunks end, for a file of `size` bytes with tensors at (start, length).

    A large tensor gets chunks of its own, so that it has the same digests in another file where other
    things stand before it; small ones are joined with their neighbours.
    """
    ends: list[int] = []
    at = 0
    for start, end in _in_order(size, tensors):
        if end - at < SMALL:
            continue
        if end - start < SMALL:
            ends += _pieces(at, end, head=0)
        else:
            if start - at >= GAP:
                ends += _pieces(at, start, head=0)
                at = start
            ends += _pieces(start, end, head=start - at)
        at = end
    return ends + list(_pieces(at, size, head=0))


def _in_order(size: int, tensors: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the tensors in the file, in order; one that overlaps another is left out."""
    last = 0
    for start, length in sorted(tensors):
        if length > 0 and start >= last and start + length <= size:
            last = start + length
            yield start, last


def _pieces(start: int, end: int, *, head: int) -> Iterator[int]:
    """
    Yield the ends of equal pieces between two places.

    `head` bytes before `start` belong to the first piece too, which stays below PIECE with them; so the
    places of the cuts depend on the tensor alone.
    """
    length = end - start
    if length + head <= 0:
        return
    room = PIECE if head == 0 and length <= PIECE else PIECE - GAP
    count = max(1, -(-length // room))
    step = -(-length // count)
    for index in range(1, count):
        yield start + index * step
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
