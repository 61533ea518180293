"""The way to a host: straight or through a proxy, in the clear or under TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.fetch import _dial, _reasons
from modeldeps.fetch._head import LyingError, WireError
from modeldeps.fetch._leash import LOOSE, Leash
from modeldeps.fetch._origin import Origin
from modeldeps.fetch._proxy import Proxy, proxy_of
from modeldeps.fetch._wire import Wire

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

_FINE = 200
_BUSY = 500
_PROXY_AUTHENTICATION = 407


class ProxyError(WireError):
    """The proxy can't be reached."""

    def __init__(self) -> None:
        super().__init__("the proxy can't be reached")


@dataclass(frozen=True)
class Timeouts:
    """How long the other side is waited for."""

    connect: float
    """Seconds until a connection must stand."""
    read: float
    """Seconds until the next bytes must come."""


@dataclass(frozen=True)
class Route:
    """Where connections lead; those of one route may stand for each other."""

    origin: Origin
    """The host that is asked."""
    proxy: Proxy | None = None
    """What stands between."""

    @classmethod
    def to(cls, url: str) -> Route:
        """Return the route to a URL. Raises RefusedError where its proxy can't be used."""
        origin = Origin.of(url)
        return cls(origin, proxy_of(origin, url))

    @property
    def is_forwarded(self) -> bool:
        """A proxy reads the requests and sends its own."""
        return self.proxy is not None and self.origin.scheme == "http"

    def dial(
        self, context: Callable[[], ssl.SSLContext], timeouts: Timeouts, leash: Leash = LOOSE
    ) -> socket.socket:
        """Return a new connection, held by a leash. Raises OSError, WireError, ssl.SSLError."""
        sock = self._connect(timeouts, leash)
        try:
            if self.origin.scheme != "https":
                return sock
            if self.proxy is not None:
                self._tunnel(sock, self.proxy, timeouts, leash)
            return _dial.secure(sock, self.origin.host, context(), timeout=timeouts.connect, leash=leash)
        except BaseException:
            leash.free(sock)
            sock.close()
            raise

    def _connect(self, timeouts: Timeouts, leash: Leash) -> socket.socket:
        origin = self.origin if self.proxy is None else self.proxy.origin
        try:
            return _dial.connect(origin.host, origin.port or 0, timeout=timeouts.connect, leash=leash)
        except OSError:
            if self.proxy is None:
                raise
            raise ProxyError from None

    def _tunnel(self, sock: socket.socket, proxy: Proxy, timeouts: Timeouts, leash: Leash) -> None:
        """Let a proxy pass everything on (RFC 9110, section 9.3.6). Raises OSError, WireError."""
        host = f"[{self.origin.host}]" if ":" in self.origin.host else self.origin.host
        lines = [f"CONNECT {host}:{self.origin.port} HTTP/1.1", f"Host: {host}:{self.origin.port}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        wire = Wire(sock, timeout=timeouts.read, leash=leash)
        head = wire.ask("\r\n".join([*lines, "", ""]).encode("latin-1"))
        if head.status == _PROXY_AUTHENTICATION:
            raise LyingError("407, the proxy wants to know who asks; name it with its user and password")
        if head.status // 100 != _FINE // 100 or wire.holds:
            kind = WireError if head.status >= _BUSY else LyingError
            raise kind(f"the proxy answers {head.status} {_reasons.phrase(head.status)}")
