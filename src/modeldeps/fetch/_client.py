"""Ask one HTTP server one thing: the connection, the words of the request, the head of the answer."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from modeldeps import __version__
from modeldeps._frozen import dataclass, field, record
from modeldeps.errors import ConfigError, RefusedError, SourceError
from modeldeps.fetch import _reasons, _trust_roots
from modeldeps.fetch._credentials import Credentials
from modeldeps.fetch._head import Head, WireError
from modeldeps.fetch._leash import LOOSE, Leash
from modeldeps.fetch._netrc import Credential
from modeldeps.fetch._origin import Origin, split_credentials
from modeldeps.fetch._pool import Pool
from modeldeps.fetch._route import Route, Timeouts
from modeldeps.fetch._wire import EndedError, Wire

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Mapping

    from modeldeps.config import Settings
    from modeldeps.fetch._http2 import Multiplex
    from modeldeps.fetch._redirects import Hop
    from modeldeps.fetch._transport import Request

HTTP1 = ("http/1.1",)
_EVERYWHERE = frozenset({"accept", "user-agent"})
"""What the caller may say to a host that another one names."""
_OURS = frozenset({"accept-encoding", "connection", "host", "range"})
_PATH = re.compile(r"https?://([A-Za-z0-9.:-]+)(/[!-\"$->@-~]*)", re.ASCII)
"""A URL whose path and host can be read in one way only; it has neither query nor fragment."""
_FIRST = {"User-Agent": f"modeldeps/{__version__}", "Accept": "*/*"}
"""What is said of who asks, unless the caller says something else."""
_PRINTED = re.compile(r"[!-~]+", re.ASCII)
_VALUE = re.compile(r"[\t -~]*", re.ASCII)


K = TypeVar("K", "Wire", "Multiplex")


@dataclass(frozen=True)
class Asked:
    """A request in the words of HTTP."""

    route: Route
    """Where it goes."""
    url: str
    """The URL, without credentials."""
    fields: Mapping[str, str] = field(repr=False)
    """Names and values, `Host` first; a credential may be among them."""
    sent: str
    """Which kind of credential is among them, in words."""
    leash: Leash = field(default=LOOSE, repr=False, compare=False)
    """What ends it from outside."""

    @property
    def target(self) -> str:
        """Path and query."""
        if found := _PATH.fullmatch(self.url):
            return found[2]
        parts = urlsplit(self.url)
        return f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"

    def encode(self) -> bytes:
        """Return the request as HTTP/1.1 has it."""
        target, fields = self.target, dict(self.fields)
        if self.route.is_forwarded and self.route.proxy is not None:
            target = f"{self.route.origin.scheme}://{fields['Host']}{target}"
            if self.route.proxy.authorization:
                fields["Proxy-Authorization"] = self.route.proxy.authorization
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")


@record
class Exchange:
    """A request whose answer has begun."""

    asked: Asked
    """The request."""
    wire: Wire
    """The connection; nobody else's until `finish`."""
    head: Head
    """The head of the answer."""
    done: Callable[[Exchange], None]
    """Takes the connection back."""

    def finish(self) -> None:
        """Let go of the connection, once; what was not read yet is not read."""
        done, self.done = self.done, _nothing
        done(self)


def _nothing(exchange: Exchange) -> None:
    """Do nothing a second time."""


class Client:
    """Keep connections, and know what is said to whom."""

    def __init__(self, settings: Settings, *, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        """How long servers are waited for."""
        self._settings = settings
        self._credentials = Credentials(settings.tokens)
        self._routes: dict[Origin, Route] = {}
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._lock = threading.Lock()
        self._pool: Pool[Wire] = Pool()
        self._muxes: Pool[Multiplex] = Pool()

    def prepare(self, request: Request, hop: Hop) -> Asked:
        """Return a request in the words of HTTP. Raises RefusedError where its URL can't be asked."""
        plain, host = _split(hop.url)
        origin = Origin.of(plain)
        if origin not in self._routes:
            self._routes[origin] = Route.to(plain)
        said = _FIRST if not request.headers else {**_FIRST, **_said(request, hop)}
        credential = self._credential(said, hop, self._routes[origin])
        fields = {"Host": host, **said, "Accept-Encoding": "identity"}
        if credential.header:
            fields["Authorization"] = credential.header
        if request.start or request.end is not None:
            fields["Range"] = f"bytes={request.start}-{'' if request.end is None else request.end - 1}"
        return Asked(self._routes[origin], plain, fields, credential.kind, request.leash)

    def _credential(self, said: Mapping[str, str], hop: Hop, route: Route) -> Credential:
        if any(name.lower() == "authorization" for name in said):
            return Credential("what the caller said")
        return self._credentials.of(hop.url, overheard=route.is_forwarded)

    def ask(self, asked: Asked) -> Exchange:
        """Return the answer that begins. Raises SourceError."""
        while kept := self._pool.take(asked.route):
            if exchange := self._try(asked, kept):
                return exchange
        return self._exchange(asked, self.wire(asked))

    def _try(self, asked: Asked, wire: Wire) -> Exchange | None:
        """Ask on a kept connection; None where its end is all that came: servers close idle ones."""
        try:
            return self._exchange(asked, wire)
        except SourceError:
            if wire.heard or not wire.ended:
                raise
            return None

    def _exchange(self, asked: Asked, wire: Wire) -> Exchange:
        try:
            wire.bind(asked.leash)
            return Exchange(asked, wire, wire.ask(asked.encode()), self._take_back)
        except (OSError, WireError, ValueError) as error:
            wire.ended = isinstance(error, (EndedError, ConnectionError))
            wire.close()
            raise _reasons.failure(asked.url, error) from None
        except BaseException:
            wire.close()
            raise

    def wire(self, asked: Asked) -> Wire:
        """Return a new connection for HTTP/1.1. Raises SourceError."""
        sock = self.dial(asked, HTTP1)
        try:
            return Wire(sock, timeout=self.timeouts.read, leash=asked.leash)
        except OSError as error:
            asked.leash.free(sock)
            sock.close()
            raise _reasons.failure(asked.url, error) from None

    def dial(self, asked: Asked, protocols: tuple[str, ...]) -> socket.socket:
        """Return a new connection that offers protocols. Raises SourceError, ConfigError."""
        try:
            return asked.route.dial(lambda: self._context(protocols), self.timeouts, asked.leash)
        except ConfigError:
            raise
        except (OSError, WireError, ValueError) as error:
            raise _reasons.failure(asked.url, error) from None

    def keep(self, route: Route, wire: Wire) -> None:
        """Take back a connection that is between two answers."""
        wire.unbind()
        self._pool.give(route, wire)

    def take(self, asked: Asked) -> Wire | None:
        """Return a kept connection, if there is one. Raises SourceError."""
        return self._bound(self._pool.take(asked.route), asked)

    def keep_mux(self, route: Route, mux: Multiplex) -> None:
        """Take back a connection of HTTP/2 that nothing is on the way on."""
        mux.unbind()
        self._muxes.give(route, mux)

    def take_mux(self, asked: Asked) -> Multiplex | None:
        """Return a kept connection of HTTP/2, ready for a new order, if there is one. Raises SourceError."""
        found = self._bound(self._muxes.take(asked.route), asked)
        return found.again() if found else None

    def _bound(self, kept: K | None, asked: Asked) -> K | None:
        """Let a connection be ended from outside. Raises SourceError."""
        if kept is None:
            return None
        try:
            kept.bind(asked.leash)
        except WireError as error:
            kept.close()
            raise _reasons.failure(asked.url, error) from None
        return kept

    def _take_back(self, exchange: Exchange) -> None:
        if exchange.wire.skip(exchange.head) and not exchange.head.closes:
            self.keep(exchange.asked.route, exchange.wire)
        else:
            exchange.wire.close()

    def _context(self, protocols: tuple[str, ...]) -> ssl.SSLContext:
        with self._lock:  # it takes 20 ms, once
            if protocols not in self._contexts:
                self._contexts[protocols] = _trust_roots.context(
                    protocols,
                    certificates=self._settings.certificates,
                    client=self._settings.client_certificate,
                )
            return self._contexts[protocols]


def _said(request: Request, hop: Hop) -> dict[str, str]:
    """Return what the caller says, less what is ours to say and what a further host may not hear."""
    said = {
        name: value
        for name, value in request.headers.items()
        if name.lower() not in _OURS and (not hop.crossed or name.lower() in _EVERYWHERE)
    }
    if not all(_PRINTED.fullmatch(name) and _VALUE.fullmatch(value) for name, value in said.items()):
        raise RefusedError(hop.url, "a header for it holds what no header may hold")
    return said


def _host(plain: str) -> str:
    """Return what stands between the scheme and the path of a URL. Raises ValueError."""
    found = _PATH.fullmatch(plain)
    return found[1] if found else urlsplit(plain).netloc


def _split(url: str) -> tuple[str, str]:
    """Return a URL without its credentials, and its host as `Host` has it."""
    try:
        origin, plain = Origin.of(url), split_credentials(url)[0]
        host = _host(plain)
    except ValueError:
        origin, plain, host = Origin("", "", None), "", ""
    if not origin.host or not (_PATH.fullmatch(url) or _PRINTED.fullmatch(url)):
        raise RefusedError(url, "it is no URL that can be asked")
    return plain, host
