"""A server that is told byte for byte what to say, in the clear or under TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from modeldeps.errors import SourceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from modeldeps.fetch import Body


@dataclass
class Heard:
    """One request."""

    line: str
    headers: dict[str, str]
    connection: int

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


class Line:
    """One connection of a client."""

    def __init__(self, sock: socket.socket, number: int, server: Scripted) -> None:
        self.sock = sock
        self.number = number
        self.server = server
        self._data = b""

    def request(self) -> Heard | None:
        """Return the next request, or None at the end."""
        while b"\r\n\r\n" not in self._data:
            if not (more := self.sock.recv(1 << 16)):
                return None
            self._data += more
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        heard = Heard(first, {name.lower(): value for name, _, value in pairs}, self.number)
        self.server.heard.append(heard)
        return heard

    def send(self, data: bytes) -> None:
        """Say something."""
        self.sock.sendall(data)

    def reset(self) -> None:
        """End the connection as a crash does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


Talk: TypeAlias = "Callable[[Line], None]"
"""What a server does with one connection."""


@dataclass
class Scripted:
    """What a server heard."""

    port: int
    scheme: str
    connections: int = 0
    heard: list[Heard] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/"


@contextmanager
def scripted(talk: Callable[[Line], None], context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """Run a server that talks to each client as it is told."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(listener.getsockname()[1], "https" if context else "http")
    open_ones: list[socket.socket] = []

    def serve(sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            plain = stack.enter_context(sock)
            line = Line(plain, number, server)
            if context:
                line.sock = stack.enter_context(context.wrap_socket(plain, server_side=True))
            talk(line)

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            open_ones.append(sock)
            threading.Thread(target=serve, args=(sock, server.connections), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for sock in open_ones:
            sock.close()


def always(answer: bytes | Callable[[Heard], bytes]) -> Callable[[Line], None]:
    """Say the same to every request."""

    def talk(line: Line) -> None:
        while heard := line.request():
            line.send(answer(heard) if callable(answer) else answer)

    return talk


def ok(body: bytes, *lines: str) -> bytes:
    """Return a good answer."""
    return reply("200 OK", body, *lines)


def reply(status: str, body: bytes = b"", *lines: str) -> bytes:
    """Return an answer that says its length."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1") + body


def part(data: bytes, heard: Heard) -> bytes:
    """Serve a range as it was asked for."""
    first, _, last = heard.headers["range"].removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or len(data) - 1) + 1, len(data))
    return reply(
        "206 Partial Content", data[start:end], f"Content-Range: bytes {start}-{end - 1}/{len(data)}"
    )


def take(one: Body | SourceError) -> bytes | str:
    """Return the bytes of an answer, or why there are none."""
    if isinstance(one, SourceError):
        return one.reason
    with one:
        try:
            return b"".join(bytes(block) for block in one.blocks)
        except SourceError as error:
            return error.reason
