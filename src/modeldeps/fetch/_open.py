"""Choose the transport of a URL."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from modeldeps.errors import RefusedError
from modeldeps.fetch._file import FileTransport
from modeldeps.fetch._http import HttpTransport

if TYPE_CHECKING:
    from modeldeps.fetch._transport import Transport

SCHEMES = ("file", "http", "https")
"""What a URL may begin with."""


def scheme(url: str) -> str:
    """Return a URL's scheme in lower case."""
    return url.partition(":")[0].lower()


def transport(url: str) -> Transport:
    """Return the transport that serves a URL. Raises RefusedError where there is none."""
    match scheme(url):
        case "http" | "https":
            return _http(os.getpid())
        case "file":
            return FileTransport()
        case _:
            raise RefusedError(url, f"there is no transport for it; there are {', '.join(SCHEMES)}")


@lru_cache(maxsize=1)
def _http(process: int) -> HttpTransport:
    """Keep one transport a process: a forked child must not speak on its parent's connections."""
    del process
    return HttpTransport()
