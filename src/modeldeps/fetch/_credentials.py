"""Who asks: what is said to a host about it, and to no other host."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from modeldeps.fetch._netrc import Credential, Netrc
from modeldeps.fetch._origin import Origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.tokens import Token


class Credentials:
    """Find what belongs to a URL: in the URL itself, in the tokens that were set, in netrc."""

    def __init__(self, tokens: Sequence[Token] = ()) -> None:
        self._tokens = sorted(tokens, key=lambda one: len(one.prefix), reverse=True)
        self._netrc: Netrc | None = None

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
            self._netrc = Netrc.read()
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
