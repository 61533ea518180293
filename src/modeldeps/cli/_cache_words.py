"""How the actions of `modeldeps cache` name moments, users, places and states."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps.cli._output import say
from modeldeps.errors import ManifestError
from modeldeps.store import Alive, Unsure, is_here, plain
from modeldeps.store._layout import model_key

if TYPE_CHECKING:
    from modeldeps.store import Judged


def date(moment: float) -> str:
    """Return a day as `2026-05-01`, in local time; nothing for a moment that no calendar has."""
    try:
        return time.strftime("%Y-%m-%d", time.localtime(moment))
    except (OverflowError, OSError, ValueError):
        return ""


def moment(seconds: float) -> str | None:
    """Return a moment as ISO 8601, in UTC."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        return None


def user(number: int) -> str:
    """Return a user's name; its number where nobody knows a name; nothing where the system has none."""
    if not hasattr(os, "geteuid"):
        return ""
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return str(number)


def place(one: Judged) -> str:
    """Return where a use is, as words: the folder, whether it is a pin, and whether it is elsewhere."""
    use = one.note.use
    words = plain(use.place)
    if use.kind == "pin":
        words = f"pin of {words}" if words else "pin without a project"
    return words if is_here(one) else f"{words} (another machine or container)"


def state(one: Judged) -> str:
    """Return `in use`, or why it is not known or has ended."""
    if isinstance(one.state, Alive):
        return "pinned" if one.note.use.kind == "pin" else "in use"
    return f"unsure: {one.state.reason}" if isinstance(one.state, Unsure) else one.state.reason


def installed() -> frozenset[str]:
    """Return the digests of all blobs and the names of all folders of the models of this environment."""
    found: set[str] = set()
    for pointer in environment.pointers():
        try:
            manifest = pointer.manifest()
        except ManifestError as error:  # noqa: PERF203 - a few rounds
            say(f"warning: {error}")
        else:
            found.update(file.sha256 for file in manifest.all_files())
            found.update(model_key(one.name, manifest.payload(one)) for one in manifest.variants)
    return frozenset(found)
