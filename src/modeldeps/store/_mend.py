"""Put right what was found wrong in a store; nothing goes before what is right takes its place."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from modeldeps.digest import BLOCK
from modeldeps.store import _adopt, _lock, _materialise
from modeldeps.store._clone import clone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import FileIO
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.store._layout import Layout
    from modeldeps.store._trust import Stamps


def restore(layout: Layout, file: File, copies: Iterable[Path], *, stamps: Stamps) -> bool:
    """Make a blob out of another copy that is here; False where none is right. Raises OSError."""
    only = _adopt.only(file)
    return any(_adopt.take(layout, one, only, stamps=stamps, share=False) for one in copies)


def seed(layout: Layout, file: File) -> None:
    """
    Let a wrong blob be gone on with as if its download had been interrupted.

    What a fetch finds there it hashes chunk by chunk, and fetches only the wrong ones. Nothing is done
    where the file has no chunks, or where somebody is at it already. Raises OSError.
    """
    part = layout.partial / file.sha256
    if len(file.chunks) < 2 or os.path.lexists(part):  # noqa: PLR2004 - one chunk is the whole file
        return
    layout.prepare()
    lock = _lock.acquire(layout.lock(file.sha256))
    if lock is None:
        return
    scratch = layout.partial / f"{file.sha256}.{os.getpid()}-{secrets.token_hex(8)}"
    try:
        with suppress(FileNotFoundError), layout.blob(file.sha256).open("rb", buffering=0) as stream:
            _copy_readable(stream.fileno(), scratch, file.size)
            scratch.rename(part)
    finally:
        scratch.unlink(missing_ok=True)
        lock.release()


def _copy_readable(handle: int, scratch: Path, size: int) -> None:
    """Copy what can be read of a file, with holes for the rest."""
    if clone(handle, scratch):
        with scratch.open("r+b") as target:
            target.truncate(min(size, os.fstat(handle).st_size))
        return
    with scratch.open("xb") as target, os.fdopen(os.dup(handle), "rb", buffering=0) as source:
        for offset in range(0, min(size, os.fstat(handle).st_size), BLOCK):
            target.seek(offset)
            target.write(_block(source, offset, min(BLOCK, size - offset)))


def _block(source: FileIO, offset: int, length: int) -> bytes:
    """Return some bytes of a file; none of a bad place of the disk, whose part then comes from elsewhere."""
    try:
        source.seek(offset)
        return source.read(length)
    except OSError:
        return b""


def relink(paths: Iterable[Path], file: File, find: Callable[[File], Path | None], *, stamps: Stamps) -> None:
    """Let files of models be the right blob again. Raises BlobMissingError and OSError."""
    for path in paths:
        _materialise.place(path, file, find, stamps)
