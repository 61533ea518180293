"""Make a store, or bring one of an older layout forward."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from modeldeps.errors import NotAStoreError, StoreLayoutError
from modeldeps.files import flush_folder, make_folder, open_like_parent, write_atomically
from modeldeps.store import _lock
from modeldeps.store._layout import MEMBERS, SHARED, VERSION, Layout
from modeldeps.store._mounts import kernel_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STEPS: dict[int, Callable[[Path], None]] = {}
"""
What brings the store of each older layout one number further.

A step is handed the store's folder. It may be killed at any moment and is done again then, so
that doing it twice, in part or whole, must be the same as doing it once.
"""
PATIENCE = 60.0
"""Seconds that another process which does the steps is waited for."""
_OURS = frozenset(
    {"blobs", "chunks", "derived", "layout", "models", "partial", "roots", "stamps", "trash", "lost+found"}
)
"""What may lie in a folder that is to become a store."""


def prepare(layout: Layout) -> None:
    """Do what `Layout.prepare` promises."""
    text = layout.text()
    if text == VERSION:
        join(layout.root)
        make_folder(layout.partial)
        return
    if text == SHARED:
        raise NotAStoreError(layout.root, found="a store that several users share")
    if text:
        catch_up(layout, writable=True)
        return
    if not join(layout.root):
        _check_place(layout.root)
        _make_root(layout.root)
    make_folder(layout.partial)
    _write(layout, VERSION)


def _make_root(root: Path) -> None:
    """Make the folder of a store; its name and those above it are on disk then."""
    missing = [one for one in (root, *root.parents) if not one.exists()]
    root.mkdir(parents=True, exist_ok=True)
    for one in missing:
        with suppress(PermissionError):  # a folder may be writable and closed to whoever wants to read it
            flush_folder(one.parent)


def join(root: Path) -> bool:
    """Make the store of one user of a shared store, and mend its rights; False for any other."""
    if root.parent.name != MEMBERS:
        return False
    from modeldeps.store import _shared  # noqa: PLC0415 - of a personal store nothing is asked

    if not _shared.is_joined(root):
        _shared.join(root)
    return True


def check_place(layout: Layout) -> None:
    """
    Look whether a store is, or can be, in its place; nothing is made.

    Raises NotAStoreError where something else lies there, and StoreReadOnlyError where nobody may look.
    """
    from modeldeps.store._room import writing  # noqa: PLC0415 - only here and below

    if layout.text() or layout.root.parent.name == MEMBERS:
        return
    with writing(layout.root):
        _check_place(layout.root)


def _check_place(root: Path) -> None:
    """Raise NotAStoreError where a store would land on something else, and OSError."""
    check_folder(root, is_ours=lambda name: name in _OURS or name.startswith("."))


def check_folder(root: Path, *, is_ours: Callable[[str], bool]) -> None:
    """
    Look whether a store can be made of a folder that is new, or holds nothing but what `is_ours` names.

    Raises NotAStoreError, and OSError where nobody may look.
    """
    for one in (root, *root.parents):
        if one.exists():
            if not one.is_dir():
                raise NotAStoreError(root, found=f"a file in its way: {one}")
            if kind := kernel_view(one):
                raise NotAStoreError(root, found=f"a file system that keeps no files: {one} ({kind})")
            break
    if root.exists() and (others := sorted(one.name for one in root.iterdir() if not is_ours(one.name))):
        shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")  # noqa: PLR2004 - enough to know it by
        raise NotAStoreError(root, found=f"a folder with other files: {shown}")


def _write(layout: Layout, text: str) -> None:
    write_atomically(layout.version_file, f"{text}\n".encode())
    open_like_parent(layout.version_file)


def catch_up(layout: Layout, *, writable: bool) -> None:
    """
    Bring an older layout forward, step by step; each number is written once its step is done.

    Raises StoreLayoutError for a layout that is newer, unknown, or of a store that is only read, and
    what the disk raises as StoreError.
    """
    from modeldeps.store._room import writing  # noqa: PLC0415 - only here and above

    if not _steps(layout) or not writable:
        raise StoreLayoutError(layout.root, expected=f"layout {VERSION}", found=f"layout {layout.text()!r}")
    with writing(layout.root), _alone(layout.root / ".layout.lock"):
        while step := _steps(layout):
            number, do = step
            do(layout.root)
            _write(layout, str(number + 1))


def _steps(layout: Layout) -> tuple[int, Callable[[Path], None]] | None:
    """Return the next step of a store and the number that it starts from; None where there is none."""
    text = layout.text()
    if not (text.isascii() and text.isdigit() and int(text) < int(VERSION)):
        return None
    do = STEPS.get(int(text))
    return None if do is None else (int(text), do)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes away for the time of a with block, where locks can be had."""
    lock, deadline = None, time.monotonic() + PATIENCE
    with suppress(OSError):
        while (lock := _lock.acquire(path)) is None and time.monotonic() < deadline:
            time.sleep(0.02)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()
