"""A built release in a folder: its wheel and its blobs, all proved before anything is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash
from modeldeps.errors import (
    BlobsError,
    CondaPackageError,
    NothingToPublishError,
    PointerWheelError,
    Problem,
)
from modeldeps.fetch.index import MAX_WHEEL, PointerWheel, read_wheel
from modeldeps.names import PREFIX, RESERVED, distribution_name, model_name
from modeldeps.publish.channel._conda import ENDING, check_agrees
from modeldeps.publish.channel._folder import blob_path
from modeldeps.publish.conda import read_package_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import IO

    from modeldeps.manifest import File
    from modeldeps.progress import Reporter
    from modeldeps.publish.channel._folder import ChannelFolder
    from modeldeps.publish.conda import CondaPackage

MAX_SHOWN = 20
"""Blobs that one error lists."""


@dataclass(frozen=True)
class Offered:
    """A release that may be published: its wheel was checked, and where each of its blobs lies."""

    wheel: PointerWheel
    """The pointer wheel."""
    blobs: tuple[tuple[File, Path], ...]
    """Each distinct blob and a file with these bytes."""
    conda: tuple[CondaPackage, ...] = ()
    """The conda packages that lie beside the wheel; each says the same as the wheel."""


@dataclass(frozen=True)
class Dist:
    """All that may be published out of a folder."""

    releases: tuple[Offered, ...]
    """Releases of models."""
    packages: tuple[CondaPackage, ...]
    """Conda packages that are no model's, such as that of modeldeps."""


def read_dist(dist: Path, channel: ChannelFolder, reporter: Reporter) -> Dist:
    """
    Check all releases and conda packages of a dist folder, or one of them with its blobs beside it.

    A blob, and the wheel of a conda package, may be in the channel already. Raises NothingToPublishError,
    PointerWheelError, ManifestError, CondaPackageError, CondaMismatchError, BlobsError, OSError.
    """
    folder = dist if dist.is_dir() else dist.parent
    offered = list(_offered(dist))
    found = [_read_conda(path) for path in offered if path.suffix == ENDING]
    paths = dict.fromkeys(path for path in offered if path.suffix != ENDING)
    for package in found:
        if package.manifest is not None:
            paths[_wheel_of(package, folder, channel)] = None
    wheels = [_read(path) for path in paths]
    places = (folder, channel.root)
    releases = tuple(_offer(wheel, places, reporter, _conda_of(wheel, found)) for wheel in wheels)
    return Dist(releases, tuple(one for one in found if one.manifest is None))


def _offered(dist: Path) -> Iterator[Path]:
    """Yield wheels and conda packages: all of a folder, or those of the release that a file belongs to."""
    if dist.is_dir():
        found = sorted(one for one in dist.iterdir() if one.suffix in (".whl", ENDING))
        if not found:
            raise NothingToPublishError(dist, "a folder without a wheel")
        yield from found
        return
    if not dist.exists():
        raise NothingToPublishError(dist, "nothing")
    if dist.suffix not in (".whl", ENDING):
        raise NothingToPublishError(dist, "a file that is no wheel and no conda package")
    yield dist
    if dist.suffix == ".whl":
        start = "-".join(dist.name.split("-")[:2]).replace("_", "-")
        for one in sorted(dist.parent.iterdir()):
            if one.suffix == ENDING and one.name.rpartition("-")[0] == start:
                yield one


def _read(path: Path) -> PointerWheel:
    if not path.is_file():
        raise PointerWheelError(path.name, [Problem("", "expected a plain file")])
    with path.open("rb") as stream:
        return read_wheel(stream.read(MAX_WHEEL + 1), path.name)


def _read_conda(path: Path) -> CondaPackage:
    """Read a conda package; none but a model's may have the name of one."""
    if not path.is_file():
        raise CondaPackageError(path.name, [Problem("", "expected a plain file")])
    package = read_package_file(path)
    name = str(package.record["name"])
    if package.manifest is None and name.startswith(PREFIX) and name.removeprefix(PREFIX) not in RESERVED:
        raise CondaPackageError(path.name, [Problem("name", f"expected a model.json, as all {PREFIX}… have")])
    return package


def _wheel_of(package: CondaPackage, folder: Path, channel: ChannelFolder) -> Path:
    """Return the wheel of a package's release, beside the package or in the channel."""
    model, version = model_name(str(package.record["name"])), str(package.record["version"])
    published = channel.wheel(model, version)
    for path in (folder / published.name, published):
        if path.is_file():
            return path
    raise NothingToPublishError(folder / package.filename, "a conda package without the wheel of its release")


def _conda_of(wheel: PointerWheel, packages: Sequence[CondaPackage]) -> tuple[CondaPackage, ...]:
    """Return the packages of a release, proved against its wheel."""
    key = (distribution_name(wheel.manifest.name), wheel.manifest.version)
    found = [
        one
        for one in packages
        if one.manifest is not None and (one.record["name"], one.record["version"]) == key
    ]
    for one in found:
        check_agrees(one, wheel)
    return tuple(found)


def _offer(
    wheel: PointerWheel, folders: Sequence[Path], reporter: Reporter, conda: tuple[CondaPackage, ...]
) -> Offered:
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
    return Offered(wheel, tuple(blobs), conda)


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
