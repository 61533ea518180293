"""Cut a file into chunks at the bounds of its tensors, and by content elsewhere; digest them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NamedTuple

from modeldeps.digest import new_hash, sha256_bytes
from modeldeps.errors import FileChangedError
from modeldeps.manifest import Chunk
from modeldeps.publish import _content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from typing_extensions import Self

    from modeldeps.progress import Reporter

PIECE = 4 << 20
"""Bytes of a chunk at most."""
WHOLE = 64 << 10
"""Bytes; a file that is no larger is one chunk."""
OWN = ((64 << 20, 16 << 10), (512 << 20, 64 << 10), (4 << 30, 256 << 10), (32 << 30, 1 << 20))
"""Up to how many bytes of a file its tensors have chunks of their own from how many bytes on."""
AVERAGES = ((4 << 20, 8 << 10), *OWN)
"""Up to how many bytes that are cut by content the chunks have how many bytes on average."""
SHARE = 4
"""A file is cut at least as coarsely as one of this part of its release: manifests are bounded."""
_BLOCK = 8 << 20
"""Bytes in memory at a time."""
_LONG = 256 << 10
"""Bytes from which a second thread saves more than it costs."""


class Stretch(NamedTuple):
    """A part of a file."""

    start: int
    end: int
    is_tensor: bool
    """A tensor is cut into pieces from its own start, anything else by content."""


@dataclass(frozen=True)
class Plan:
    """Where a file is cut, as far as that can be told without reading it."""

    stretches: tuple[Stretch, ...]
    """They cover the file in order."""
    average: int
    """Bytes of a chunk on average, where the content decides."""


def plan_chunks(size: int, tensors: Iterable[tuple[int, int]], *, total: int = 0) -> Plan:
    """
    Return how to cut a file of `size` bytes with tensors at (start, length), in a release of `total` bytes.

    A large tensor has chunks of its own, which hold its elements and nothing else: exporters rename tensors
    and nodes from one version to the next, and what does not change must not share a digest with names
    that do. It is cut from its own start, so that it keeps its chunks wherever it lies, and when it grows.
    """
    least = _step(OWN, max(size, total // SHARE), otherwise=PIECE)
    stretches, at, rest = [], 0, size
    for start, end in _in_order(size, tensors):
        if end - start >= least:
            stretches += [Stretch(at, start, is_tensor=False), Stretch(start, end, is_tensor=True)]
            at, rest = end, rest - (end - start)
    stretches.append(Stretch(at, size, is_tensor=size <= WHOLE))
    average = _step(AVERAGES, max(rest, total // SHARE), otherwise=2 << 20)
    return Plan(tuple(one for one in stretches if one.end > one.start), average)


def _step(steps: Sequence[tuple[int, int]], size: int, *, otherwise: int) -> int:
    return next((value for limit, value in steps if size <= limit), otherwise)


def _in_order(size: int, tensors: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield start and end of the tensors in the file, in order; one that overlaps another is left out."""
    last = 0
    for start, length in sorted(tensors) if size > WHOLE else ():
        if length > 0 and start >= last and start + length <= size:
            last = start + length
            yield start, last


def digest_file(path: Path, cuts: Plan, reporter: Reporter) -> tuple[str, tuple[Chunk, ...]]:
    """
    Return the digest of a file and of its chunks, read once; a file of one chunk has none of its own.

    Raises FileChangedError where the file has not the size that it was planned with, and OSError.
    """
    whole, chunks, at = _Trailing(), [], 0
    with path.open("rb") as stream, whole:
        for block, ends in _blocks(stream, path, cuts):
            whole.update(block)
            start = 0
            for end in ends:
                chunks.append(Chunk(at + start, end - start, sha256_bytes(block[start:end])))
                start = end
            at += len(block)
            reporter.advance(len(block))
        if stream.read(1):
            raise FileChangedError(path)
        digest = whole.hexdigest()
    return digest, tuple(chunks) if len(chunks) > 1 else ()


class _Trailing:
    """A digest that a second thread computes, one block behind at most."""

    def __init__(self) -> None:
        self._hash = new_hash()
        self._thread = ThreadPoolExecutor(1)
        self._work: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *about: object) -> None:
        self._thread.shutdown()

    def update(self, block: memoryview) -> None:
        """Take in more bytes, which must stay as they are."""
        self._wait()
        if len(block) >= _LONG:
            self._work = self._thread.submit(self._hash.update, block)
        else:
            self._hash.update(block)

    def hexdigest(self) -> str:
        """Return the digest of all bytes."""
        self._wait()
        return self._hash.hexdigest()

    def _wait(self) -> None:
        if self._work:
            self._work.result()
        self._work = None


def _blocks(stream: IO[bytes], path: Path, cuts: Plan) -> Iterator[tuple[memoryview, list[int]]]:
    """Yield the file in blocks, each with the offsets at which its chunks end; the last is its length."""
    for start, end, is_tensor in cuts.stretches:
        if is_tensor:
            for at in range(start, end, PIECE):
                piece = _read(stream, path, min(PIECE, end - at))
                yield memoryview(piece), [len(piece)]
        else:
            yield from _by_content(stream, path, end - start, cuts.average)


def _by_content(
    stream: IO[bytes], path: Path, length: int, average: int
) -> Iterator[tuple[memoryview, list[int]]]:
    """Cut what comes next; the last chunk of a block is not settled, and is cut again with what follows."""
    left, rest = length, b""
    while left:
        fresh = min(left, _BLOCK - len(rest))
        block = memoryview(rest + _read(stream, path, fresh))
        left -= fresh
        ends = _content.ends(block, average)
        settled = ends if not left else ends[:-1]
        yield block[: settled[-1]], settled
        rest = bytes(block[settled[-1] :])


def _read(stream: IO[bytes], path: Path, length: int) -> bytes:
    """Return the next bytes. Raises FileChangedError where the file has fewer."""
    data = stream.read(length)
    if len(data) != length:
        raise FileChangedError(path)
    return data
