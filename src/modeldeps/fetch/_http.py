"""The transport of `http://` and `https://`, by urllib3."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from modeldeps import __version__
from modeldeps.errors import BrokenTransferError, NotFoundError, RefusedError, redact
from modeldeps.fetch import _reasons
from modeldeps.fetch._origin import Origin, split_credentials
from modeldeps.fetch._pace import Pace
from modeldeps.fetch._transport import MAX_BLOCK, Body, Request, open_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse, PoolManager

    from modeldeps.errors import SourceError

MAX_REDIRECTS = 10
MAX_KEPT = 16
"""Connections kept to one host; threads that need more make their own."""
CONNECT_TIMEOUT = 10.0
"""Seconds until a connection must stand."""
READ_TIMEOUT = 30.0
"""Seconds until the next bytes must come."""

_WHOLE, _PART = 200, 206
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_EVERYWHERE = frozenset({"accept", "accept-encoding", "range", "user-agent"})
_PRINTED = re.compile(r"[!-~]+", re.ASCII)
_KEPT = "%!#$&'()*+,/:;=?@[]~"
"""What stays as it is in a redirect's target (RFC 3986); the rest is escaped: servers send raw UTF-8."""
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)


class HttpTransport:
    """Open `http(s)://` URLs; connections are kept, credentials stay with the host that they belong to."""

    def __init__(self) -> None:
        self._pools: dict[str, PoolManager] = {}

    def open(self, request: Request) -> Body:
        """Ask for a URL, or a range of it, through redirects."""
        wanted = {"User-Agent": f"modeldeps/{__version__}", **request.headers, "Accept-Encoding": "identity"}
        if request.start or request.end is not None:
            last = "" if request.end is None else request.end - 1
            wanted["Range"] = f"bytes={request.start}-{last}"
        response, final = self._follow(request.url, wanted)
        try:
            return _body(response, final, request)
        except BaseException:
            response.close()
            raise

    def open_each(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """Ask for several URLs in order."""
        return open_in_turn(self, requests)

    def _follow(self, url: str, headers: Mapping[str, str]) -> tuple[BaseHTTPResponse, str]:
        """Return the first answer that is no redirect, and the URL that gave it."""
        sent = dict(headers)
        for _ in range(MAX_REDIRECTS + 1):
            response = self._ask(url, sent)
            if response.status not in _REDIRECTS:
                return response, url
            response.close()
            target = _target(url, response.headers.get("Location"))
            if Origin.of(target) != Origin.of(url):
                sent = {name: value for name, value in sent.items() if name.lower() in _EVERYWHERE}
            url = target
        raise RefusedError(url, f"it redirects more than {MAX_REDIRECTS} times")

    def _ask(self, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError

        plain, authorization = _split(url)
        sent = {**headers, **({"Authorization": authorization} if authorization else {})}
        try:
            return self._pool(plain).request(
                "GET", plain, headers=sent, preload_content=False, decode_content=False, redirect=False
            )
        except (HTTPError, OSError, ValueError) as error:
            raise _reasons.failure(url, error) from None

    def _pool(self, url: str) -> PoolManager:
        """Return the connections for a URL: direct, or through the proxy that the system names."""
        from urllib3 import PoolManager, ProxyManager, Timeout

        proxy = Origin.of(url).proxy()
        if proxy not in self._pools:
            timeout = Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT)
            if not proxy:
                self._pools[proxy] = PoolManager(maxsize=MAX_KEPT, retries=False, timeout=timeout)
            else:
                plain, authorization = split_credentials(proxy)
                secret = {"proxy-authorization": authorization} if authorization else {}
                self._pools[proxy] = ProxyManager(
                    plain, proxy_headers=secret, maxsize=MAX_KEPT, retries=False, timeout=timeout
                )
        return self._pools[proxy]


def _split(url: str) -> tuple[str, str]:
    try:
        Origin.of(url)
        parts = split_credentials(url)
    except ValueError:
        parts = None
    if parts is None or not _PRINTED.fullmatch(url):
        raise RefusedError(url, "it is no URL that can be asked")
    return parts


def _target(url: str, location: str | None) -> str:
    """Return where a redirect leads. Raises RefusedError when that is no place to go."""
    if not location:
        raise RefusedError(url, "it redirects without saying where to")
    try:
        target = urljoin(split_credentials(url)[0], quote(location.encode("latin-1"), safe=_KEPT))
        before, after = Origin.of(url), Origin.of(target)
    except ValueError:
        raise RefusedError(url, "it redirects to something that is no URL") from None
    if after.scheme not in ("http", "https") or not after.host:
        raise RefusedError(url, f"it redirects to {redact(target)}, which is no http URL")
    if before.scheme == "https" and after.scheme == "http":
        raise RefusedError(url, f"it redirects from https to {redact(target)}, which is not protected")
    if before == after:
        return before.with_credentials_of(url, target)
    return split_credentials(target)[0]


def _body(response: BaseHTTPResponse, url: str, asked: Request) -> Body:
    """Check the head of an answer and return its body."""
    status, headers = response.status, response.headers
    if status in (404, 410):
        raise NotFoundError(url, f"{status}, it is not there")
    if status in _BUSY:
        wait = _reasons.retry_after(headers.get("Retry-After"))
        raise BrokenTransferError(url, f"{status} {_reasons.phrase(status)}", retry_after=wait)
    if status != _WHOLE and not (status == _PART and (asked.start or asked.end is not None)):
        raise RefusedError(url, f"{status} {_reasons.phrase(status)}")
    if (coding := headers.get("Content-Encoding", "identity").strip().lower()) not in ("", "identity"):
        raise RefusedError(url, f"it sends the bytes encoded ({ascii(coding)[:40]}), which was not asked for")
    if status == _PART:
        return Body(asked.start, _range(url, headers, asked), _blocks(response, url), response.close)
    return Body(0, _length(headers.get("Content-Length")), _blocks(response, url), response.close)


def _range(url: str, headers: Mapping[str, str], asked: Request) -> int | None:
    """Return the whole size that a 206 answer states (RFC 9110, section 14.4), its range checked."""
    found = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if found is None or not _fits(int(found[1]), int(found[2]) + 1, found[3], asked):
        until = "on" if asked.end is None else f"to {asked.end - 1}"
        raise RefusedError(
            url, f"it answers a request for the bytes from {asked.start} {until} with another range"
        )
    return None if found[3] == "*" else int(found[3])


def _fits(start: int, end: int, size: str, asked: Request) -> bool:
    """Tell whether a range is the one that was asked for, its end cut to the size of the thing."""
    ends = {asked.end} if size == "*" else {min(int(size), asked.end or int(size))}
    return start == asked.start and end > start and (end in ends or (asked.end is None and size == "*"))


def _length(text: str | None) -> int | None:
    fine = text is not None and text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - below 2**63
    return int(text) if fine and text is not None else None


def _blocks(response: BaseHTTPResponse, url: str) -> Iterator[bytes]:
    """Hand out what each read of the socket gives, so that a slow source is seen as it is."""
    from urllib3.exceptions import HTTPError

    pace = Pace(url)
    while True:
        try:
            block = response.read1(MAX_BLOCK, decode_content=False)
        except (HTTPError, OSError, ValueError) as error:
            raise _reasons.failure(url, error) from None
        if not block:
            return
        pace.check(len(block))
        yield block
