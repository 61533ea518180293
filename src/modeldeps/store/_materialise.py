"""
A folder that holds a model's files under their own names.

They are hard links to blobs, or copies where links fail; never symbolic links, which ONNX Runtime
refuses for external data.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK, new_hash
from modeldeps.errors import BlobMissingError
from modeldeps.files import flush_file, flush_folder, replace
from modeldeps.store import _trust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modeldeps.manifest import File


def build(
    folder: Path, files: Sequence[File], find: Callable[[File], Path | None], stamps: _trust.Stamps
) -> None:
    """
    Make the folder, or mend it where it is there already.

    A reader sees no folder or a whole one. Raises BlobMissingError and OSError.
    """
    from shutil import rmtree  # noqa: PLC0415 - load() waits for what this module imports

    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = folder.with_name(f".{folder.name}.{os.urandom(6).hex()}")
        try:
            scratch.mkdir()
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
        if not _trust.trusted(target, file.sha256, file.size, stamps):
            _place(target, file, find, stamps)


def _place(target: Path, file: File, find: Callable[[File], Path | None], stamps: _trust.Stamps) -> None:
    """Put one file in its place by a rename, so that whoever has the old one open keeps it."""
    blob = find(file)
    if blob is None:
        raise BlobMissingError(file.path, file.sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        if not _link(blob, scratch, file):
            _copy(blob, scratch, file)
        proved = os.lstat(scratch)
        replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    flush_folder(target.parent)
    _trust.stamp(target, proved, file.sha256, stamps)


def _link(blob: Path, scratch: Path, file: File) -> bool:
    """Link a sealed blob; a blob of somebody else is copied, since its owner can alter it."""
    if not _trust.is_sealed(os.lstat(blob), file.sha256, file.size):
        return False
    try:
        os.link(blob, scratch)
    except OSError:
        return False
    return True


def _copy(blob: Path, scratch: Path, file: File) -> None:
    """Copy a blob, prove the copy, seal it, bring it to disk."""
    running = new_hash()
    with blob.open("rb", buffering=0) as source, scratch.open("xb", buffering=0) as target:
        while block := source.read(BLOCK):
            running.update(block)
            view = memoryview(block)
            while view:
                view = view[target.write(view) :]
        if running.hexdigest() != file.sha256:
            raise BlobMissingError(file.path, file.sha256)
        _trust.seal(scratch, file.sha256, handle=target.fileno())
        flush_file(target.fileno())
