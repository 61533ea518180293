"""The transport that speaks through conda's own session: its proxies, certificates and credentials."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from modeldeps.errors import BrokenTransferError, DeniedError, RefusedError
from modeldeps.fetch import MAX_BLOCK, Body, Head, judge, open_in_turn, transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modeldeps.errors import SourceError
    from modeldeps.fetch import Opener, Request, Transport

_SENT = "what conda's configuration has for it"
_KNOWN = "give conda the credentials of that channel: in its URL, in ~/.netrc or by an auth handler"
_BLOCK = min(MAX_BLOCK, 1 << 18)


def opener_for(context: Any, secrets: Mapping[str, str], own: Sequence[str]) -> Opener:
    """
    Return who gives the transport of a URL inside a conda command.

    `secrets` has the bases of conda's channels as they may be shown, each with the one that holds its
    credentials; `own` are the user's channels and mirrors, which modeldeps asks in its own way.
    """
    through_conda = CondaTransport(context, secrets)

    def opener(url: str) -> Transport:
        is_own = url.startswith(tuple(own))
        return transport(url) if is_own or url.startswith("file:") else through_conda

    return opener


class CondaTransport:
    """Open URLs through conda's session, one for each thread as conda wants it."""

    def __init__(
        self,
        context: Any,
        secrets: Mapping[str, str],
        session: Callable[[str], Any] | None = None,
    ) -> None:
        self._secrets = dict(secrets)
        self._session = session or _session
        self._kept = threading.local()
        self._timeout = (
            getattr(context, "remote_connect_timeout_secs", 10.0),
            getattr(context, "remote_read_timeout_secs", 60.0),
        )

    def open(self, request: Request) -> Body:
        """Ask for a URL, or a range of it. Raises SourceError, which shows no credentials."""
        request.leash.check()
        answer = self._ask(request)
        close = _Closing(answer, request)
        try:
            head = _head(answer)
            found = judge(head, request.url, request, sent=_SENT)
        except DeniedError as error:
            close()
            raise RefusedError(request.url, error.reason, advice=_KNOWN) from None
        except BaseException:
            close()
            raise
        blocks = found.blocks(_blocks(answer.raw, request.url, close))
        return Body(found.start, found.size, blocks, close=close, end=found.end)

    def open_each(self, requests: Iterable[Request]) -> Iterator[Body | SourceError]:
        """Open several URLs in order."""
        return open_in_turn(self, requests)

    def _ask(self, request: Request) -> Any:
        base = next((one for one in self._secrets if request.url.startswith(one)), "")
        url = self._secrets.get(base, "") + request.url[len(base) :]
        headers = {**request.headers, "Accept-Encoding": "identity"}
        if request.start or request.end is not None:
            headers["Range"] = f"bytes={request.start}-{'' if request.end is None else request.end - 1}"
        try:
            return self._of(base, url).get(url, headers=headers, stream=True, timeout=self._timeout)
        except Exception as error:  # noqa: BLE001 - requests' and conda's errors show URLs with credentials
            raise _failure(request.url, error) from None

    def _of(self, base: str, url: str) -> Any:
        """Return this thread's session for a channel; the rest of the world has one too."""
        sessions = self._kept.__dict__.setdefault("sessions", {})
        key = base or url.split("/")[2:3][0]
        if key not in sessions:
            sessions[key] = self._session(url)
        return sessions[key]


class _Closing:
    """Let go of an answer; a call from outside ends its connection."""

    def __init__(self, answer: Any, request: Request) -> None:
        self._answer = answer
        self._leash = request.leash
        sock = getattr(getattr(answer.raw, "_connection", None), "sock", None)
        self._socket = sock if isinstance(sock, socket.socket) else None
        if self._socket is not None:
            self._leash.hold(self._socket)

    def __call__(self) -> None:
        if self._socket is not None:
            self._leash.free(self._socket)
            self._socket = None
        with contextlib.suppress(Exception):  # the bytes are here, or given up
            self._answer.close()


def _session(url: str) -> Any:
    """Return conda's session; what it remembers by URL would be that of another thread."""
    from conda.gateways.connection.session import get_session

    return getattr(get_session, "__wrapped__", get_session)(url)


def _head(answer: Any) -> Head:
    fields = {name.lower(): [value] for name, value in answer.headers.items()}
    return Head(answer.status_code, 1, fields)


def _blocks(raw: Any, url: str, close: Callable[[], None]) -> Iterator[bytes]:
    plain = {"decode_content": False} if hasattr(raw, "decode_content") else {}
    try:
        while block := raw.read(_BLOCK, **plain):
            yield block
    except Exception as error:  # noqa: BLE001 - urllib3's errors are of many kinds
        raise BrokenTransferError(url, f"the transfer failed ({type(error).__name__})") from None
    finally:
        close()


def _failure(url: str, error: Exception) -> SourceError:
    """Say in words without a URL why conda's session did not bring an answer; it tried several times."""
    name = type(error).__name__
    if "SSL" in name:
        return RefusedError(url, "no trusted connection", advice="see ssl_verify in conda's configuration")
    if "Proxy" in name:
        return RefusedError(url, "the proxy failed", advice="see proxy_servers in conda's configuration")
    if "Timeout" in name:
        return BrokenTransferError(url, "no answer in time")
    if "ConnectionError" in name:
        return RefusedError(url, "no connection, though conda tried several times")
    return RefusedError(url, f"conda could not ask it ({name})")
