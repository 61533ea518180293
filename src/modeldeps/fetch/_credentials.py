"""Who asks: what is said to a host about it, and to no other host."""

from __future__ import annotations

import base64
import ipaddress
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from modeldeps.fetch._origin import Origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.tokens import Token

MAX_NETRC = 1 << 20
"""Bytes of a netrc file, at most."""


@dataclass(frozen=True)
class Credential:
    """What one request says about who asks."""

    kind: str
    """Where it comes from, in words; it holds no secret."""
    header: str = field(default="", repr=False)
    """The value of `Authorization`; empty: nothing is said."""


class Credentials:
    """Find what belongs to a URL: in the URL itself, in the tokens that were set, in netrc."""

    def __init__(self, tokens: Sequence[Token] = ()) -> None:
        self._tokens = sorted(tokens, key=lambda one: len(one.prefix), reverse=True)
        self._netrc: _Netrc | None = None

    def of(self, url: str, *, overheard: bool = False) -> Credential:
        """Return what is said to the host of a URL; a proxy that reads it gets nothing out of netrc."""
        if header := split_credentials(url)[1]:
            return Credential("the user and password of its URL", header)
        for token in self._tokens:
            if covers(token.prefix, url):
                return _bearer(token)
        if overheard or not is_protected(Origin.of(url)):
            return Credential("no credentials")
        if self._netrc is None:
            self._netrc = _Netrc.read()
        return self._netrc.of(Origin.of(url).host)


def _bearer(token: Token) -> Credential:
    secret = token.secret()
    if secret is None:
        return Credential(f"no credentials: its token is to be in {token.variable}, which is not set")
    return Credential("the token that is set for it", f"Bearer {secret}")


def covers(prefix: str, url: str) -> bool:
    """Tell whether a URL lies below a prefix: the same origin, and a path that goes on at a slash."""
    if Origin.of(prefix) != Origin.of(url):
        return False
    above, path = urlsplit(prefix).path or "/", urlsplit(url).path or "/"
    steps = unquote(path).replace("\\", "/").replace(";", "/").split("/")  # `..;` is `..` to some servers
    if above != "/" and (".." in steps or "." in steps):  # a server may resolve them to something else
        return False
    return path == above or path.startswith(above if above.endswith("/") else f"{above}/")


@lru_cache(maxsize=256)
def is_protected(origin: Origin) -> bool:
    """Tell whether nobody on the way can listen: TLS, or this very machine."""
    if origin.scheme == "https" or origin.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(origin.host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True)
class _Netrc:
    """The machines of a netrc file; its `default` is for every host, a manifest's too, so it is not used."""

    machines: dict[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""

    @classmethod
    def read(cls) -> _Netrc:
        """Read the file that NETRC names, or the user's own; what can't be read is a problem to be told."""
        from netrc import NetrcParseError, netrc  # noqa: PLC0415 - at first use

        file = _netrc_file()
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


def _netrc_file() -> Path | None:
    """Return where netrc is: what NETRC names, or the file in the home folder, whichever name it has."""
    if named := os.environ.get("NETRC"):
        return Path(named)
    places = [Path(os.path.expanduser(f"~/{name}")) for name in (".netrc", "_netrc")]  # noqa: PTH111 - no home, no error
    return next((place for place in places if os.path.lexists(place)), None)


def _basic(login: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode('ascii')}"
