"""Add a release to a channel: blobs first, then the wheel, then the index."""

from __future__ import annotations

import errno
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_file
from modeldeps.errors import AlreadyPublishedError, ChannelFullError, ChannelWriteError, NotPublishedError
from modeldeps.names import distribution_name, normalize
from modeldeps.progress import Reporter
from modeldeps.publish.channel._conda import (
    add_package,
    conda_record,
    conda_records,
    is_new,
    mend,
    package_file,
    record_file,
)
from modeldeps.publish.channel._dist import Offered, read_dist
from modeldeps.publish.channel._folder import ChannelFolder
from modeldeps.publish.channel._lock import publisher_lock
from modeldeps.publish.channel._write import refresh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.publish.conda import CondaPackage

ROOM = 1 << 20
"""Bytes that must stay free beside the blobs, for the wheel, the indexes and the pages."""


@dataclass(frozen=True)
class Published:
    """What became of one release."""

    name: str
    """The model; or the conda package, where it is no model's."""
    version: str
    """`2.1.0`."""
    wheel: Path | None
    """Where its wheel lies in the channel; None for a conda package that is no model's."""
    new: bool
    """Whether it was not in the channel before."""
    yanked: str
    """Why it was withdrawn, or nothing; publishing a release again does not take that back."""
    bytes_copied: int
    """Bytes of blobs that were not in the channel before."""
    conda: tuple[Path, ...] = ()
    """Where its conda packages lie in the channel."""


def publish(dist: Path, channel: Path, *, reporter: Reporter | None = None) -> tuple[Published, ...]:
    """
    Add the releases of a dist folder, or of one wheel with `blobs/` beside it, to a channel's folder.

    Everything is checked before anything is written: the wheels, the conda packages, each blob's size,
    digest and chunks, and that no version is in the channel with other bytes. A release without a conda
    package gets the one that its wheel makes. The channel is made where there is none.
    Raises NothingToPublishError, PointerWheelError, ManifestError, CondaPackageError, CondaMismatchError,
    BlobsError, AlreadyPublishedError, NotAChannelError, ChannelFullError, ChannelWriteError.
    """
    heard = reporter or Reporter()
    folder = ChannelFolder(channel)
    found = read_dist(dist, folder, heard)
    offers = found.releases
    for offer in offers:
        _is_new(folder, offer)
    packages = (*found.packages, *(one for offer in offers for one in offer.conda))
    sizes = {str(one.record["sha256"]): len(one.data) for one in packages if is_new(folder, one)}
    with _writing(folder):
        folder.create()
        folder.landing.sweep()
        missing = [_missing(folder, offer) for offer in offers]
        sizes.update({file.sha256: file.size for blobs in missing for file, _ in blobs})
        _check_room(folder, sizes)
        copied = [_copy(folder, offer, blobs, heard) for offer, blobs in zip(offers, missing, strict=True)]
        return _add(folder, list(zip(offers, copied, strict=True)), found.packages, heard)


def yank(channel: Path, name: str, version: str, *, reason: str, undo: bool = False) -> bool:
    """
    Withdraw a release (PEP 592): installers take it only where it is pinned. With `undo`, take that back.

    A conda solver no longer sees it at all; a lock file still finds its packages. `name` is a model, or a
    conda package that is no model's.

    Returns whether anything changed. Raises NotAChannelError, NotPublishedError, InvalidNameError,
    ChannelWriteError.
    """
    folder = ChannelFolder(channel)
    folder.check()
    model = normalize(name)
    with _writing(folder):
        folder.open()
        return _mark(folder, model, version, "" if undo else " ".join(reason.split()) or "no reason given")


def _mark(folder: ChannelFolder, model: str, version: str, reason: str) -> bool:
    """Write a release's record with a reason, or with none; return whether that changed it."""
    with publisher_lock(folder.lock, Reporter()):
        record = folder.record(model, version) if version in folder.versions(model) else None
        if record is None:
            changed = _mark_alone(folder, model, version, reason)
        else:
            changed = folder.landing.put(folder.record_file(model, version), record.withdrawn(reason).dump())
        refresh(folder, *([model] if record else []), reporter=Reporter())
    return changed


def _mark_alone(folder: ChannelFolder, name: str, version: str, reason: str) -> bool:
    """Do so for a conda package that is no model's, all its builds."""
    packages = [one for one in conda_records(folder) if not one.model and one.name == name]
    found = [one for one in packages if one.version == version]
    if not found:
        raise _not_published(folder, name, version, [one.version for one in packages])
    changed = [
        folder.landing.put(record_file(folder, one.filename), one.withdrawn(reason).dump()) for one in found
    ]
    return any(changed)


def _not_published(folder: ChannelFolder, model: str, version: str, packages: list[str]) -> NotPublishedError:
    """Say what is there, or which model was meant."""
    there = folder.versions(model) or packages
    near = [] if there else get_close_matches(model, folder.model_names(), n=1)
    return NotPublishedError(model, version, there, guess=near[0] if near else None)


def _is_new(folder: ChannelFolder, offer: Offered) -> bool:
    """Tell whether a release is not in the channel yet. Raises AlreadyPublishedError for other bytes."""
    manifest = offer.wheel.manifest
    target = folder.wheel(manifest.name, manifest.version)
    if not target.exists():
        return True
    record = folder.record(manifest.name, manifest.version)
    published = record.sha256 if record else sha256_file(target)
    if published != offer.wheel.sha256:
        raise AlreadyPublishedError(
            manifest.name, manifest.version, published=published, offered=offer.wheel.sha256
        )
    return False


def _missing(folder: ChannelFolder, offer: Offered) -> list[tuple[File, Path]]:
    """Return the blobs that the channel does not hold, each with the file to copy."""
    elsewhere = [(file, path) for file, path in offer.blobs if path != folder.blob(file.sha256)]
    return [(file, path) for file, path in elsewhere if not _has(folder, file)]


def _copy(folder: ChannelFolder, offer: Offered, blobs: list[tuple[File, Path]], reporter: Reporter) -> int:
    """Copy blobs into the channel and return their bytes."""
    total = sum(file.size for file, _ in blobs)
    if not blobs:
        return total
    reporter.begin(f"publishing {offer.wheel.manifest.name} {offer.wheel.manifest.version}", total=total)
    try:
        for file, path in blobs:
            folder.landing.copy(path, folder.blob(file.sha256), file.sha256, reporter)
    finally:
        reporter.end()
    return total


def _has(folder: ChannelFolder, file: File) -> bool:
    """Tell whether the channel holds a blob with the right bytes; a damaged one is replaced."""
    path = folder.blob(file.sha256)
    try:
        return path.stat().st_size == file.size and sha256_file(path) == file.sha256
    except FileNotFoundError:
        return False


def _check_room(folder: ChannelFolder, sizes: Mapping[str, int]) -> None:
    """Refuse what can't fit before a byte of it is copied; `sizes` are those of the files, by digest."""
    needed = sum(sizes.values()) + ROOM
    free = shutil.disk_usage(folder.root).free
    if sizes and needed > free:
        raise ChannelFullError(folder.root, needed=needed, free=free)


def _add(
    folder: ChannelFolder,
    offers: list[tuple[Offered, int]],
    packages: tuple[CondaPackage, ...],
    reporter: Reporter,
) -> tuple[Published, ...]:
    """Give wheels and packages their names, once and for ever, then bring the indexes to them."""
    new: dict[str, bool] = {}
    with publisher_lock(folder.lock, reporter):
        try:
            for offer, _ in offers:
                new[offer.wheel.filename] = _name(folder, offer)
            for package in packages:
                new[package.filename] = add_package(folder, package)
        finally:
            models = sorted({offer.wheel.manifest.name for offer, _ in offers})
            refresh(folder, *models, reporter=reporter)
    releases = [_published(folder, offer, new[offer.wheel.filename], count) for offer, count in offers]
    return (*releases, *(_published_alone(folder, one, new[one.filename]) for one in packages))


def _name(folder: ChannelFolder, offer: Offered) -> bool:
    """Give a wheel its name, then its packages; tell whether any is new. Raises AlreadyPublishedError."""
    new = _name_wheel(folder, offer)
    for package in offer.conda:
        new = add_package(folder, package, offer.wheel) or new
    mend(folder, offer.wheel)
    return new


def _name_wheel(folder: ChannelFolder, offer: Offered) -> bool:
    """Give a wheel its name; False where it has it already. Raises AlreadyPublishedError."""
    target = folder.wheel(offer.wheel.manifest.name, offer.wheel.manifest.version)
    if folder.landing.claim(target, offer.wheel.data):
        return True
    _is_new(folder, offer)
    folder.landing.put(target, offer.wheel.data)  # where it was damaged since
    return False


def _published(folder: ChannelFolder, offer: Offered, new: bool, copied: int) -> Published:  # noqa: FBT001 - inner
    name, version = offer.wheel.manifest.name, offer.wheel.manifest.version
    record = folder.record(name, version)
    yanked = record.yanked if record else ""
    packages = (
        package_file(folder, one.filename) for one in conda_records(folder, distribution_name(name), version)
    )
    return Published(name, version, folder.wheel(name, version), new, yanked, copied, tuple(packages))


def _published_alone(folder: ChannelFolder, package: CondaPackage, new: bool) -> Published:  # noqa: FBT001 - inner
    record = conda_record(folder, package.filename)
    name, version = str(package.record["name"]), str(package.record["version"])
    file = package_file(folder, package.filename)
    return Published(name, version, None, new, record.yanked if record else "", 0, (file,))


@contextmanager
def _writing(folder: ChannelFolder) -> Iterator[None]:
    """Turn what the system refuses into the project's error."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ChannelWriteError(
            folder.root, error.filename or folder.root, reason, hint=_hint(error)
        ) from error


def _hint(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space and publish again; every release that was there before is whole"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "publish as a user who may write to the channel's folder"
    return None
