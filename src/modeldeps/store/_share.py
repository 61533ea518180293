"""Whether a file of somebody may become a blob under a second name."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

from modeldeps.store import _trust

if TYPE_CHECKING:
    from modeldeps.store._layout import Layout


def may_link(status: os.stat_result) -> bool:
    """
    Tell whether a file may become a blob, or a blob a model's file, under a second name.

    It may where nobody but this user can write it; what others can alter while it is in use is copied.
    """
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != _trust.user() or mode & stat.S_IWOTH:
        return False
    if os.name == "nt":
        return bool(mode & stat.S_IWUSR)  # a read-only one can't be removed again there without a change
    return not mode & stat.S_IWGRP or _is_alone(status.st_gid)


def _is_alone(group: int) -> bool:
    """Tell whether a group is this user's own, as many Linux systems make one for each user."""
    if sys.platform == "win32":
        return False
    import grp  # noqa: PLC0415 - there is none on Windows
    import pwd  # noqa: PLC0415 - likewise

    try:
        name, found = pwd.getpwuid(_trust.user()).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return found.gr_name == name and set(found.gr_mem) <= {name}


def is_private(layout: Layout) -> bool:
    """Tell whether a store is for this user alone; in one for several, each blob is a file of its own."""
    status = os.lstat(layout.root)
    open_to = stat.S_IWGRP | stat.S_IWOTH | stat.S_ISGID
    return layout.common == layout.root and status.st_uid == _trust.user() and not status.st_mode & open_to
