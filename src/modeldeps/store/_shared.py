"""
A store for several users: one folder, with a store of each of them that only he writes and all read.

Nobody can rename, delete or write what belongs to another, by the plain rights of the system. What
another user's store holds is believed as any file of somebody else: after it was hashed once. The
folder above must belong to somebody whom all trust, since the owner of a folder can rename what
lies in it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from modeldeps.errors import NotAStoreError, SharingError
from modeldeps.files import flush_folder, make_folder, open_like_parent, write_atomically
from modeldeps.store._layout import MEMBERS, SHARED, Layout
from modeldeps.store._prepare import check_folder
from modeldeps.store._trust import user

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

COMMON = (MEMBERS, "locks", "roots")
"""Folders in which every user makes files and folders of his own."""
_OURS = frozenset({*COMMON, "lost+found"})
"""What may lie in a folder that is to be shared: also what an interrupted run made."""
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def stores(top: Path, *, own: bool) -> tuple[Path, ...]:
    """Return the stores of all users, this user's first where `own` says so, root's before the others'."""
    folder, names = top / MEMBERS, sorted(_names(top / MEMBERS))
    mine = _own(folder, names) if own else ""
    of_root = [one for one in names if one.startswith("0") and _is_of(one, 0)]
    order = dict.fromkeys(([mine, *of_root] if own else of_root) + names)
    return tuple(map(folder.joinpath, order))


def _names(folder: Path) -> Iterable[str]:
    """Yield the name of each folder in a folder; links are none."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return


def _own(folder: Path, names: Iterable[str]) -> str:
    """Return the name of this user's store, be it there or not; one that somebody else made is not his."""
    name = str(user())
    for one in names:
        if one.startswith(name) and _is_of(one, user()) and _belongs(folder / one):
            return one
    is_taken = os.path.lexists(folder / name)  # such as by root of a container, who is somebody else here
    return f"{name}-{os.urandom(6).hex()}" if is_taken else name


def _is_of(name: str, number: int) -> bool:
    """Tell whether a store is called as one of this user; anybody can make one that is."""
    return name.partition("-")[0] == str(number)


def _belongs(store: Path) -> bool:
    """Tell whether a folder is this user's."""
    try:
        status = os.lstat(store)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == user()


def is_shared(top: Path) -> bool:
    """Tell whether a folder is a store that several users share."""
    return Layout(top).text() == SHARED


def is_joined(store: Path) -> bool:
    """Tell whether this user's own store is there, and nobody else can write it."""
    return _belongs(store) and not os.lstat(store).st_mode & _OTHERS_WRITE


def join(store: Path) -> None:
    """
    Make the folders of this user's own store, where they are missing, for all to read.

    Raises SharingError where somebody else made it meanwhile, and OSError.
    """
    top = store.parent.parent
    try:
        store.mkdir(mode=0o700)
    except FileExistsError:
        if not _belongs(store):
            raise SharingError(store, reason="somebody else made this folder") from None
    mode = stat.S_IMODE(top.stat().st_mode)
    store.chmod(0o700 | mode & (stat.S_ISGID | 0o055))
    layout = Layout(store)
    for folder in (layout.partial, layout.models, *(layout.blobs / f"{number:02x}" for number in range(256))):
        make_folder(folder)
    flush_folder(store.parent)


def found(top: Path, *, group: str | None) -> None:
    """
    Make a folder that the members of a group, or all users of this machine, share as a store.

    Where it is one already, its rights are set anew. Raises NotAStoreError where it holds something
    else, SharingError where the system or its owner does not allow it, and OSError.
    """
    if os.name == "nt":
        raise SharingError(top, reason="Windows has no folders in which everybody owns what he made")
    number = _number(top, group)
    layout = Layout(top)
    if layout.text() == SHARED:
        _check_group(top, group)
    elif layout.text():
        raise NotAStoreError(top, found="the store of one user")
    else:
        check_folder(top, is_ours=lambda name: name in _OURS or name.startswith(".layout."))
    top.mkdir(parents=True, exist_ok=True)
    _allow(top, number, 0o2750 if group else 0o755)
    for name in COMMON:
        (top / name).mkdir(exist_ok=True)
        _allow(top / name, number, 0o3770 if group else 0o1777)
    write_atomically(layout.version_file, f"{SHARED}\n".encode())
    open_like_parent(layout.version_file)
    flush_folder(top.parent)


def _check_group(top: Path, group: str | None) -> None:
    """Raise SharingError where a store of a group would be opened to all because nobody named the group."""
    status = top.stat()
    if group is not None or status.st_mode & stat.S_IROTH:
        return
    import grp  # noqa: PLC0415 - Windows has none

    try:
        name = grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        name = str(status.st_gid)
    hint = f"modeldeps cache init --shared --group {name} {top}, or to open it to all first: chmod 755 {top}"
    raise SharingError(
        top, reason=f"it is for the members of {name} alone, and no group was named", hint=hint
    )


def walls(top: Path) -> list[str]:
    """Return in words what keeps other users from a shared store, or lets one of them harm the others."""
    status = top.stat()
    said = []
    if status.st_uid != 0:
        said.append(f"{top} belongs to user {status.st_uid}, who can hide what others put there; better root")
    for one in top.parents:
        mode = stat.S_IMODE(one.stat().st_mode)
        if not mode & stat.S_IXOTH:
            said.append(f"not everybody may enter {one}; to let them: chmod a+x {one}")
        if mode & _OTHERS_WRITE and not mode & stat.S_ISVTX:
            said.append(f"others can rename what lies in {one}; to stop them: chmod go-w {one}")
    return said


def _number(top: Path, group: str | None) -> int:
    """Return the number of a group; -1 for none. Raises SharingError."""
    if group is None:
        return -1
    import grp  # noqa: PLC0415 - Windows has none

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        hint = "make the group first; on Linux: sudo groupadd NAME"
        raise SharingError(top, reason=f"there is no group {group!r}", hint=hint) from None


def _allow(folder: Path, group: int, mode: int) -> None:
    """Give a folder its group and rights. Raises OSError, and SharingError where the system takes less."""
    handle = os.open(folder, _FOLDER)  # not of what a link leads to: whose folder it lies in may be anybody
    try:
        os.fchown(handle, -1, group)
        os.fchmod(handle, mode)
        if stat.S_IMODE(os.fstat(handle).st_mode) != mode:
            raise SharingError(folder, reason=f"the file system does not keep the rights {mode:o}")
    finally:
        os.close(handle)
