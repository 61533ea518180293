"""Whom a URL belongs to, and what may be told to whom."""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit, urlunsplit

from modeldeps._frozen import dataclass

_PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?=[/?#]|\Z)", re.ASCII)
"""A URL up to its path, where nothing about it can be read in two ways: thousands share it."""
_UNADORNED = re.compile(_PLAIN.pattern + r"/[!-\"$->A-~]*", re.ASCII)
"""A URL with neither credentials nor a query nor a fragment, nor an @ anywhere."""


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port of a URL: credentials go to one origin and no other (RFC 6454)."""

    scheme: str
    """Lower case."""
    host: str
    """Lower case, without a port."""
    port: int | None
    """The port, the scheme's own where the URL names none."""

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL. Raises ValueError where it is none."""
        plain = _PLAIN.match(url)
        return _origin(url if plain is None else plain[0])

    def with_credentials_of(self, url: str, target: str) -> str:
        """Return a target of this same origin with the credentials that the URL had."""
        parts = urlsplit(split_credentials(target)[0])
        user, at, _ = urlsplit(url).netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{user}{at}{parts.netloc}"))


@lru_cache(maxsize=256)
def _origin(url: str) -> Origin:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme))


def split_credentials(url: str) -> tuple[str, str]:
    """Return a URL without its credentials, and the Authorization header that they make (RFC 7617)."""
    if _UNADORNED.fullmatch(url):
        return url, ""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=host, fragment=""))
    if not at:
        return plain, ""
    name, _, password = user.partition(":")
    secret = f"{unquote(name)}:{unquote(password)}".encode()
    return plain, f"Basic {base64.b64encode(secret).decode('ascii')}"
