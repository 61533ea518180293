"""The transport of `http://` and `https://`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.config import settings
from modeldeps.errors import SourceError
from modeldeps.fetch import _reasons, _trust_roots
from modeldeps.fetch._answer import Answer, judge
from modeldeps.fetch._client import Client, Exchange
from modeldeps.fetch._each import Each, Strikes
from modeldeps.fetch._head import WireError
from modeldeps.fetch._redirects import STATUSES, Hop, Redirects
from modeldeps.fetch._route import Timeouts
from modeldeps.fetch._stamps import stamps
from modeldeps.fetch._transport import Body, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.config import Settings
    from modeldeps.fetch._transport import Block

CONNECT_TIMEOUT = 10.0
"""Seconds until a connection must stand."""
READ_TIMEOUT = 30.0
"""Seconds until the next bytes must come."""


class HttpTransport:
    """Open `http(s)://` URLs; connections are kept, credentials stay with the host that they belong to."""

    def __init__(self, chosen: Settings | None = None) -> None:
        timeouts = Timeouts(CONNECT_TIMEOUT, READ_TIMEOUT)
        chosen = settings() if chosen is None else chosen
        self._certificates = _trust_roots.files(chosen.certificates, chosen.client_certificate)
        self._read = stamps(self._certificates)
        self._client = Client(chosen, timeouts=timeouts)
        self._redirects = Redirects()
        self._strikes = Strikes()

    @property
    def is_stale(self) -> bool:
        """A file of certificates changed since."""
        return stamps(self._certificates) != self._read

    def open(self, request: Request) -> Body:
        """Ask for a URL, or a range of it, through redirects."""
        if hop := self._redirects.of(request.url):
            try:
                return self._open(request, hop)
            except SourceError:  # a signed target may have expired
                self._redirects.forget(request.url)
        return self._open(request, Hop(request.url))

    def open_each(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """Ask for several URLs in order, many of them on the way at once."""
        return Each(self._client, self._redirects, self.open, self._strikes).run(requests)

    def _open(self, request: Request, first: Hop) -> Body:
        exchange, hop = self._follow(request, first)
        try:
            answer = judge(exchange.head, hop.url, request, sent=exchange.asked.sent)
        except BaseException:
            exchange.finish()
            raise
        if hop.url != request.url:
            self._redirects.learn(request.url, hop)
        return Body(
            answer.start,
            answer.size,
            answer.blocks(_raw(exchange, answer)),
            close=exchange.finish,
            round_trip=exchange.wire.round_trip,
            end=answer.end,
        )

    def _follow(self, request: Request, hop: Hop) -> tuple[Exchange, Hop]:
        """Return the first answer that is no redirect, and what gave it."""
        while True:
            exchange = self._client.ask(self._client.prepare(request, hop))
            if exchange.head.status not in STATUSES:
                return exchange, hop
            exchange.finish()
            hop = hop.to(exchange.head.get("location"))


def _raw(exchange: Exchange, answer: Answer) -> Iterator[Block]:
    """Yield what comes over the connection, and give it back at the end."""
    try:
        yield from exchange.wire.blocks(exchange.head)
    except (OSError, WireError, ValueError) as error:
        raise _reasons.failure(answer.url, error) from None
    finally:
        exchange.finish()
