"""What a netrc file says about who asks."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

from modeldeps._frozen import dataclass, field

MAX_NETRC = 1 << 20
"""Bytes of a netrc file, at most."""


@dataclass(frozen=True)
class Credential:
    """What one request says about who asks."""

    kind: str
    """Where it comes from, in words; it holds no secret."""
    header: str = field(default="", repr=False)
    """The value of `Authorization`; empty: nothing is said."""


@dataclass(frozen=True)
class Netrc:
    """The machines of a netrc file; its `default` is for every host, a manifest's too, so it is not used."""

    machines: dict[str, str] = field(default_factory=dict, repr=False)
    """What is said to each host; secrets."""
    problem: str = ""
    """Why it can't be read, in words."""

    @classmethod
    def read(cls) -> Netrc:
        """Read the file that NETRC names, or the user's own; what can't be read is a problem to be told."""
        from netrc import NetrcParseError, netrc  # noqa: PLC0415 - at first use

        file = _place()
        if file is None:
            return cls()
        if problem := _why_not(file):
            return cls(problem=problem)
        try:
            found = netrc(str(file))
        except OSError as error:
            return cls(problem=f"{file} can't be read: {(error.strerror or '').lower()}")
        except NetrcParseError as error:
            return cls(problem=f"{file} can't be understood, line {error.lineno}")
        except ValueError:
            return cls(problem=f"{file} is not text in UTF-8")
        named = {host.lower(): one for host, one in found.hosts.items() if host != "default"}
        return cls({host: _basic(login or "", word or "") for host, (login, _, word) in named.items()})

    def of(self, host: str) -> Credential:
        """Return what is said to a host."""
        if host in self.machines:
            return Credential("the user and password of netrc", self.machines[host])
        return Credential(f"no credentials: {self.problem}" if self.problem else "no credentials")


def _why_not(file: Path) -> str:
    """Return why a file should not be opened: a pipe would never end."""
    try:
        status = file.stat()
    except OSError as error:
        return f"{file} can't be read: {(error.strerror or '').lower()}"
    fine = stat.S_ISREG(status.st_mode) and status.st_size <= MAX_NETRC
    return "" if fine else f"{file} is no netrc file"


def _place() -> Path | None:
    """Return the file that is to be read; one that NETRC names may not lack."""
    places = netrc_files()
    found = [one for one in places if os.environ.get("NETRC") or os.path.lexists(one)]
    return Path(found[0]) if found else None


def netrc_files() -> list[str]:
    """Return where netrc may be: what NETRC names, or the file in the home folder under either name."""
    if named := os.environ.get("NETRC"):
        return [named]
    return [os.path.expanduser(f"~/{name}") for name in (".netrc", "_netrc")]  # noqa: PTH111 - no home, no error


def _basic(login: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode('ascii')}"
