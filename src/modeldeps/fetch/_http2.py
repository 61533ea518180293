"""Many requests on one HTTP/2 connection, by the library h2 where it is installed (RFC 9113)."""

from __future__ import annotations

import contextlib
import importlib.util
import ssl
import time
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

from modeldeps._frozen import field, record
from modeldeps.fetch._head import Head, LyingError, WireError, check_framing
from modeldeps.fetch._leash import LOOSE
from modeldeps.fetch._session import Session
from modeldeps.fetch._wire import EndedError, Wire

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from h2.connection import H2Connection
    from h2.events import Event

    from modeldeps.fetch._each import Each
    from modeldeps.fetch._leash import Leash
    from modeldeps.fetch._route import Route
    from modeldeps.fetch._session import Step
    from modeldeps.fetch._transport import Block

PROTOCOLS = ("h2", "http/1.1")
"""What is offered to a server, the best first."""
STREAMS = 16
"""Requests on the way, at most."""
STREAM_WINDOW = 1 << 17
"""Bytes of an answer that may come before it is asked for; sixteen of them are 2 MiB of memory."""
FIRST_WINDOW = 1 << 20
"""Bytes that the answer which is being read may be ahead."""
CONNECTION_WINDOW = 1 << 24
"""Bytes of all answers together; it never binds, for the streams' own windows do."""
_CREDIT = 1 << 17
"""Bytes that were taken until the server is told so."""
_MAX_FRAME, _FRAME_HEAD = 1 << 14, 9
"""Bytes of a frame, at most, and of what stands before them."""
_CRUMBS = 1 << 15
"""Bytes of other answers that are worth another wait for the one that is read."""
_CANCEL = 8
"""The error code of a stream that nobody wants any more (RFC 9113, section 7)."""


@lru_cache(maxsize=1)
def is_available() -> bool:
    """Tell whether HTTP/2 can be spoken here."""
    return importlib.util.find_spec("h2") is not None


def is_chosen(sock: socket.socket) -> bool:
    """Tell whether the server chose HTTP/2."""
    return isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() == "h2"


@record
class _Stream:
    """One answer."""

    number: int
    head: Head | None = None
    data: deque[bytes] = field(default_factory=deque)
    taken: int = 0
    """Bytes that were taken and that the server was not told of."""
    ended: bool = False
    error: str = ""


class Multiplex(Session):
    """One connection; the answers come in any order and are held back, in bounds, until their turn."""

    def __init__(self, sock: socket.socket, route: Route, *, timeout: float, leash: Leash = LOOSE) -> None:
        super().__init__(route, used=False)
        self._wire = Wire(sock, timeout=timeout, leash=leash)
        self._timeout = timeout
        self._streams: dict[int, _Stream] = {}
        self._order: deque[_Stream] = deque()
        self._now: _Stream | None = None
        self._credit = 0
        self._bytes = bytearray()
        self._closing = False
        self._useful = time.monotonic()
        self._crumbs = 0
        self._h2 = _connection()

    @property
    def is_stale(self) -> bool:
        """The other side closed it, or has something to say: a new one is simpler."""
        return self._closing or self._wire.is_stale

    def close(self) -> None:
        """Let go of it."""
        self._wire.close()

    def release(self) -> None:
        """Let go of this process's part of it."""
        self._wire.release()

    def bind(self, leash: Leash) -> None:
        """Let something end it from outside while it is in use. Raises WireError."""
        self._wire.bind(leash)

    def unbind(self) -> None:
        """Let nothing end it from outside any more."""
        self._wire.unbind()

    def again(self) -> Multiplex:
        """Begin a new order on the same connection."""
        Session.__init__(self, self.route, used=True)
        return self

    @property
    def window(self) -> int:
        """Requests on the way, at most; none more after a GOAWAY, but what is on the way is heard."""
        if self._closing:
            return 0
        return max(1, min(STREAMS, self._h2.remote_settings.max_concurrent_streams))

    @property
    def few(self) -> int:
        """A stream that is free is used at once: a request is no more than a frame."""
        return self.window - 1

    def send(self, steps: list[Step]) -> None:
        """Send requests, each on a stream. Raises OSError, WireError."""
        with _words():
            for step in steps:
                number = self._h2.get_next_available_stream_id()
                self._h2.send_headers(number, _fields(step), end_stream=True)
                self._streams[number] = stream = _Stream(number)
                self._order.append(stream)
            self._flush()

    def head(self) -> Head:
        """Return the head of the answer to the first on the way. Raises OSError, WireError."""
        stream = self._now = self._order.popleft()
        self._useful = time.monotonic()
        with _words():
            self._widen(FIRST_WINDOW, stream)
            while stream.head is None:
                if stream.error:
                    raise WireError(stream.error)
                self._pump()
        return stream.head

    def blocks(self, head: Head) -> Iterator[Block]:
        """Yield the body of the answer that is being read. Raises OSError, WireError."""
        del head
        stream = self._now
        while stream is not None and stream is self._now:
            while stream.data:
                block = stream.data.popleft()
                self._took(stream, len(block))
                yield block
                self._useful = time.monotonic()  # nobody waited for the server meanwhile
            if stream.error:
                raise WireError(stream.error)
            if stream.ended:
                return
            with _words():
                self._pump()

    def leave(self, head: Head) -> None:
        """Tell the server that the rest of the body is not wanted."""
        del head
        stream, self._now = self._now, None
        if stream is None:
            return
        self._streams.pop(stream.number, None)
        if stream.ended or stream.error:
            return
        try:
            with _words():
                self._h2.reset_stream(stream.number, _CANCEL)
                self._flush()
        except (OSError, WireError):
            self.failed = True

    def goes_on(self, head: Head) -> bool:
        """Come to the next answer."""
        self.leave(head)
        return not self.failed

    def end(self, each: Each) -> None:
        """Keep the connection where nothing is on the way."""
        if self.asked or self.failed or self._closing or self._streams:
            self._wire.close()
        else:
            each.client.keep_mux(self.route, self)

    def _took(self, stream: _Stream, count: int) -> None:
        stream.taken += count
        if stream.taken >= _CREDIT:
            with _words():
                self._widen(stream.taken, stream)
                self._flush()
            stream.taken = 0

    def _widen(self, count: int, stream: _Stream) -> None:
        """Let more of an answer come."""
        if not (stream.ended or stream.error):
            self._h2.increment_flow_control_window(count, stream.number)

    def _pump(self) -> None:
        """Take what the server says next. Raises OSError, WireError, TimeoutError."""
        self._flush()
        data = self._wire.some()
        if not data:
            raise EndedError
        self._bytes += data
        while frame := self._frame():
            for event in self._h2.receive_data(frame):
                self._note(event)
        if self._credit >= _CREDIT:
            self._h2.increment_flow_control_window(self._credit)
            self._credit = 0
        self._flush()
        if time.monotonic() - self._useful > self._timeout:
            raise TimeoutError("no more bytes came in time")

    def _frame(self) -> bytes:
        """Return the next whole frame (RFC 9113, section 4.1), or nothing. Raises LyingError."""
        length = int.from_bytes(self._bytes[:3], "big")
        if length > _MAX_FRAME:
            raise LyingError("it sends larger pieces than were allowed")
        if len(self._bytes) < _FRAME_HEAD + length:
            return b""
        frame = bytes(self._bytes[: _FRAME_HEAD + length])
        del self._bytes[: len(frame)]
        return frame

    def _flush(self) -> None:
        if data := self._h2.data_to_send():
            self._wire.send(data)

    def _note(self, event: Event) -> None:
        """Note one event with the stream that it is about."""
        from h2 import events

        if isinstance(event, events.ConnectionTerminated):
            self._goes_away(event.last_stream_id or 0, is_calm=not event.error_code)
            return
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, events.DataReceived):
            self._credit += event.flow_controlled_length
            if stream is not None and event.data:
                stream.data.append(event.data)
                stream.taken += event.flow_controlled_length - len(event.data)
                self._came(stream, len(event.data))
        if stream is None:
            return
        if isinstance(event, events.ResponseReceived):
            stream.head = _head(event.headers)
            self._useful = time.monotonic()
        elif isinstance(event, events.StreamEnded):
            stream.ended = True
        elif isinstance(event, events.StreamReset):
            stream.error = "the connection was closed before the end"

    def _came(self, stream: _Stream, count: int) -> None:
        """Wait anew for the answer that is read; crumbs of others are no reason to."""
        self._crumbs += count
        if stream is self._now or self._crumbs >= _CRUMBS:
            self._useful, self._crumbs = time.monotonic(), 0

    def _goes_away(self, last: int, *, is_calm: bool) -> None:
        """
        Note that the server answers nothing after a stream (RFC 9113, section 6.8).

        What it answers still comes, but h2 takes the connection for closed then and would read no
        further frame; each is given to it alone, so that its state can be put back in between.
        """
        from h2.connection import ConnectionState

        self._closing = True
        if is_calm:
            self._h2.state_machine.state = ConnectionState.CLIENT_OPEN
        for number, stream in self._streams.items():
            if number > last:
                stream.error = "the connection was closed before the end"


def _connection() -> H2Connection:
    """Return the state of a new connection, its first words ready to be sent."""
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.settings import SettingCodes, Settings

    made = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
    made.local_settings = Settings(
        client=True,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
        },
    )
    made.initiate_connection()
    made.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
    return made


def _fields(step: Step) -> list[tuple[str, str]]:
    asked = step.asked
    said = [(name.lower(), value) for name, value in asked.fields.items() if name != "Host"]
    first = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", asked.fields["Host"]),
        (":path", asked.target),
    ]
    return first + [(name, value) for name, value in said if name not in _HOP_BY_HOP]


_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
)
"""What HTTP/2 does not have (RFC 9113, section 8.2.2)."""


def _head(fields: object) -> Head:
    """Return the head of an answer. Raises LyingError."""
    found: dict[str, list[str]] = {}
    for name, value in fields if isinstance(fields, list) else ():
        found.setdefault(str(name), []).append(str(value))
    status = "".join(found.pop(":status", []))
    if not (status.isascii() and status.isdigit() and len(status) == 3):  # noqa: PLR2004 - RFC 9110, section 15
        raise LyingError("what it answers is not HTTP")
    head = Head(int(status), 2, found)
    check_framing(head)
    return head


@contextlib.contextmanager
def _words() -> Iterator[None]:
    """Turn what h2 raises into an error of ours."""
    from h2.exceptions import H2Error

    try:
        yield
    except H2Error as error:
        raise WireError(f"what it answers is not HTTP/2 ({type(error).__name__})") from None
