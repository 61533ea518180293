"""Who holds a lock: words that its file keeps for those who wait."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from functools import lru_cache

from modeldeps._frozen import dataclass

_LONGEST = 1000
"""Bytes of a lock file that are looked at."""
_LONGEST_NAME = 64
"""Characters of a user's or a machine's name that are shown."""


@dataclass(frozen=True)
class Holder:
    """A process that took a lock. Its words are talk, never trusted."""

    pid: int
    """Its number, as its own machine or container counts."""
    host: str
    """Its machine's or container's name."""
    user: str
    """Its user's name, or number where that has none."""
    since: int
    """When it took the lock, in seconds since 1970 by its own clock."""

    @classmethod
    def this(cls) -> Holder:
        """Return this process, now."""
        return cls(os.getpid(), _host(), _user(), int(time.time()))

    @classmethod
    def read(cls, handle: int) -> Holder | None:
        """Return what a lock file tells; None where it tells nothing that can be understood."""
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            os.lseek(handle, 0, os.SEEK_SET)
            found = json.loads(os.read(handle, _LONGEST))
            pid, since = found["pid"], found["since"]
            if type(pid) is int and type(since) is int:
                return cls(pid, _plain(found["host"]), _plain(found["user"]), since)
        return None

    def write(self, handle: int, status: os.stat_result) -> None:
        """
        Put the words into a lock file, where it can be written; a lock without words is a lock.

        A file with another name, or with more in it than words, is somebody's who wants it overwritten.
        """
        if status.st_nlink > 1 or status.st_size > _LONGEST or not stat.S_ISREG(status.st_mode):
            return
        with suppress(OSError):
            if status.st_size:
                os.ftruncate(handle, 0)
            os.write(handle, self._text().encode())

    def _text(self) -> str:
        """Return the words as JSON, of which only numbers differ from file to file."""
        names = _names(self.host, self.user)
        return f'{{"pid": {self.pid}, {names}, "since": {self.since}}}\n'

    def __str__(self) -> str:
        return self.words()

    def words(self) -> str:
        """Return `process 4711 of alice`, with the machine where it is another, and the time of day."""
        place = "" if self.host == _host() else f" on {self.host}"
        try:
            moment = time.strftime(" since %Y-%m-%d %H:%M:%S", time.localtime(self.since))
        except (OverflowError, OSError, ValueError):
            moment = ""
        return f"process {self.pid} of {self.user}{place}{moment}"


def _plain(text: object) -> str:
    """Return a name without what a terminal would obey. Raises TypeError."""
    if not isinstance(text, str):
        raise TypeError(type(text))
    return "".join(one if one.isprintable() else "?" for one in text[:_LONGEST_NAME])


@lru_cache(maxsize=4)
def _names(host: str, user: str) -> str:
    return f'"host": {json.dumps(host)}, "user": {json.dumps(user)}'


@lru_cache(maxsize=1)
def _host() -> str:
    if hasattr(os, "uname"):
        return _plain(os.uname().nodename)
    import platform  # noqa: PLC0415 - at first use

    return _plain(platform.node())


def _user() -> str:
    """Return this user's name."""
    if hasattr(os, "geteuid"):
        return _name(os.geteuid())
    with suppress(OSError):
        return _plain(os.getlogin())
    return "?"


@lru_cache(maxsize=4)
def _name(number: int) -> str:
    """Return a user's name, asked for once; the number where nobody knows a name, as in many containers."""
    import pwd  # noqa: PLC0415 - Windows has none

    try:
        return _plain(pwd.getpwuid(number).pw_name)
    except (KeyError, OSError):
        return str(number)
