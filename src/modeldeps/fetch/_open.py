"""Choose the transport of a URL."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from modeldeps.config import config_file, system_config_file
from modeldeps.errors import RefusedError
from modeldeps.fetch._file import FileTransport
from modeldeps.fetch._netrc import netrc_files
from modeldeps.fetch._stamps import stamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from modeldeps.fetch._http import HttpTransport
    from modeldeps.fetch._stamps import Stamp
    from modeldeps.fetch._transport import Transport

Opener: TypeAlias = "Callable[[str], Transport]"
"""Who gives the transport of a URL; it may raise SourceError."""

SCHEMES = ("file", "http", "https")
"""What a URL may begin with."""

_HEARD = (
    "HOME",
    "MODELDEPS_CERTIFICATES",
    "MODELDEPS_CLIENT_CERTIFICATE",
    "MODELDEPS_CONFIG",
    "MODELDEPS_SYSTEM_CONFIG",
    "MODELDEPS_TOKENS",
    "NETRC",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""Variables that a transport obeys; where one changes, the next transport is a new one."""


def scheme(url: str) -> str:
    """Return a URL's scheme in lower case."""
    return url.partition(":")[0].lower()


def transport(url: str) -> Transport:
    """Return the transport that serves a URL. Raises RefusedError where there is none."""
    match scheme(url):
        case "http" | "https":
            return _current()
        case "file":
            return FileTransport()
        case _:
            reason = f"there is no transport for it; there are {', '.join(SCHEMES)}"
            raise RefusedError(url, reason, advice="name a source of one of these in MODELDEPS_CHANNELS")


def _value(name: str) -> str | None:
    """Return a variable; those of proxies have two spellings."""
    return os.environ.get(name) or (os.environ.get(name.upper()) if name.islower() else None)


def _current() -> HttpTransport:
    """Return the transport of what is set now; where a file that it read changed, that is a new one."""
    heard = tuple(_value(name) for name in _HEARD)
    read = stamps([config_file(), system_config_file(), *netrc_files()])
    found = _http(os.getpid(), heard, read)
    if found.is_stale:
        _http.cache_clear()
        found = _http(os.getpid(), heard, read)
    return found


@lru_cache(maxsize=1)
def _http(process: int, heard: tuple[str | None, ...], read: tuple[Stamp, ...]) -> HttpTransport:
    """Keep one transport a process: a forked child must not speak on its parent's connections."""
    del process, heard, read
    from modeldeps.fetch._http import HttpTransport  # noqa: PLC0415 - a folder needs no network

    return HttpTransport()
