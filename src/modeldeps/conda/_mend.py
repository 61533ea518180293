"""Restore an installed `model.json` out of the package that it came in."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.errors import ManifestLostError
from modeldeps.files import write_atomically
from modeldeps.manifest import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeldeps.conda._prefix import PointerPackage

LARGEST = 64 << 20
"""Bytes of a package file that is opened; a pointer package has a few thousand."""


def restore_manifest(package: PointerPackage) -> None:
    """
    Write a package's `model.json` anew, in the environment and in conda's cache of extracted packages.

    The file was one with the cache's, and with that of other environments, as hard links: it is replaced,
    never written into. Raises ManifestLostError where no package file with the recorded digest can be had.
    """
    with tempfile.TemporaryDirectory(prefix="modeldeps-") as folder:
        data = _manifest(package, Path(folder))
    package.file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(package.file, data)
    cached = Path(package.extracted, package.member) if package.extracted else None
    if cached is not None and cached.parent.is_dir():
        with suppress(OSError):  # a cache that belongs to somebody else is his to mend
            write_atomically(cached, data)


def _manifest(package: PointerPackage, folder: Path) -> bytes:
    """Return the bytes that the record names, out of conda's cache or from the channel."""
    if not package.digest or not package.sha256:
        raise ManifestLostError(package.label, "conda's record does not say what it was", package.name)
    reason = "conda keeps no right copy of the package"
    for archive in _archives(package, folder):
        data = _member(archive, package.member)
        if data is not None and hashlib.sha256(data).hexdigest() == package.digest:
            return data
        reason = "the package does not hold the manifest that conda's record names"
    raise ManifestLostError(package.label, reason, package.name)


def _archives(package: PointerPackage, folder: Path) -> Iterator[Path]:
    """Yield package files with the recorded digest: the one in the cache, then one that is downloaded."""
    cached = Path(package.archive) if package.archive else None
    if cached is not None and _digest(cached) == package.sha256:
        yield cached
    if fresh := _download(package, folder):
        yield fresh


def _download(package: PointerPackage, folder: Path) -> Path | None:
    """Download a package in conda's own way; None where it may not. Raises ManifestLostError."""
    if not package.url:
        return None
    from conda.base.context import context
    from conda.exceptions import CondaError
    from conda.gateways.connection.download import download

    if context.offline and not package.url.startswith("file:"):
        return None
    target = folder / package.url.rsplit("/", 1)[1]
    try:
        download(package.url, str(target), sha256=package.sha256)
    except CondaError as error:
        raise ManifestLostError(package.label, str(error), package.name) from None
    return target


def _digest(file: Path) -> str:
    """Return the sha256 of a file; nothing for one that can't be read or is too large."""
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError:
        return ""
    return hashlib.sha256(data).hexdigest() if len(data) <= LARGEST else ""


def _member(archive: Path, name: str) -> bytes | None:
    """Return one file of a package whose digest is right; None where it is not there or too large."""
    from conda_package_streaming.package_streaming import stream_conda_component

    with archive.open("rb") as stream:
        for tar, member in stream_conda_component(archive.name, stream, component="pkg"):
            if member.name == name and member.isreg() and member.size <= MAX_BYTES:
                found = tar.extractfile(member)
                return found.read(MAX_BYTES) if found else None
    return None
