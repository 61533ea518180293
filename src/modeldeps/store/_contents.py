"""Walk through a store: what lies in it, how large it is, when it was changed last."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from modeldeps.store._trust import user

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modeldeps.store._layout import Layout

_SCRATCH = re.compile(r"\.([0-9a-f]{16}|.+\.\d+\.[0-9a-f]{8})\.tmp")
"""Names that files have until they are whole."""
_is_digest = re.compile("[0-9a-f]{64}").fullmatch
_TYPE, _PLAIN = 0o170000, stat.S_IFREG
"""The bits of a mode that tell what kind of file it is."""
_new = tuple.__new__
_HALF = 32
"""Digits of a digest that the name of a stamp begins with."""


class Blob(NamedTuple):
    """A blob; a tuple, because there may be a million of them."""

    digest: str
    """Its name."""
    size: int
    """Bytes."""
    changed: float
    """Time of its last change of any kind, such as another hard link, in seconds since 1970."""
    links: int
    """Names that its bytes have."""
    inode: int
    """Number of its bytes in the file system."""
    user: int
    """Number of the user that it belongs to."""


@dataclass(frozen=True)
class Folder:
    """A materialised model."""

    path: Path
    """Where."""
    name: str
    """The model."""
    version: str
    """Its version."""
    changed: float
    """Time of its last change, in seconds since 1970."""
    copies: int
    """Bytes of its files that are copies, not links to blobs."""
    links: tuple[int, ...]
    """Inode of each of its files that has another name, such as a blob's."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What a note names it by."""
        return self.name, self.version, self.path.name


@dataclass(frozen=True)
class Loose:
    """A file or a folder that is neither a blob nor a model."""

    path: Path
    """Where."""
    size: int
    """Bytes."""
    changed: float
    """Time of the last write or change, in seconds since 1970."""


@dataclass(frozen=True)
class Contents:
    """What lies in a store, blobs apart."""

    folders: tuple[Folder, ...] = ()
    """Materialised models."""
    empty: tuple[Loose, ...] = ()
    """Folders of models and versions without any."""
    parts: tuple[Loose, ...] = ()
    """What is not a blob yet."""
    locks: tuple[Loose, ...] = ()
    """Lock files of landings."""
    scratch: tuple[Loose, ...] = ()
    """Files and folders under the names that they have until they are whole."""
    stamps: tuple[Loose, ...] = ()
    """Stamps of blobs that no store has."""
    trash: tuple[Loose, ...] = field(default=())
    """What a sweep that was killed left."""


def blobs(layout: Layout) -> Iterator[Blob]:
    """Yield every blob; what vanishes meanwhile, or can't be read, is left out."""
    for folder in _listed(layout.blobs):
        yield from _blobs_in(folder.path)


def _blobs_in(folder: str) -> list[Blob]:
    """Return the blobs of one folder, with few steps for each: in all there may be a million."""
    found: list[Blob] = []
    add, is_digest = found.append, _is_digest
    for entry in _entries(folder):
        try:
            one = _status_of(entry)
        except OSError:
            continue
        if one.st_mode & _TYPE == _PLAIN and is_digest(entry.name):
            add(_new(Blob, (entry.name, one.st_size, one.st_ctime, one.st_nlink, one.st_ino, one.st_uid)))
    return found


def contents(layout: Layout, layers: Sequence[Layout] = ()) -> Contents:
    """Walk through everything but the blobs; stamps may be of blobs in read-only layers too."""
    partial = list(_loose(layout.partial))
    folders, empty, scratch = _models(layout)
    stamps = [one for folder in _listed(layout.root / "stamps") for one in _loose(Path(folder.path))]
    own = _loose(layout.roots / str(user()))
    scratch += [one for one in (*stamps, *own, *_loose(layout.chunks)) if is_scratch(one.path.name)]
    return Contents(
        folders=tuple(folders),
        empty=tuple(empty),
        parts=tuple(one for one in partial if one.path.suffix != ".lock"),
        locks=tuple(_locks(layout)),
        scratch=tuple(scratch),
        stamps=tuple(_orphans(stamps, [one.blobs for one in (layout, *layers)])),
        trash=tuple(one for run in _listed(layout.trash) for one in _loose(Path(run.path))),
    )


def _orphans(stamps: Iterable[Loose], stores: Sequence[Path]) -> Iterator[Loose]:
    """Yield the stamps of blobs that are in none of the stores; a stamp's name begins with half a digest."""
    known: dict[str, set[str]] = {}
    for one in stamps:
        half = one.path.name[:_HALF]
        if half[:2] not in known:
            known[half[:2]] = {blob.name[:_HALF] for store in stores for blob in _listed(store / half[:2])}
        if half not in known[half[:2]] and not is_scratch(one.path.name):
            yield one


def _locks(layout: Layout) -> Iterator[Loose]:
    """Yield the lock files that this user left; in a store of several users there are others'."""
    for one in _listed(layout.lock("").parent):
        status = _status(one)
        if one.name.endswith(".lock") and status and (os.name == "nt" or status.st_uid == user()):
            yield _look(one)


def is_scratch(name: str) -> bool:
    """Tell whether a file has the name of one that is not whole yet."""
    return _SCRATCH.fullmatch(name) is not None


def _models(layout: Layout) -> tuple[list[Folder], list[Loose], list[Loose]]:
    """Return materialised models, folders without any, and scratch."""
    folders: list[Folder] = []
    empty: list[Loose] = []
    scratch: list[Loose] = []
    for name in _folders(layout.models):
        versions = list(_folders(name.path))
        for version in versions:
            variants = list(_folders(version.path))
            for one in variants:
                if one.name.startswith("."):
                    scratch.append(_look(one))
                else:
                    folder, leftovers = _folder(one, name.name, version.name)
                    folders.append(folder)
                    scratch += leftovers
            empty += [_look(version)] if not variants else []
        empty += [_look(name)] if not versions else []
    return folders, empty, scratch


def _folder(entry: os.DirEntry[str], name: str, version: str) -> tuple[Folder, list[Loose]]:
    """Return a materialised model, and what a killed process left in it."""
    copies, links, scratch = 0, [], []
    for one in _below(entry.path):
        status = _status(one)
        if status is None or not stat.S_ISREG(status.st_mode):
            continue
        if is_scratch(one.name):
            scratch.append(_look(one))
        elif status.st_nlink > 1:
            links.append(status.st_ino)
        else:
            copies += status.st_size
    return Folder(Path(entry.path), name, version, _look(entry).changed, copies, tuple(links)), scratch


def _below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield everything below a folder, however deep."""
    waiting = [folder]
    while waiting:
        for one in _listed(waiting.pop()):
            yield one
            if one.is_dir(follow_symlinks=False):
                waiting.append(one.path)


def _loose(folder: Path) -> Iterator[Loose]:
    return map(_look, _listed(folder))


def _look(entry: os.DirEntry[str]) -> Loose:
    """Return an entry; one that vanished is new and empty, so that nobody takes it for old."""
    status = _status(entry)
    if status is None:
        return Loose(Path(entry.path), 0, float("inf"))
    size = status.st_size if stat.S_ISREG(status.st_mode) else 0
    return Loose(Path(entry.path), size, max(status.st_mtime, status.st_ctime))


def _folders(path: Path | str) -> Iterator[os.DirEntry[str]]:
    return (one for one in _listed(path) if one.is_dir(follow_symlinks=False))


def _listed(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries of a folder, each once; none of a link or of what can't be read."""
    yield from _entries(folder)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """Return what `_listed` yields."""
    found: list[os.DirEntry[str]] = []
    with suppress(OSError):
        if stat.S_ISDIR(os.lstat(folder).st_mode):
            with os.scandir(folder) as entries:
                found.extend(entries)
    return found


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return _status_of(entry)
    except OSError:
        return None


if os.name == "nt":  # where a listing counts no names

    def _status_of(entry: os.DirEntry[str]) -> os.stat_result:
        return os.lstat(entry.path)
else:

    def _status_of(entry: os.DirEntry[str]) -> os.stat_result:
        return entry.stat(follow_symlinks=False)
