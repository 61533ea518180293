"""Work in the stores of other users who share one, as root, and with no more rights than each of them has."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modeldeps.store._trust import user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """
    Do what stands in a with block with the rights of a folder's owner, and with none of root's.

    So the system refuses what he may not do himself, whatever links he lays out meanwhile. The
    effective user alone is changed (credentials(7)): he can neither stop nor trace this process.
    What the block needs must have been imported. Raises OSError; not for several threads.
    """
    status = os.lstat(folder)
    if sys.platform == "win32" or status.st_uid == user():
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    own_group, own_groups = _groups(status.st_uid, status.st_gid)
    try:
        os.setgroups(own_groups)
        os.setegid(own_group)
        os.seteuid(status.st_uid)
        yield
    finally:
        os.seteuid(os.getuid())
        os.setegid(group)
        os.setgroups(groups)


def _groups(number: int, group: int) -> tuple[int, list[int]]:
    """Return a user's first group and all of them; of one without a name the given one."""
    if sys.platform == "win32":
        return group, [group]
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        found = pwd.getpwuid(number)
    except KeyError:
        return group, [group]
    return found.pw_gid, os.getgrouplist(found.pw_name, found.pw_gid)
