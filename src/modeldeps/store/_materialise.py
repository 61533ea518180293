"""
A folder that holds a model's files under their own names.

They are hard links to blobs, or copies where links fail; never symbolic links, which ONNX Runtime
refuses for external data.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash, sha256_stream
from modeldeps.errors import BlobMissingError
from modeldeps.files import flush_file, flush_folder, make_folder, open_like_parent, replace
from modeldeps.store import _trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from io import FileIO
    from pathlib import Path

    from modeldeps.manifest import File

_TRIES = 3
"""How often a folder is begun that vanishes, or whose blobs vanish, while it is made."""


def build(
    folder: Path, files: Sequence[File], find: Callable[[File], Path | None], stamps: _trust.Stamps
) -> None:
    """
    Make the folder, or mend it where it is there already.

    A reader sees no folder or a whole one. Raises BlobMissingError and OSError.
    """
    for _ in range(_TRIES - 1):
        try:
            return _build(folder, files, find, stamps)
        except FileNotFoundError:  # noqa: PERF203 - somebody frees space; the next look tells what lacks
            continue
    return _build(folder, files, find, stamps)


def _build(
    folder: Path, files: Sequence[File], find: Callable[[File], Path | None], stamps: _trust.Stamps
) -> None:
    from shutil import rmtree  # noqa: PLC0415 - load() waits for what this module imports

    if not folder.is_dir():
        make_folder(folder.parent)
        scratch = folder.with_name(f".{folder.name}.{os.urandom(6).hex()}")
        try:
            scratch.mkdir()
            open_like_parent(scratch)
            _fill(scratch, files, find, stamps)
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise  # else another process was faster; what it made is looked at below
        finally:
            rmtree(scratch, ignore_errors=True)
        flush_folder(folder.parent)
    _fill(folder, files, find, stamps)


def _fill(
    folder: Path, files: Sequence[File], find: Callable[[File], Path | None], stamps: _trust.Stamps
) -> None:
    for file in files:
        target = folder / file.path
        is_here = _is_blob(target, file, find, stamps)
        if not is_here and not _trust.trusted(target, file.sha256, file.size, stamps):
            place(target, file, find, stamps)


def _is_blob(target: Path, file: File, find: Callable[[File], Path | None], stamps: _trust.Stamps) -> bool:
    """Tell whether a file is a second name of a blob that is stamped; it gets the same stamp then."""
    if not os.path.lexists(target) or _trust.known(target, file.sha256, file.size, stamps):
        return False
    blob = find(file)
    status = os.lstat(target)
    if blob is None or not stamps.known(blob, status, file.sha256):
        return False
    stamps.remember(target, status, file.sha256)
    return True


def place(target: Path, file: File, find: Callable[[File], Path | None], stamps: _trust.Stamps) -> None:
    """Put one file in its place by a rename, so that whoever has the old one open keeps it."""
    blob = find(file)
    if blob is None:
        raise BlobMissingError(file.path, file.sha256)
    make_folder(target.parent)
    scratch = target.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        proved = _link(blob, scratch, file, stamps)
        if proved is None:
            _copy(blob, scratch, file)
            proved = os.lstat(scratch)
        replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    flush_folder(target.parent)
    for place in (target, blob):  # a new name for a stamped blob makes the stamp of the old one worthless
        _trust.stamp(place, proved, file.sha256, stamps)


def _link(blob: Path, scratch: Path, file: File, stamps: _trust.Stamps) -> os.stat_result | None:
    """
    Link a blob, and return what was proved of it; None where it must be copied.

    A blob of somebody else is copied, since its owner can alter it.
    """
    from modeldeps.store._share import may_link  # noqa: PLC0415 - as above

    proved = os.lstat(blob)
    adopted = may_link(proved) and stamps.known(blob, proved, file.sha256)
    if not adopted and not _trust.is_sealed(proved, file.sha256, file.size):
        return None
    try:
        os.link(blob, scratch)
    except OSError:
        return None
    return proved


def _copy(blob: Path, scratch: Path, file: File) -> None:
    """Copy a blob, by a reflink where that can be; prove the copy, seal it, bring it to disk."""
    from modeldeps.store._clone import clone  # noqa: PLC0415 - as above

    with blob.open("rb", buffering=0) as source:
        if clone(source.fileno(), scratch):
            with scratch.open("r+b", buffering=0) as target:
                _finish(target, scratch, file, sha256_stream(target))
            return
        _write(source, scratch, file)


def _write(source: FileIO, scratch: Path, file: File) -> None:
    running = new_hash()
    with scratch.open("xb", buffering=0) as target:
        while block := source.read(BLOCK):
            running.update(block)
            view = memoryview(block)
            while view:
                view = view[target.write(view) :]
        _finish(target, scratch, file, running.hexdigest())


def _finish(target: FileIO, scratch: Path, file: File, found: str) -> None:
    """Check the digest of a copy, seal it, bring it to disk. Raises BlobMissingError."""
    if found != file.sha256:
        raise BlobMissingError(file.path, file.sha256)
    _trust.seal(scratch, file.sha256, handle=target.fileno())
    flush_file(target.fileno())
