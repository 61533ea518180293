"""Ask for many things in order, several on the way at once where the server can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors import SourceError
from modeldeps.fetch import _http2
from modeldeps.fetch._pipeline import Pipeline
from modeldeps.fetch._redirects import Hop
from modeldeps.fetch._session import Session, Step, Waiting
from modeldeps.fetch._wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from modeldeps.fetch._client import Client
    from modeldeps.fetch._redirects import Redirects
    from modeldeps.fetch._route import Route
    from modeldeps.fetch._transport import Body, Request

MAX_STRIKES = 3
"""
Connections in a row that may end too early, before another way is taken for good.

Pipelining comes first, since it is the fastest; then HTTP/2, where the server and an installed library
speak it; then one request at a time.
"""
_ENOUGH = 2
"""Answers that a connection must bring to be worth more than a request of its own."""


class Strikes:
    """How often each way of asking a server for several things failed."""

    def __init__(self) -> None:
        self.pipelining: dict[Route, int] = {}
        """Connections of HTTP/1.1 in a row that brought little."""
        self.http2: dict[Route, int] = {}
        """Connections of HTTP/2 in a row that brought little."""

    def may_pipeline(self, route: Route) -> bool:
        """Tell whether several requests may be sent ahead."""
        return route.proxy is None and self.pipelining.get(route, 0) < MAX_STRIKES

    def may_multiplex(self, route: Route) -> bool:
        """Tell whether HTTP/2 may be offered."""
        fit = route.proxy is None and route.origin.scheme == "https" and _http2.is_available()
        return fit and self.http2.get(route, 0) < MAX_STRIKES


class Each:
    """One order of many requests."""

    def __init__(
        self,
        client: Client,
        redirects: Redirects,
        open_one: Callable[[Request], Body],
        strikes: Strikes,
    ) -> None:
        self.client = client
        """Makes connections."""
        self.redirects = redirects
        """Where URLs lead."""
        self._open_one = open_one
        self._strikes = strikes

    def run(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """Yield an answer for each."""
        waiting = Waiting(iter(requests))
        while (request := waiting.peek()) is not None:
            step = self.prepare(request)
            if isinstance(step, SourceError):
                waiting.pop()
                yield step
            elif self._is_single(step.asked.route):
                waiting.pop()
                yield self.one(request)
            else:
                yield from self._together(step, waiting)

    def prepare(self, request: Request) -> Step | SourceError:
        """Return a request in the words of HTTP."""
        hop = self.redirects.of(request.url) or Hop(request.url)
        try:
            return Step(request, hop, self.client.prepare(request, hop))
        except SourceError as error:
            return error

    def one(self, request: Request) -> Body | SourceError:
        """Answer one request on a connection of its own."""
        try:
            return self._open_one(request)
        except SourceError as error:
            return error

    def _together(self, step: Step, waiting: Waiting) -> Iterator[Body | SourceError]:
        try:
            session = self._session(step)
        except SourceError as error:
            self.redirects.forget(waiting.pop().url)
            yield error
            return
        try:
            yield from session.run(self, waiting)
        finally:
            self._judge(step.asked.route, session)

    def _is_single(self, route: Route) -> bool:
        return not self._strikes.may_pipeline(route) and not self._strikes.may_multiplex(route)

    def _judge(self, route: Route, session: Session) -> None:
        """Count connections that were worth less than a request of its own."""
        is_http2 = isinstance(session, _http2.Multiplex)
        counts = self._strikes.http2 if is_http2 else self._strikes.pipelining
        if session.alone:
            counts[route] = MAX_STRIKES
        elif session.failed and session.answered < _ENOUGH and not session.used:
            counts[route] = counts.get(route, 0) + 1
        elif not session.failed:
            counts.pop(route, None)

    def _session(self, step: Step) -> Session:
        """Return a connection to a route: one that is kept, or a new one. Raises SourceError."""
        client, asked, route = self.client, step.asked, step.asked.route
        if mux := client.take_mux(asked):
            return mux
        if self._strikes.may_pipeline(route):
            if wire := client.take(asked):
                return Pipeline(wire, route, used=True)
            return Pipeline(client.wire(asked), route)
        sock = client.dial(asked, _http2.PROTOCOLS)
        timeout = client.timeouts.read
        if _http2.is_chosen(sock):
            return _http2.Multiplex(sock, route, timeout=timeout, leash=asked.leash)
        self._strikes.http2[route] = MAX_STRIKES
        return Pipeline(Wire(sock, timeout=timeout, leash=asked.leash), route)
