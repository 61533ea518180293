"""A built release in a folder: its wheel and its blobs, all proved before anything is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash
from modeldeps.errors import BlobsError, NothingToPublishError, PointerWheelError, Problem
from modeldeps.fetch.index import MAX_WHEEL, PointerWheel, read_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from modeldeps.manifest import File
    from modeldeps.progress import Reporter

MAX_SHOWN = 20
"""Blobs that one error lists."""


@dataclass(frozen=True)
class Offered:
    """A release that may be published: its wheel was checked, and where each of its blobs lies."""

    wheel: PointerWheel
    """The pointer wheel."""
    blobs: tuple[tuple[File, Path], ...]
    """Each distinct blob and a file with these bytes."""


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a blob lies below a dist folder or a channel."""
    return folder / "blobs" / "sha256" / digest[:2] / digest


def read_dist(dist: Path, channel: Path, reporter: Reporter) -> tuple[Offered, ...]:
    """
    Check every release of a dist folder, or of one wheel with its blobs beside it.

    A blob may be in the channel already. Raises NothingToPublishError, PointerWheelError,
    ManifestError, BlobsError, OSError.
    """
    wheels = [_read(path) for path in _wheels(dist)]
    folder = dist if dist.is_dir() else dist.parent
    return tuple(_offer(wheel, (folder, channel), reporter) for wheel in wheels)


def _wheels(dist: Path) -> list[Path]:
    if dist.is_dir():
        found = sorted(one for one in dist.iterdir() if one.suffix == ".whl")
        if not found:
            raise NothingToPublishError(dist, "a folder without a wheel")
        return found
    if not dist.exists():
        raise NothingToPublishError(dist, "nothing")
    if dist.suffix != ".whl":
        raise NothingToPublishError(dist, "a file that is no wheel")
    return [dist]


def _read(path: Path) -> PointerWheel:
    if not path.is_file():
        raise PointerWheelError(path.name, [Problem("", "expected a plain file")])
    with path.open("rb") as stream:
        return read_wheel(stream.read(MAX_WHEEL + 1), path.name)


def _offer(wheel: PointerWheel, folders: Sequence[Path], reporter: Reporter) -> Offered:
    """Find and prove each blob, all problems at once."""
    files = list(wheel.manifest.all_files())
    problems: list[str] = []
    blobs: list[tuple[File, Path]] = []
    reporter.begin(f"checking {wheel.filename}", total=sum(file.size for file in files))
    try:
        for file in files:
            reasons: list[str] = []
            for path in _places(file, folders):
                if (reason := _wrong(path, file, reporter)) is None:
                    blobs.append((file, path))
                    break
                reasons.append(reason)
            else:
                problems.append(f"{file.path} ({file.sha256}) {[*reasons, 'is missing'][0]}")
    finally:
        reporter.end()
    if problems:
        rest = [f"and {len(problems) - MAX_SHOWN} more"] if len(problems) > MAX_SHOWN else []
        raise BlobsError(wheel.filename, [*problems[:MAX_SHOWN], *rest])
    return Offered(wheel, tuple(blobs))


def _places(file: File, folders: Sequence[Path]) -> Iterator[Path]:
    """Yield where a blob is, the dist folder first; a later place is looked at only if the first is wrong."""
    for folder in folders:
        path = blob_path(folder, file.sha256)
        if path.is_file():
            yield path


def _wrong(path: Path, file: File, reporter: Reporter) -> str | None:
    """Say what a file has that the manifest did not say; its chunks are proved in the same pass."""
    if (size := path.stat().st_size) != file.size:
        return f"has {size} bytes, not {file.size}"
    whole = new_hash()
    with path.open("rb") as stream:
        for chunk in file.chunks:
            part = new_hash()
            for block in _blocks(stream, chunk.length):
                whole.update(block)
                part.update(block)
                reporter.advance(len(block))
            if part.hexdigest() != chunk.sha256:
                return f"has other bytes in the chunk at offset {chunk.offset}"
        while block := stream.read(BLOCK):
            whole.update(block)
            reporter.advance(len(block))
    found = whole.hexdigest()
    return None if found == file.sha256 else f"has the digest {found}"


def _blocks(stream: IO[bytes], length: int) -> Iterator[bytes]:
    left = length
    while left and (block := stream.read(min(BLOCK, left))):
        left -= len(block)
        yield block
