"""Where redirects lead, and for how long that is remembered."""

from __future__ import annotations

import threading
import time
from urllib.parse import quote, urljoin

from modeldeps._frozen import dataclass
from modeldeps.errors import RefusedError, redact
from modeldeps.fetch._origin import Origin, split_credentials

MAX_REDIRECTS = 10
MAX_TARGET = 8192
"""Characters of a target, at most: thousands are remembered."""
STATUSES = frozenset({301, 302, 303, 307, 308})
MEMORY = 300.0
"""Seconds for which a target is asked at once; signed ones expire."""
_MAX_KNOWN = 4096
_KEPT = "%!#$&'()*+,/:;=?@[]~"
"""What stays as it is in a redirect's target (RFC 3986); the rest is escaped: servers send raw UTF-8."""


@dataclass(frozen=True)
class Hop:
    """A URL on the way from the one that was asked for."""

    url: str
    """The URL, with the credentials that belong to it."""
    crossed: bool = False
    """Another host stood before it: what the caller said to the first one is not said to this one."""
    steps: int = 0
    """Redirects until here."""

    def __repr__(self) -> str:
        """Show no secret of the URL."""
        return f"Hop({redact(self.url)!r}, crossed={self.crossed}, steps={self.steps})"

    def to(self, location: str) -> Hop:
        """Return where a redirect leads. Raises RefusedError when that is no place to go."""
        if self.steps == MAX_REDIRECTS:
            raise RefusedError(self.url, f"it redirects more than {MAX_REDIRECTS} times")
        found = target(self.url, location)
        return Hop(found, self.crossed or Origin.of(found) != Origin.of(self.url), self.steps + 1)


def target(url: str, location: str | None) -> str:
    """Return where a redirect leads. Raises RefusedError when that is no place to go."""
    if not location:
        raise RefusedError(url, "it redirects without saying where to")
    if len(location) > MAX_TARGET:
        raise RefusedError(url, f"it redirects to a URL of more than {MAX_TARGET} characters")
    try:
        found = urljoin(split_credentials(url)[0], quote(location.encode("latin-1"), safe=_KEPT))
        before, after = Origin.of(url), Origin.of(found)
    except ValueError:
        raise RefusedError(url, "it redirects to something that is no URL") from None
    if after.scheme not in ("http", "https") or not after.host:
        raise RefusedError(url, f"it redirects to {redact(found)}, which is no http URL")
    if before.scheme == "https" and after.scheme == "http":
        raise RefusedError(url, f"it redirects from https to {redact(found)}, which is not protected")
    if before == after:
        return before.with_credentials_of(url, found)
    return split_credentials(found)[0]


class Redirects:
    """Remember where URLs led, so that each range of a file does not pay for it again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Hop]] = {}
        self._lock = threading.Lock()

    def of(self, url: str) -> Hop | None:
        """Return where a URL led a moment ago."""
        since, hop = self._known.get(url, (0.0, None))
        return hop if time.monotonic() - since < MEMORY else None

    def learn(self, url: str, hop: Hop) -> None:
        """Remember where a URL led."""
        with self._lock:
            self._known.pop(url, None)
            while len(self._known) >= _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[url] = (time.monotonic(), hop)

    def forget(self, url: str) -> None:
        """Forget where a URL led: the target does not serve it."""
        with self._lock:
            self._known.pop(url, None)
