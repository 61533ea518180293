"""One connection of an HTTP/2 server that does as it is told, by the library h2."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from h2.config import H2Configuration  # noqa: TID253 - the extra is installed for tests
from h2.connection import H2Connection  # noqa: TID253 - the extra is installed for tests
from h2.events import RequestReceived, StreamReset  # noqa: TID253 - the extra is installed for tests
from h2.exceptions import StreamClosedError  # noqa: TID253 - the extra is installed for tests

if TYPE_CHECKING:
    from collections.abc import Mapping

    import trustme
    from h2.events import Event
    from scripted import Line


def context_of(certificate: trustme.LeafCert, protocols: tuple[str, ...] = ("h2",)) -> ssl.SSLContext:
    """Return what a server offers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(list(protocols))
    return context


class Peer:
    """The server's side of one connection."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.asked: list[tuple[int, dict[str, str]]] = []
        """Stream and headers of each request."""
        self.cancelled: list[int] = []
        self.ended = False

    def begin(self) -> None:
        """Say the first words."""
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what there is to say."""
        self.line.send(self.h2.data_to_send())

    def hear(self) -> bool:
        """Take what the client says next; False at the end."""
        data = self.line.sock.recv(1 << 16)
        for event in self.h2.receive_data(data) if data else ():
            self._note(event)
        if data:
            self.flush()
        return bool(data)

    def _note(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            headers = {str(name): str(value) for name, value in event.headers or ()}
            self.asked.append((event.stream_id or 0, headers))
        elif isinstance(event, StreamReset):
            self.cancelled.append(event.stream_id or 0)

    def request(self) -> tuple[int, str] | None:
        """Return stream and path of the next request, or None at the end."""
        while not self.asked:
            if not self.hear():
                return None
        stream, headers = self.asked.pop(0)
        return stream, headers[":path"]

    def answer(self, stream: int, body: bytes, *, status: int = 200, **headers: object) -> None:
        """Send a whole answer, as the client's windows allow."""
        self.head(stream, status, {"content-length": len(body), **headers})
        self.data(stream, body, end=True)

    def head(self, stream: int, status: int, headers: Mapping[str, object]) -> None:
        """Send a head."""
        fields = [(name.replace("_", "-"), str(value)) for name, value in headers.items()]
        self.h2.send_headers(stream, [(":status", str(status)), *fields])
        self.flush()

    def data(self, stream: int, body: bytes, *, end: bool) -> None:
        """Send bytes of a body."""
        while stream not in self.cancelled:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            piece, body = body[:room], body[room:]
            if piece or not body:
                try:
                    self.h2.send_data(stream, piece, end_stream=end and not body)
                except StreamClosedError:
                    return
                self.flush()
            if not body:
                return
            if not room and not self.hear():
                return
